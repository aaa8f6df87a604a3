// The malloc family as the program sees it: the real function, and a record of what it did.
//
// A free is recorded before the real call and an allocation after it, so that in the order of times
// a block is never given out before it came back.
#include <cerrno>
#include <cstddef>
#include <malloc.h>
#include <unistd.h>

#include "agent/coverage.h"
#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"

// C23's, which older headers do not have.
extern "C" void free_sized(void* block, std::size_t bytes);
extern "C" void free_aligned_sized(void* block, std::size_t alignment, std::size_t bytes);

namespace mini::agent {
namespace {

using wire::CallKind;

bool overflows(std::size_t count, std::size_t size, std::size_t* bytes) {
  return __builtin_mul_overflow(count, size, bytes);
}

/// Of the real functions, where what is asked for often is compiled for either answer of
/// may_call_itself(). `caller` is whom the agent was called by.
template <bool MayCallItself, typename Function, typename... Arguments>
[[gnu::always_inline]] inline auto call_one(const Caller& caller, Function* function,
                                            const Arguments&... arguments) {
  if constexpr (MayCallItself) return call_inside<kInAllocator>(caller, function, arguments...);
  return function(arguments...);
}

/// The same where it has to be asked first.
template <typename Function, typename... Arguments>
auto call_real(const Caller& caller, Function* function, const Arguments&... arguments) {
  return may_call_itself() ? call_one<true>(caller, function, arguments...)
                           : call_one<false>(caller, function, arguments...);
}

template <bool MayCallItself>
void* resize(const RealFunctions& real, void* block, std::size_t bytes, const Caller& caller) {
  // Told before, since from the call on another thread may get the old block's memory.
  const bool is_recorded = note_free(block, caller);
  void* const moved = call_one<MayCallItself>(caller, real.realloc, block, bytes);
  if (moved != nullptr) {
    const CallKind call = block != nullptr ? CallKind::kRealloc : CallKind::kMalloc;
    note_allocation(moved, bytes, call, caller);
  } else if (is_recorded && bytes != 0) {
    note_restored(block, caller);  // it failed, and the block is as it was
  }
  return moved;
}

// These are jumped to by the function that the program called, and so their frame is in the place
// of that one's.

template <bool MayCallItself>
[[gnu::noinline]] void* record_malloc(std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_one<MayCallItself>(caller, real.malloc, size);
  note_allocation(block, size, CallKind::kMalloc, caller);
  return block;
}

template <bool MayCallItself>
[[gnu::noinline]] void* record_calloc(std::size_t count, std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_one<MayCallItself>(caller, real.calloc, count, size);
  note_allocation(block, count * size, CallKind::kCalloc, caller);
  return block;
}

template <bool MayCallItself>
[[gnu::noinline]] void* record_realloc(void* block, std::size_t size) {
  return resize<MayCallItself>(real_functions(), block, size, capture_caller());
}

template <bool MayCallItself>
[[gnu::noinline]] void record_and_free(void* block) {
  const RealFunctions& real = real_functions();
  __builtin_prefetch(block);  // what the allocator will look at
  const Caller caller = capture_caller();
  note_free(block, caller);
  call_one<MayCallItself>(caller, real.free, block);
}

struct Functions {
  decltype(RealFunctions::malloc) malloc;
  decltype(RealFunctions::calloc) calloc;
  decltype(RealFunctions::realloc) realloc;
  decltype(RealFunctions::free) free;
};

template <bool MayCallItself>
constexpr Functions kRecording{record_malloc<MayCallItself>, record_calloc<MayCallItself>,
                               record_realloc<MayCallItself>, record_and_free<MayCallItself>};

// A thread that still has the way of before does what was right then. Each way is right by itself.
void set_ways(Ways& ways, const Functions& functions) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  ways.malloc.store(functions.malloc, kRelaxed);
  ways.calloc.store(functions.calloc, kRelaxed);
  ways.realloc.store(functions.realloc, kRelaxed);
  ways.free.store(functions.free, kRelaxed);
}

constexpr Ways first_ways() {
  constexpr const Functions& kFirst = kRecording<true>;  // right for all
  return {kFirst.malloc, kFirst.calloc, kFirst.realloc, kFirst.free};
}

}  // namespace

