// Marks a thread as being inside the allocator.
#pragma once

#include <atomic>

#include "alloc/allocator.h"

namespace mini::alloc {

/// While it lives, a signal handler of this thread that comes to the allocator finds it occupied.
/// REQUIRES: the thread is not inside.
class Inside {
 public:
  Inside() {
    t_thread.inside = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    t_thread.inside = false;
  }
};

}  // namespace mini::alloc
