// What jemalloc offers beside malloc: the same blocks, what else is asked of them by flags. BIND,
// for one, has nearly all of its memory from there.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <malloc.h>

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

// Where no library has these, a program that looks whether they are there finds the agent's: what
// they do then is done by malloc and its kin, which record it.
namespace {

constexpr std::size_t alignment_of(int flags) {
  return std::size_t{1} << (static_cast<unsigned>(flags) & 0x3fU);  // MALLOCX_LG_ALIGN
}

constexpr bool is_to_be_zero(int flags) {
  return (flags & 0x40) != 0;  // MALLOCX_ZERO
}

void* allocate_by_malloc(std::size_t size, int flags) {
  if (alignment_of(flags) <= alignof(std::max_align_t)) {
    return is_to_be_zero(flags) ? calloc(1, size) : malloc(size);
  }
  void* const block = memalign(alignment_of(flags), size);
  if (block != nullptr && is_to_be_zero(flags)) std::memset(block, 0, size);
  return block;
}

void* resize_by_malloc(void* block, std::size_t size, int flags) {
  void* const moved = allocate_by_malloc(size, flags);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(size, malloc_usable_size(block)));
  free(block);
  return moved;
}

}  // namespace

MINI_EXPORT void* mallocx(std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.mallocx == nullptr) return allocate_by_malloc(size, flags);
  const Caller caller = capture_caller();
  void* const block = call_inside<kInAllocator>(caller, real.mallocx, size, flags);
  if (has_flagged_malloc()) note_allocation(block, size, CallKind::kMalloc, caller);
  return block;
}

MINI_EXPORT void* rallocx(void* block, std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.rallocx == nullptr) return resize_by_malloc(block, size, flags);
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
  if (real.xallocx == nullptr) return malloc_usable_size(block);
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
  if (real.dallocx == nullptr) return free(block);
  const Caller caller = capture_caller();
  if (has_flagged_malloc()) note_free(block, caller);
  call_inside<kInAllocator>(caller, real.dallocx, block, flags);
}

MINI_EXPORT void sdallocx(void* block, std::size_t size, int flags) {
  const RealFunctions& real = real_functions();
  if (real.sdallocx == nullptr) return free(block);
  const Caller caller = capture_caller();
  if (has_flagged_malloc()) note_free(block, caller);
  call_inside<kInAllocator>(caller, real.sdallocx, block, size, flags);
}
