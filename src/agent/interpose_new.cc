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
#include <cstring>
#include <link.h>
#include <new>
#include <type_traits>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/library_order.h"
#include "agent/real.h"
#include "kernel/vm/library_functions.h"

namespace mini::agent {
namespace {

using wire::CallKind;

using Nothrow = const std::nothrow_t&;
using Alignment = std::align_val_t;

/// A function by its mangled name (Itanium C++ ABI, §5.1): where it is, and how to call it.
class OperatorPlace {
 public:
  explicit constexpr OperatorPlace(const char* name) : name_(name) {}

  /// Whether it comes with the allocator. REQUIRES: find() found it.
  bool is_allocators() const { return is_allocators_.load(std::memory_order_relaxed); }
  void take(void* (*find)(const char* name)) {
    if (void* const found = find(name_)) set(found, true);
  }
  /// Where it is in the order of libraries, if it is. REQUIRES: as next_function().
  void look_up_in_order() { found(next_function(name_)); }

 protected:
  void* place() {
    void* const known = function_.load(std::memory_order_acquire);
    return known != nullptr ? known : look_up();
  }
  void* known_place() const { return function_.load(std::memory_order_relaxed); }
  void* passed_on_place() const { return passed_on_.load(std::memory_order_relaxed); }

 private:
  void* look_up();
  /// Takes what was found, if anything.
  void found(void* function);
  void set(void* function, bool is_allocators) {
    is_allocators_.store(is_allocators, std::memory_order_relaxed);
    passed_on_.store(is_allocators ? nullptr : function, std::memory_order_relaxed);
    function_.store(function, std::memory_order_release);
  }

  const char* name_;
  std::atomic<void*> function_{nullptr};
  std::atomic<void*> passed_on_{nullptr};
  std::atomic<bool> is_allocators_{false};
};

template <typename Result, typename... Arguments>
class Operator : public OperatorPlace {
 public:
  using OperatorPlace::OperatorPlace;
  using Function = Result(Arguments...);

