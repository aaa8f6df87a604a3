// Memory that a program asks of the kernel through its C library.
//
// What is given back is told before the call, and what is got after it: see wire/record.h. Where
// nothing was given back in the end, a remap to the same place says so. The C library's own calls
// do not come by here: what its malloc does is seen by `heapspy trace`.
#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"
#include "unwind/self/stack_bounds.h"

namespace mini::agent {
namespace {

using wire::Mapping;
using wire::MappingOperation;

std::uint64_t number(const void* address) {
  return reinterpret_cast<std::uint64_t>(address);
}

// The allocator's pages count, also those that it maps inside of a call.
void note(const Mapping& mapping, const Caller& caller) {
  const OutsideAllocator outside;
  tell(caller, [&](ThreadLog& log) { log.add_mapping(mapping, caller); });
}

void note_map(const void* address, std::size_t bytes, const Caller& caller) {
  note({.address = number(address), .bytes = bytes}, caller);
}

void note_unmap(const void* address, std::size_t bytes, const Caller& caller) {
  note({.operation = MappingOperation::kUnmap, .address = number(address), .bytes = bytes}, caller);
}

void note_remap(const void* old_address, std::size_t old_bytes, const void* address,
                std::size_t bytes, const Caller& caller) {
  note({.operation = MappingOperation::kRemap,
        .address = number(address),
        .bytes = bytes,
        .old_address = number(old_address),
        .old_bytes = old_bytes},
       caller);
}

/// A coroutine's stack may be there, and another thing in a moment.
void forget_stacks_in(const void* address, std::size_t bytes) {
  const std::uint64_t begin = number(address);
  const std::uint64_t end = begin + std::min<std::uint64_t>(bytes, UINT64_MAX - begin);
  unwind::self::StackBounds::forget_foreign_stacks({begin, end});
}

/// Whether the kernel does not refuse such a range whatever is there.
bool is_range(const void* address, std::size_t bytes) {
  constexpr std::uint64_t kEnd = INT64_MAX;  // of a program's addresses, at most
  return number(address) % wire::kPage == 0 && number(address) < kEnd && bytes != 0 &&
         bytes < kEnd - number(address);
}

}  // namespace
}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

MINI_EXPORT void* mmap(void* addr, std::size_t len, int prot, int flags, int fd, off_t offset) {
  const RealFunctions& real = real_functions();
  if ((flags & MAP_FIXED) != 0) forget_stacks_in(addr, len);
  void* const at = real.mmap(addr, len, prot, flags, fd, offset);
  if (at != MAP_FAILED) note_map(at, len, capture_caller());
  return at;
}

// One function with two names where off_t has 64 bits, as it has here.
static_assert(sizeof(off_t) == 8);
MINI_EXPORT void* mmap64(void* addr, std::size_t len, int prot, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));

MINI_EXPORT int munmap(void* addr, std::size_t len) {
  const RealFunctions& real = real_functions();
  if (!is_range(addr, len)) return real.munmap(addr, len);
  forget_stacks_in(addr, len);
  const Caller caller = capture_caller();
  note_unmap(addr, len, caller);
  const int result = real.munmap(addr, len);
  if (result != 0) note_remap(addr, len, addr, len, caller);
  return result;
}

MINI_EXPORT void* mremap(void* addr, std::size_t old_len, std::size_t new_len, int flags, ...) {
  std::va_list rest;
  va_start(rest, flags);
  constexpr int kHasAddress = MREMAP_FIXED | MREMAP_DONTUNMAP;
  void* const wanted = (flags & kHasAddress) != 0 ? va_arg(rest, void*) : nullptr;
  va_end(rest);
  const RealFunctions& real = real_functions();
  forget_stacks_in(addr, old_len);
  if ((flags & MREMAP_FIXED) != 0) forget_stacks_in(wanted, new_len);
  const Caller caller = capture_caller();
  const bool keeps_old = (flags & MREMAP_DONTUNMAP) != 0;
  const bool may_give_back =
      !keeps_old && is_range(addr, old_len) && ((flags & MREMAP_MAYMOVE) != 0 || new_len < old_len);
  if (may_give_back) note_unmap(addr, old_len, caller);
  void* const at = real.mremap(addr, old_len, new_len, flags, wanted);
  if (at == MAP_FAILED) {
    if (may_give_back) note_remap(addr, old_len, addr, old_len, caller);
  } else if (keeps_old) {
    note_map(at, new_len, caller);
  } else {
    note_remap(addr, old_len, at, new_len, caller);
  }
  return at;
}

MINI_EXPORT int madvise(void* addr, std::size_t len, int advice) {
  const RealFunctions& real = real_functions();
  const int result = real.madvise(addr, len, advice);
  if (result == 0 && (advice == MADV_DONTNEED || advice == MADV_FREE)) {
    note({.operation = MappingOperation::kDiscard, .address = number(addr), .bytes = len},
         capture_caller());
  }
  return result;
}

namespace mini::agent {
namespace {

void note_break(std::uint64_t before, std::uint64_t after, const Caller& caller) {
  if (after > before) {
    note({.operation = MappingOperation::kMap, .address = before, .bytes = after - before}, caller);
  } else if (after < before) {
    note({.operation = MappingOperation::kUnmap, .address = after, .bytes = before - after},
         caller);
  }
}

}  // namespace
}  // namespace mini::agent

MINI_EXPORT void* sbrk(std::intptr_t delta) {
  const RealFunctions& real = real_functions();
  void* const before = real.sbrk(delta);
  if (before != reinterpret_cast<void*>(-1) && delta != 0) {
    note_break(number(before), number(before) + static_cast<std::uint64_t>(delta),
               capture_caller());
  }
  return before;
}

MINI_EXPORT int brk(void* addr) {
  const RealFunctions& real = real_functions();
  const std::uint64_t before = number(real.sbrk(0));
  const int result = real.brk(addr);
  if (result == 0) note_break(before, number(addr), capture_caller());
  return result;
}
