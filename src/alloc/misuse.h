// What happens when a program frees what it must not: a line that says what it is, then abort(),
// unless it may go on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mini::alloc {

struct Backing;

enum class Misuse : std::uint8_t {
  kDoubleFree,     // the block is free already
  kInvalidFree,    // no block begins at this address
  kInvalidResize,  // the same, at realloc
  kSizeMismatch,   // a sized free or delete that names another size than the block's
};

/// Writes "minimalloc: double free of 0x…: a block of 64 bytes, which is free" to standard error
/// and aborts. Allocates nothing. `bytes`: for kSizeMismatch, what the caller said.
[[noreturn]] void die_of_misuse(Misuse misuse, const void* p, const Backing& backing,
                                std::size_t bytes = 0);

/// The same line about a block in use that is freed with a wrong size, and returns; for the first
/// one of a process. Does not look at the allocator's records, which others may be changing.
void warn_of_size(const void* p, std::size_t block_bytes, std::size_t bytes);

}  // namespace mini::alloc
