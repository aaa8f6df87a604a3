// The functions that the agent stands before: those of whichever allocator comes after it in the
// order of libraries.
#pragma once

#include <cstddef>

namespace mini::agent {

struct RealFunctions {
  void* (*malloc)(std::size_t);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  void* (*reallocarray)(void*, std::size_t, std::size_t);
  void (*free)(void*);
  void* (*aligned_alloc)(std::size_t, std::size_t);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
  void* (*memalign)(std::size_t, std::size_t);
  void* (*valloc)(std::size_t);
  void* (*pvalloc)(std::size_t);
  void (*free_sized)(void*, std::size_t);                       // C23; null where there is none
  void (*free_aligned_sized)(void*, std::size_t, std::size_t);  // the same
  int (*dlclose)(void*);
};

/// Finds them, once. Null to a call from inside itself: looking them up may allocate, and the
/// thread that does it gets memory from start_block().
const RealFunctions* find_real_functions();

/// A block from memory of the agent's own, zero-filled and aligned to 16, for those who allocate
/// before there is an allocator; null where it is used up.
void* start_block(std::size_t bytes);
bool is_start_block(const void* block);
/// Bytes that may be read of a start block: at least what was asked for.
std::size_t start_block_bytes(const void* block);

}  // namespace mini::agent