constinit Ways g_ways = first_ways();
constinit Ways g_sampled_ways = first_ways();

void set_coverage(Coverage coverage) {
  const RealFunctions& real = real_functions();
  const Functions passing{real.malloc, real.calloc, real.realloc, real.free};
  const Functions& recording = may_call_itself() ? kRecording<true> : kRecording<false>;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  set_ways(g_ways, coverage == Coverage::kNothing ? passing : recording);
  set_ways(g_sampled_ways, coverage == Coverage::kAll ? recording : passing);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

MINI_EXPORT_IN_ONE_LINE void* malloc(std::size_t size) {
  if (passes_sample(size)) [[likely]]
    return g_sampled_ways.malloc.load(std::memory_order_relaxed)(size);
  return g_ways.malloc.load(std::memory_order_relaxed)(size);
}

MINI_EXPORT_IN_ONE_LINE void* calloc(std::size_t nmemb, std::size_t size) {
  std::size_t bytes = 0;
  if (!overflows(nmemb, size, &bytes) && passes_sample(bytes)) [[likely]]
    return g_sampled_ways.calloc.load(std::memory_order_relaxed)(nmemb, size);
  return g_ways.calloc.load(std::memory_order_relaxed)(nmemb, size);
}

MINI_EXPORT_IN_ONE_LINE void free(void* ptr) {
  if (!may_be_sample(ptr)) [[likely]]
    return g_sampled_ways.free.load(std::memory_order_relaxed)(ptr);
  return g_ways.free.load(std::memory_order_relaxed)(ptr);
}

MINI_EXPORT_IN_ONE_LINE void* realloc(void* ptr, std::size_t size) {
  if (!may_be_sample(ptr) && passes_sample(size)) [[likely]]
    return g_sampled_ways.realloc.load(std::memory_order_relaxed)(ptr, size);
  return g_ways.realloc.load(std::memory_order_relaxed)(ptr, size);
}

MINI_EXPORT void* reallocarray(void* ptr, std::size_t nmemb, std::size_t size) {
  std::size_t bytes = 0;
  if (overflows(nmemb, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return may_call_itself() ? resize<true>(real_functions(), ptr, bytes, capture_caller())
                           : resize<false>(real_functions(), ptr, bytes, capture_caller());
}

MINI_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_real(caller, real.aligned_alloc, alignment, size);
  note_allocation(block, size, CallKind::kAligned, caller);
  return block;
}

MINI_EXPORT int posix_memalign(void** memptr, std::size_t alignment, std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  const int result = call_real(caller, real.posix_memalign, memptr, alignment, size);
  if (result == 0) note_allocation(*memptr, size, CallKind::kAligned, caller);
  return result;
}

MINI_EXPORT void* memalign(std::size_t alignment, std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_real(caller, real.memalign, alignment, size);
  note_allocation(block, size, CallKind::kAligned, caller);
  return block;
}

MINI_EXPORT void* valloc(std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_real(caller, real.valloc, size);
  note_allocation(block, size, CallKind::kAligned, caller);
  return block;
}

MINI_EXPORT void* pvalloc(std::size_t size) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  void* const block = call_real(caller, real.pvalloc, size);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  note_allocation(block, (size + page - 1) & ~(page - 1), CallKind::kAligned, caller);
  return block;
}

MINI_EXPORT void free_sized(void* block, std::size_t bytes) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  note_free(block, caller);
  real.free_sized != nullptr ? call_real(caller, real.free_sized, block, bytes)
                             : call_real(caller, real.free, block);
}

MINI_EXPORT void free_aligned_sized(void* block, std::size_t alignment, std::size_t bytes) {
  const RealFunctions& real = real_functions();
  const Caller caller = capture_caller();
  note_free(block, caller);
  real.free_aligned_sized != nullptr
      ? call_real(caller, real.free_aligned_sized, block, alignment, bytes)
      : call_real(caller, real.free, block);
}
