// Where the calls of the malloc family go on to, by how much of them is recorded.
#pragma once

#include <atomic>
#include <cstddef>

namespace mini::agent {

/// What of a program's calls is recorded.
enum class Coverage : unsigned char {
  kAll,
  kSample,   // of nearly all nothing
  kNothing,  // nobody reads
};

/// By a jump: to the real function, or to the one that records it.
struct Ways {
  std::atomic<void* (*)(std::size_t)> malloc;
  std::atomic<void* (*)(std::size_t, std::size_t)> calloc;
  std::atomic<void* (*)(void*, std::size_t)> realloc;
  std::atomic<void (*)(void*)> free;
};
extern constinit Ways g_ways;          // of a call that may have to be recorded
extern constinit Ways g_sampled_ways;  // of one that has not where blocks are sampled

/// To be called before the first call is recorded. Thread-safe: what was read before it is older
/// than what it sets, and what is read after it is newer (two fences).
void set_coverage(Coverage coverage);

}  // namespace mini::agent
