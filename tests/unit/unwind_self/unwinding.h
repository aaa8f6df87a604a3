// What the tests of the in-process unwinder compare it with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "unwind/self/self_unwinder.h"

namespace mini::unwind::self {

/// ThreadSanitizer runs signal handlers later than the kernel does and knows nothing of coroutines.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kDelaysSignals = true;
#elif defined(__has_feature)
inline constexpr bool kDelaysSignals = __has_feature(thread_sanitizer);
#else
inline constexpr bool kDelaysSignals = false;
#endif

/// The process's table, refreshed once.
CodeTable& code();

/// The stack of whoever calls, the innermost first: by our unwinder, and by the C++ library's. The
/// first entry of both is the return address into the caller of the function that wrote
/// `Both::take()`; our chain was checked to be equal by a walk that began anew, and to be the one
/// that its key was of before, if there was one.
struct Both {
  std::vector<std::uintptr_t> ours;
  std::vector<std::uintptr_t> theirs;
  StackEnd end = StackEnd::kUnreadable;
  std::uint32_t unchanged_outer = 0;
  bool has_guess = false;
};

/// Takes both stacks of its caller's caller, again and again by the same unwinder.
class Taker {
 public:
  explicit Taker(std::uint32_t max_depth = SelfUnwinder::kDefaultMaxDepth);
  ~Taker();
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  /// Begins with the return address into the function that calls take().
  [[gnu::noinline]] Both take();
  /// The same without the other unwinder, for stacks that it cannot follow.
  [[gnu::noinline]] Both take_ours();

  /// From now on what has the key of a stack before is taken for that one, as a recorder does.
  void go_by_keys() { goes_by_keys_ = true; }

  const SelfUnwinder& unwinder() const { return *unwinder_; }
  /// How many stacks had the key of one before.
  std::size_t known_count() const { return known_count_; }

 private:
  Both both_from(const CallerRegisters& caller);
  Both ours_from(const CallerRegisters& caller);

  std::uint32_t max_depth_;
  std::unique_ptr<SelfUnwinder> unwinder_;
  std::unordered_map<std::uint64_t, Both> stacks_;  // by their keys
  bool goes_by_keys_ = false;
  std::size_t known_count_ = 0;
};

/// Fails the test unless both say the same, to the outermost frame.
void expect_same(const Both& both, const char* what);

}  // namespace mini::unwind::self
