// What happens when a program frees what it must not: a line that says what it is, then abort().
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

}  // namespace mini::alloc
