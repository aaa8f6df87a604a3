// What jemalloc offers beside malloc: the same blocks, what else is asked of them by flags. BIND,
// for one, has nearly all of its memory from there.
#include <cstddef>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"

extern "C" {
void* mallocx(std::size_t size, int flags);
void* rallocx(void* block, std::size_t size, int flags);
std::size_t xallocx(void* block, std::size_t size, std::size_t extra, int flags);
void dallocx(void* block, int flags);
void sdallocx(void* block, std::size_t size, int flags);
}

using namespace mini::agent;  // NOLINT: what follows has C's names
using mini::wire::CallKind;

// Nobody calls these where no library has them: a program may have their addresses all the same.

MINI_EXPORT void* mallocx(std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.mallocx == nullptr) return nullptr;
  const Caller caller = capture_caller();
  void* const block = call_inside<kInAllocator>(caller, real.mallocx, size, flags);
  if (has_flagged_malloc()) note_allocation(block, size, CallKind::kMalloc, caller);
  return block;
}

MINI_EXPORT void* rallocx(void* block, std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.rallocx == nullptr) return nullptr;
  const Caller caller = capture_caller();
  const bool is_recorded = has_flagged_malloc() && note_free(block, caller);
  void* const moved = call_inside<kInAllocator>(caller, real.rallocx, block, size, flags);
  if (moved == nullptr) {
    if (is_recorded) note_restored(block, caller);
  } else if (has_flagged_malloc()) {
    note_allocation(moved, size, CallKind::kRealloc, caller);
  }
  return moved;
}

// Resizes the block where it is, and says what it has then: less than `size` where that failed.
MINI_EXPORT std::size_t xallocx(void* block, std::size_t size, std::size_t extra, int flags) {
  const RealFunctions& real = real_functions();
  if (real.xallocx == nullptr) return 0;
  const Caller caller = capture_caller();
  const std::size_t usable =
      call_inside<kInAllocator>(caller, real.xallocx, block, size, extra, flags);
  if (usable >= size && has_flagged_malloc()) {
    note_free(block, caller);
    const std::size_t bytes = usable - size < extra ? usable : size + extra;
    note_allocation(block, bytes, CallKind::kRealloc, caller);
  }
  return usable;
}

MINI_EXPORT void dallocx(void* block, int flags) {
  const RealFunctions& real = real_functions();
  if (real.dallocx == nullptr) return;
  const Caller caller = capture_caller();
  if (has_flagged_malloc()) note_free(block, caller);
  call_inside<kInAllocator>(caller, real.dallocx, block, flags);
}

MINI_EXPORT void sdallocx(void* block, std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.sdallocx == nullptr) return;
  const Caller caller = capture_caller();
  if (has_flagged_malloc()) note_free(block, caller);
  call_inside<kInAllocator>(caller, real.sdallocx, block, size, flags);
}
