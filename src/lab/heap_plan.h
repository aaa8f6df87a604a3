// glibc's arithmetic for a heap that only grows: where the blocks of a program will be, by which
// growths. What it is told is what the program will ask for, in that order; nothing is freed.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "lab/machine.h"

namespace mini::lab {

class HeapPlan {
 public:
  explicit HeapPlan(const Machine& machine);

  struct Block {
    Bytes requested;
    Bytes chunk;
    Bytes user;  // where the program's block is, from the start of the heap
  };
  /// REQUIRES: request is below the mmap threshold.
  Block place(Bytes request);

  /// By how much the break has risen, growth by growth.
  const std::vector<Bytes>& growths() const { return growths_; }
  Bytes heap() const;  // of all growths
  Bytes top() const { return heap() - used_; }
  /// The chunk that comes before all blocks; 0 where this glibc has none there.
  Bytes thread_cache() const { return thread_cache_; }

  /// "656 (thread cache) + 131072 (top pad) + 32, rounded up to pages of 4096"
  std::string growth_in_words() const;

 private:
  void take(Bytes chunk);

  const Machine& machine_;
  Bytes thread_cache_;
  Bytes used_;
  Bytes first_chunk_;
  std::vector<Bytes> growths_;
};

/// "1000 + 8, rounded up to 16"
std::string chunk_in_words(Bytes request);

}  // namespace mini::lab
