// operator new and delete as the program sees them.
//
// Those of the C++ library call malloc and free, where their blocks are recorded: they are passed
// on to by a jump, so that no frame of ours is in a stack. Those that come with an allocator, in
// one library with its malloc, may not: their blocks are recorded here, and not once more where
// they do call malloc.
//
// A program that defines its own comes first in the order of libraries, and is not here at all.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <new>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"

namespace mini::agent {
namespace {

using wire::CallKind;

using Nothrow = const std::nothrow_t&;
using Alignment = std::align_val_t;

/// A function by its mangled name (Itanium C++ ABI, §5.1).
template <typename Result, typename... Arguments>
class Operator {
 public:
  explicit constexpr Operator(const char* name) : name_(name) {}

  using Function = Result(Arguments...);

  /// Null where no library of the program has it.
  Function* find() {
    void* const known = function_.load(std::memory_order_acquire);
    return reinterpret_cast<Function*>(known != nullptr ? known : look_up());
  }
  /// Whether it comes with the allocator. REQUIRES: find() found it.
  bool is_allocators() const { return is_allocators_.load(std::memory_order_relaxed); }

 private:
  void* look_up();

  const char* name_;
  std::atomic<void*> function_{nullptr};
  std::atomic<bool> is_allocators_{false};
};

/// What a plug-in in C++ was loaded with, into a program in C, is not in the order of libraries.
void* find_in_cxx_library(const char* name) {
  for (const char* const library : {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"}) {
    void* const handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    if (void* const found = dlsym(handle, name)) return found;
  }
  return nullptr;
}

template <typename Result, typename... Arguments>
void* Operator<Result, Arguments...>::look_up() {
  const RealFunctions* const real = find_real_functions();
  const bool was_inside = t_is_inside;
  t_is_inside = true;  // what looking up allocates is not the program's
  void* found = dlsym(RTLD_NEXT, name_);
  if (found == nullptr) found = find_in_cxx_library(name_);
  t_is_inside = was_inside;
  if (found == nullptr || real == nullptr) return found;
  const std::uintptr_t library = library_of(found);
  is_allocators_.store(
      library != 0 && library == library_of(reinterpret_cast<const void*>(real->malloc)),
      std::memory_order_relaxed);
  function_.store(found, std::memory_order_release);
  return found;
}

constinit Operator<void*, std::size_t> g_new("_Znwm");
constinit Operator<void*, std::size_t> g_new_array("_Znam");
constinit Operator<void*, std::size_t, Nothrow> g_new_nothrow("_ZnwmRKSt9nothrow_t");
constinit Operator<void*, std::size_t, Nothrow> g_new_array_nothrow("_ZnamRKSt9nothrow_t");
constinit Operator<void*, std::size_t, Alignment> g_new_aligned("_ZnwmSt11align_val_t");
constinit Operator<void*, std::size_t, Alignment> g_new_array_aligned("_ZnamSt11align_val_t");
constinit Operator<void*, std::size_t, Alignment, Nothrow> g_new_aligned_nothrow(
    "_ZnwmSt11align_val_tRKSt9nothrow_t");
constinit Operator<void*, std::size_t, Alignment, Nothrow> g_new_array_aligned_nothrow(
    "_ZnamSt11align_val_tRKSt9nothrow_t");

constinit Operator<void, void*> g_delete("_ZdlPv");
constinit Operator<void, void*> g_delete_array("_ZdaPv");
constinit Operator<void, void*, std::size_t> g_delete_sized("_ZdlPvm");
constinit Operator<void, void*, std::size_t> g_delete_array_sized("_ZdaPvm");
constinit Operator<void, void*, Nothrow> g_delete_nothrow("_ZdlPvRKSt9nothrow_t");
constinit Operator<void, void*, Nothrow> g_delete_array_nothrow("_ZdaPvRKSt9nothrow_t");
constinit Operator<void, void*, Alignment> g_delete_aligned("_ZdlPvSt11align_val_t");
constinit Operator<void, void*, Alignment> g_delete_array_aligned("_ZdaPvSt11align_val_t");
constinit Operator<void, void*, std::size_t, Alignment> g_delete_sized_aligned(
    "_ZdlPvmSt11align_val_t");
constinit Operator<void, void*, std::size_t, Alignment> g_delete_array_sized_aligned(
    "_ZdaPvmSt11align_val_t");
constinit Operator<void, void*, Alignment, Nothrow> g_delete_aligned_nothrow(
    "_ZdlPvSt11align_val_tRKSt9nothrow_t");
constinit Operator<void, void*, Alignment, Nothrow> g_delete_array_aligned_nothrow(
    "_ZdaPvSt11align_val_tRKSt9nothrow_t");

// Of a program that has new and delete in no library that we know: theirs was hidden in one.
template <typename... Rest>
void* new_without_library(std::size_t bytes, bool may_fail, const Rest&... /*nothrow*/) {
  void* const block = malloc(bytes);
  if (block == nullptr && !may_fail) std::abort();
  return block;
}
template <typename... Rest>
void* new_without_library(std::size_t bytes, bool may_fail, Alignment alignment,
                          const Rest&... /*nothrow*/) {
  void* const block = aligned_alloc(static_cast<std::size_t>(alignment), bytes);
  if (block == nullptr && !may_fail) std::abort();
  return block;
}

/// As capture_caller() in the function whose frame this is, but only where it is asked for: what
/// passes a call on has nothing to keep then.
Caller caller_of(const void* frame) {
  const auto* const words = static_cast<const std::uintptr_t*>(frame);
  return {words[1], reinterpret_cast<std::uintptr_t>(words + 2), words[0]};
}

/// Here the frame that was spoken of is still there: what comes before is a call, not a jump.
[[gnu::always_inline]] inline void* end_frame(void* block) {
  asm volatile("" : "+r"(block));
  return block;
}

/// The function's own malloc and free, if it calls them, are not recorded again.
template <typename Function, typename... Arguments>
auto call_inside(Function* function, const Arguments&... arguments) {
  struct Inside {
    Inside() { t_is_inside = true; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { t_is_inside = false; }
  } const inside;
  return function(arguments...);
}

/// `nothrow` makes the block. Only where it cannot, `real` tries again, and throws: no exception
/// may come out of call_inside().
template <typename Real, typename NothrowReal, typename... Rest>
[[gnu::noinline]] void* record_new(Real* real, NothrowReal* nothrow, const void* frame,
                                   std::size_t bytes, Rest... rest) {
  const std::nothrow_t any{};
  void* block = nullptr;
  if (nothrow != nullptr) block = call_inside(nothrow, bytes, rest..., any);
  if (block == nullptr) block = real(bytes, rest...);
  note_allocation(block, bytes, CallKind::kNew, caller_of(frame));
  return block;
}

template <typename Real, typename... Rest>
[[gnu::noinline]] void* record_nothrow(Real* real, const void* frame, std::size_t bytes,
                                       Rest... rest) {
  void* const block = call_inside(real, bytes, rest...);
  note_allocation(block, bytes, CallKind::kNew, caller_of(frame));
  return block;
}

template <typename Real, typename... Rest>
[[gnu::noinline]] void record_delete(Real* real, const void* frame, void* block, Rest... rest) {
  note_free(block, caller_of(frame));
  call_inside(real, block, rest...);
}

// These are part of the functions below, so that what they end with is a jump.

template <typename Real, typename NothrowReal, typename... Rest>
[[gnu::always_inline]] inline void* allocate(Real& op, NothrowReal& nothrow, const void* frame,
                                             std::size_t bytes, Rest... rest) {
  auto* const real = op.find();
  if (real == nullptr) return new_without_library(bytes, false, rest...);
  if (op.is_allocators() && !t_is_inside) {
    return end_frame(record_new(real, nothrow.find(), frame, bytes, rest...));
  }
  return real(bytes, rest...);
}

template <typename Real, typename... Rest>
[[gnu::always_inline]] inline void* try_to_allocate(Real& op, const void* frame, std::size_t bytes,
                                                    Rest... rest) {
  auto* const real = op.find();
  if (real == nullptr) return new_without_library(bytes, true, rest...);
  if (op.is_allocators() && !t_is_inside)
    return end_frame(record_nothrow(real, frame, bytes, rest...));
  return real(bytes, rest...);
}

template <typename Real, typename... Rest>
[[gnu::always_inline]] inline void release(Real& op, const void* frame, void* block, Rest... rest) {
  auto* const real = op.find();
  if (real == nullptr) return free(block);
  if (op.is_allocators() && !t_is_inside) {
    record_delete(real, frame, block, rest...);
    end_frame(nullptr);
    return;
  }
  return real(block, rest...);
}

}  // namespace
}  // namespace mini::agent

// What these are: src/agent/exports.map.
#define MINI_OPERATOR __attribute__((visibility("default"), noinline))

namespace agent = mini::agent;

MINI_OPERATOR void* operator new(std::size_t size) {
  return agent::allocate(agent::g_new, agent::g_new_nothrow, __builtin_frame_address(0), size);
}
MINI_OPERATOR void* operator new(std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_nothrow, __builtin_frame_address(0), size, nothrow);
}
MINI_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment) {
  return agent::allocate(agent::g_new_aligned, agent::g_new_aligned_nothrow,
                         __builtin_frame_address(0), size, alignment);
}
MINI_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment,
                                 const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_aligned_nothrow, __builtin_frame_address(0), size,
                                alignment, nothrow);
}
MINI_OPERATOR void* operator new[](std::size_t size) {
  return agent::allocate(agent::g_new_array, agent::g_new_array_nothrow, __builtin_frame_address(0),
                         size);
}
MINI_OPERATOR void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_array_nothrow, __builtin_frame_address(0), size,
                                nothrow);
}
MINI_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment) {
  return agent::allocate(agent::g_new_array_aligned, agent::g_new_array_aligned_nothrow,
                         __builtin_frame_address(0), size, alignment);
}
MINI_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment,
                                   const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_array_aligned_nothrow, __builtin_frame_address(0),
                                size, alignment, nothrow);
}
MINI_OPERATOR void operator delete(void* ptr) noexcept {
  agent::release(agent::g_delete, __builtin_frame_address(0), ptr);
}
MINI_OPERATOR void operator delete(void* ptr, std::size_t size) noexcept {
  agent::release(agent::g_delete_sized, __builtin_frame_address(0), ptr, size);
}
MINI_OPERATOR void operator delete(void* ptr, const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_nothrow, __builtin_frame_address(0), ptr, nothrow);
}
MINI_OPERATOR void operator delete(void* ptr, std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_aligned, __builtin_frame_address(0), ptr, alignment);
}
MINI_OPERATOR void operator delete(void* ptr, std::size_t size,
                                   std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_sized_aligned, __builtin_frame_address(0), ptr, size, alignment);
}
MINI_OPERATOR void operator delete(void* ptr, std::align_val_t alignment,
                                   const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_aligned_nothrow, __builtin_frame_address(0), ptr, alignment,
                 nothrow);
}
MINI_OPERATOR void operator delete[](void* ptr) noexcept {
  agent::release(agent::g_delete_array, __builtin_frame_address(0), ptr);
}
MINI_OPERATOR void operator delete[](void* ptr, std::size_t size) noexcept {
  agent::release(agent::g_delete_array_sized, __builtin_frame_address(0), ptr, size);
}
MINI_OPERATOR void operator delete[](void* ptr, const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_array_nothrow, __builtin_frame_address(0), ptr, nothrow);
}
MINI_OPERATOR void operator delete[](void* ptr, std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_array_aligned, __builtin_frame_address(0), ptr, alignment);
}
MINI_OPERATOR void operator delete[](void* ptr, std::size_t size,
                                     std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_array_sized_aligned, __builtin_frame_address(0), ptr, size,
                 alignment);
}
MINI_OPERATOR void operator delete[](void* ptr, std::align_val_t alignment,
                                     const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_array_aligned_nothrow, __builtin_frame_address(0), ptr, alignment,
                 nothrow);
}