  /// Null where no library of the program has it.
  Function* find() { return reinterpret_cast<Function*>(place()); }
  /// Null where nobody has looked so far.
  Function* known() const { return reinterpret_cast<Function*>(known_place()); }
  /// The same where it calls malloc and free, and so may simply be called; null where that is not
  /// known.
  Function* passed_on() const { return reinterpret_cast<Function*>(passed_on_place()); }
};

constinit std::atomic<bool> g_knows_order{false};  // what the program began with was looked at

struct CxxFunction {
  kernel::vm::FunctionName name;
  void* found;
};

int find_in_cxx_library(dl_phdr_info* library, std::size_t, void* argument) {
  auto& wanted = *static_cast<CxxFunction*>(argument);
  const char* const slash = std::strrchr(library->dlpi_name, '/');
  const char* const name = slash == nullptr ? library->dlpi_name : slash + 1;
  for (const char* const known : {"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1"}) {
    if (std::strcmp(name, known) != 0) continue;
    const kernel::vm::LibraryFunctions functions(*library);
    const ElfW(Sym)* const symbol = functions.find(wanted.name);
    if (symbol != nullptr) {
      wanted.found = reinterpret_cast<void*>(library->dlpi_addr + symbol->st_value);
    }
  }
  return wanted.found != nullptr ? 1 : 0;
}

/// What a plug-in in C++ was loaded with, into a program in C, is not in the order of libraries.
/// Not by dlsym: the program would not hear any more of an error before, from dlerror.
void* find_in_cxx_library(const char* name) {
  CxxFunction wanted{kernel::vm::FunctionName(name), nullptr};
  dl_iterate_phdr(find_in_cxx_library, &wanted);
  return wanted.found;
}

void OperatorPlace::found(void* function) {
  if (function == nullptr) return;
  const auto* const blocks = reinterpret_cast<const void*>(real_functions().malloc);
  const std::uintptr_t library = library_of(function);
  set(function, library != 0 && library == library_of(blocks));
}

void* OperatorPlace::look_up() {
  if (!g_knows_order.load(std::memory_order_relaxed)) look_up_in_order();
  if (function_.load(std::memory_order_acquire) == nullptr) found(find_in_cxx_library(name_));
  return function_.load(std::memory_order_acquire);
}

template <typename... Rest>
using New = Operator<void*, std::size_t, Rest...>;
template <typename... Rest>
using Delete = Operator<void, void*, Rest...>;

constinit New<> g_new("_Znwm");
constinit New<> g_new_array("_Znam");
constinit New<Nothrow> g_new_nothrow("_ZnwmRKSt9nothrow_t");
constinit New<Nothrow> g_new_array_nothrow("_ZnamRKSt9nothrow_t");
constinit New<Alignment> g_new_aligned("_ZnwmSt11align_val_t");
constinit New<Alignment> g_new_array_aligned("_ZnamSt11align_val_t");
constinit New<Alignment, Nothrow> g_new_aligned_nothrow("_ZnwmSt11align_val_tRKSt9nothrow_t");
constinit New<Alignment, Nothrow> g_new_array_aligned_nothrow("_ZnamSt11align_val_tRKSt9nothrow_t");

constinit Delete<> g_delete("_ZdlPv");
constinit Delete<> g_delete_array("_ZdaPv");
constinit Delete<std::size_t> g_delete_sized("_ZdlPvm");
constinit Delete<std::size_t> g_delete_array_sized("_ZdaPvm");
constinit Delete<Nothrow> g_delete_nothrow("_ZdlPvRKSt9nothrow_t");
constinit Delete<Nothrow> g_delete_array_nothrow("_ZdaPvRKSt9nothrow_t");
constinit Delete<Alignment> g_delete_aligned("_ZdlPvSt11align_val_t");
constinit Delete<Alignment> g_delete_array_aligned("_ZdaPvSt11align_val_t");
constinit Delete<std::size_t, Alignment> g_delete_sized_aligned("_ZdlPvmSt11align_val_t");
constinit Delete<std::size_t, Alignment> g_delete_array_sized_aligned("_ZdaPvmSt11align_val_t");
constinit Delete<Alignment, Nothrow> g_delete_aligned_nothrow(
    "_ZdlPvSt11align_val_tRKSt9nothrow_t");
constinit Delete<Alignment, Nothrow> g_delete_array_aligned_nothrow(
    "_ZdaPvSt11align_val_tRKSt9nothrow_t");

OperatorPlace* const kOperators[] = {&g_new,
                                     &g_new_array,
                                     &g_new_nothrow,
                                     &g_new_array_nothrow,
                                     &g_new_aligned,
                                     &g_new_array_aligned,
                                     &g_new_aligned_nothrow,
                                     &g_new_array_aligned_nothrow,
                                     &g_delete,
                                     &g_delete_array,
                                     &g_delete_sized,
                                     &g_delete_array_sized,
                                     &g_delete_nothrow,
                                     &g_delete_array_nothrow,
                                     &g_delete_aligned,
                                     &g_delete_array_aligned,
                                     &g_delete_sized_aligned,
                                     &g_delete_array_sized_aligned,
                                     &g_delete_aligned_nothrow,
                                     &g_delete_array_aligned_nothrow};

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

/// `nothrow` makes the block. Only where it cannot, `real` tries again, and throws: no exception
/// may come out of call_inside().
template <typename Real, typename NothrowReal, typename... Rest>
[[gnu::noinline]] void* record_new(Real* real, NothrowReal* nothrow, const Caller& caller,
                                   std::size_t bytes, Rest... rest) {
  const std::nothrow_t any{};
  void* block = nullptr;
  if (nothrow != nullptr) block = call_inside<kInOperator>(caller, nothrow, bytes, rest..., any);
  if (block == nullptr) block = real(bytes, rest...);
  note_allocation(block, bytes, CallKind::kNew, caller);
  return block;
}

template <typename Real, typename... Rest>
[[gnu::noinline]] void* record_nothrow(Real* real, const Caller& caller, std::size_t bytes,
                                       Rest... rest) {
  void* const block = call_inside<kInOperator>(caller, real, bytes, rest...);
  note_allocation(block, bytes, CallKind::kNew, caller);
  return block;
}

template <typename Real, typename... Rest>
[[gnu::noinline]] void record_delete(Real* real, const Caller& caller, void* block, Rest... rest) {
  note_free(block, caller);
  call_inside<kInOperator>(caller, real, block, rest...);
}

// These are jumped to by the function that the program called, and so their frame is in the place
// of that one's; and they end with a jump themselves where they record nothing. What they take is
// what the operator takes: a copy would have to be there until it is back.

template <typename... Rest>
[[gnu::noinline]] void* find_and_allocate(New<Rest...>& op, New<Rest..., Nothrow>& nothrow,
                                          std::size_t bytes, std::type_identity_t<Rest>... rest) {
  auto* const real = op.find();
  if (real == nullptr) return new_without_library(bytes, false, rest...);
  if (op.is_allocators() && !is_inside()) {
    return record_new(real, nothrow.find(), capture_caller(), bytes, rest...);
  }
  return real(bytes, rest...);
}

template <typename... Rest>
[[gnu::noinline]] void* find_and_try(New<Rest...>& op, std::size_t bytes,
                                     std::type_identity_t<Rest>... rest) {
  auto* const real = op.find();
  if (real == nullptr) return new_without_library(bytes, true, rest...);
  if (op.is_allocators() && !is_inside()) {
    return record_nothrow(real, capture_caller(), bytes, rest...);
  }
  return real(bytes, rest...);
}

template <typename... Rest>
[[gnu::noinline]] void find_and_release(Delete<Rest...>& op, void* block,
                                        std::type_identity_t<Rest>... rest) {
  auto* const real = op.find();
  if (real == nullptr) return free(block);
  if (op.is_allocators() && !is_inside()) {
    return record_delete(real, capture_caller(), block, rest...);
  }
  return real(block, rest...);
}

template <typename... Rest>
[[gnu::always_inline]] inline void* allocate(New<Rest...>& op, New<Rest..., Nothrow>& nothrow,
                                             std::size_t bytes,
                                             std::type_identity_t<Rest>... rest) {
  if (auto* const pass = op.passed_on()) return pass(bytes, rest...);
  return find_and_allocate<Rest...>(op, nothrow, bytes, rest...);
}

template <typename... Rest>
[[gnu::always_inline]] inline void* try_to_allocate(New<Rest...>& op, std::size_t bytes,
                                                    std::type_identity_t<Rest>... rest) {
  if (auto* const pass = op.passed_on()) return pass(bytes, rest...);
  return find_and_try<Rest...>(op, bytes, rest...);
}

template <typename... Rest>
[[gnu::always_inline]] inline void release(Delete<Rest...>& op, void* block,
                                           std::type_identity_t<Rest>... rest) {
  if (auto* const pass = op.passed_on()) return pass(block, rest...);
  if (auto* const real = op.known(); real != nullptr && is_free_unrecorded(block))
    return real(block, rest...);
  return find_and_release<Rest...>(op, block, rest...);
}

}  // namespace

void look_up_real_operators() {
  for (OperatorPlace* const one : kOperators) one->look_up_in_order();
  g_knows_order.store(true, std::memory_order_relaxed);
}

void take_real_operators(void* (*find)(const char* name)) {
  for (OperatorPlace* const one : kOperators) one->take(find);
}

}  // namespace mini::agent

// What these are: src/agent/exports.map.
#define MINI_OPERATOR __attribute__((visibility("default"), noinline))

namespace agent = mini::agent;

MINI_OPERATOR void* operator new(std::size_t size) {
  return agent::allocate(agent::g_new, agent::g_new_nothrow, size);
}
MINI_OPERATOR void* operator new(std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_nothrow, size, nothrow);
}
MINI_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment) {
  return agent::allocate(agent::g_new_aligned, agent::g_new_aligned_nothrow, size, alignment);
}
MINI_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment,
                                 const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_aligned_nothrow, size, alignment, nothrow);
}
MINI_OPERATOR void* operator new[](std::size_t size) {
  return agent::allocate(agent::g_new_array, agent::g_new_array_nothrow, size);
}
MINI_OPERATOR void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_array_nothrow, size, nothrow);
}
MINI_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment) {
  return agent::allocate(agent::g_new_array_aligned, agent::g_new_array_aligned_nothrow, size,
                         alignment);
}
MINI_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment,
                                   const std::nothrow_t& nothrow) noexcept {
  return agent::try_to_allocate(agent::g_new_array_aligned_nothrow, size, alignment, nothrow);
}
MINI_OPERATOR void operator delete(void* ptr) noexcept {
  agent::release(agent::g_delete, ptr);
}
MINI_OPERATOR void operator delete(void* ptr, std::size_t size) noexcept {
  agent::release(agent::g_delete_sized, ptr, size);
}
MINI_OPERATOR void operator delete(void* ptr, const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_nothrow, ptr, nothrow);
}
MINI_OPERATOR void operator delete(void* ptr, std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_aligned, ptr, alignment);
}
MINI_OPERATOR void operator delete(void* ptr, std::size_t size,
                                   std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_sized_aligned, ptr, size, alignment);
}
MINI_OPERATOR void operator delete(void* ptr, std::align_val_t alignment,
                                   const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_aligned_nothrow, ptr, alignment, nothrow);
}
MINI_OPERATOR void operator delete[](void* ptr) noexcept {
  agent::release(agent::g_delete_array, ptr);
}
MINI_OPERATOR void operator delete[](void* ptr, std::size_t size) noexcept {
  agent::release(agent::g_delete_array_sized, ptr, size);
}
MINI_OPERATOR void operator delete[](void* ptr, const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_array_nothrow, ptr, nothrow);
}
MINI_OPERATOR void operator delete[](void* ptr, std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_array_aligned, ptr, alignment);
}
MINI_OPERATOR void operator delete[](void* ptr, std::size_t size,
                                     std::align_val_t alignment) noexcept {
  agent::release(agent::g_delete_array_sized_aligned, ptr, size, alignment);
}
MINI_OPERATOR void operator delete[](void* ptr, std::align_val_t alignment,
                                     const std::nothrow_t& nothrow) noexcept {
  agent::release(agent::g_delete_array_aligned_nothrow, ptr, alignment, nothrow);
}
