#include "unwinding.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <mutex>
#include <unwind.h>

namespace mini::unwind::self {
namespace {

constinit CodeTable g_code;

// ThreadSanitizer does not see memory go back to the kernel and come again to another thread. The
// lock says in which order that was.
std::mutex g_mapping;

void start(SelfUnwinder& unwinder, std::uint32_t max_depth) {
  const std::scoped_lock locked(g_mapping);
  EXPECT_TRUE(unwinder.start(code(), max_depth));
}

void stop(SelfUnwinder& unwinder) {
  const std::scoped_lock locked(g_mapping);
  unwinder.stop();
}

struct Backtrace {
  std::vector<std::uintptr_t> pcs;
};

_Unwind_Reason_Code take_one(_Unwind_Context* context, void* argument) {
  int is_exact = 0;
  const std::uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);
  // Our convention for interrupted instructions.
  if (pc != 0) static_cast<Backtrace*>(argument)->pcs.push_back(is_exact != 0 ? pc + 1 : pc);
  return _URC_NO_REASON;
}

std::vector<std::uintptr_t> innermost_first(const Chain& chain) {
  std::vector<std::uintptr_t> pcs(chain.pcs, chain.pcs + chain.count);
  std::reverse(pcs.begin(), pcs.end());
  return pcs;
}

}  // namespace

CodeTable& code() {
  static const bool refreshed = (g_code.refresh(), true);
  static_cast<void>(refreshed);
  return g_code;
}

Taker::Taker(std::uint32_t max_depth)
    : max_depth_(max_depth), unwinder_(std::make_unique<SelfUnwinder>()) {
  start(*unwinder_, max_depth);
}

Taker::~Taker() {
  stop(*unwinder_);
}

Both Taker::ours_from(const CallerRegisters& caller) {
  std::uint64_t key = 0;
  const bool has_key = unwinder_->find_key(caller, &key);
  const auto known = has_key ? stacks_.find(key) : stacks_.end();
  if (known != stacks_.end()) {
    ++known_count_;
    if (goes_by_keys_) return known->second;
  }
  Both both;
  const Chain chain = unwinder_->unwind(caller);
  both.ours = innermost_first(chain);
  both.end = chain.end;
  both.unchanged_outer = chain.unchanged_outer;
  both.has_guess = chain.has_guess;
  if (known != stacks_.end()) {
    EXPECT_EQ(both.ours, known->second.ours);
  }
  if (chain.end != StackEnd::kUnreadable) stacks_[unwinder_->key()] = both;
  return both;
}

Both Taker::both_from(const CallerRegisters& caller) {
  Both both = ours_from(caller);
  const auto fresh = std::make_unique<SelfUnwinder>();
  start(*fresh, max_depth_);
  const Chain anew = fresh->unwind(caller);
  EXPECT_EQ(both.ours, innermost_first(anew));
  EXPECT_EQ(both.end, anew.end);
  EXPECT_EQ(both.has_guess, anew.has_guess);
  stop(*fresh);
  return both;
}

Both Taker::take() {
  const CallerRegisters caller = capture_caller();
  Both both = both_from(caller);
  Backtrace backtrace;
  _Unwind_Backtrace(&take_one, &backtrace);
  const auto begin = std::find(backtrace.pcs.begin(), backtrace.pcs.end(), caller.return_address);
  both.theirs.assign(begin, backtrace.pcs.end());
  return both;
}

Both Taker::take_ours() {
  return both_from(capture_caller());
}

void expect_same(const Both& both, const char* what) {
  EXPECT_EQ(both.ours, both.theirs) << what;
  EXPECT_EQ(both.end, StackEnd::kComplete) << what;
  EXPECT_FALSE(both.has_guess) << what;
  EXPECT_GT(both.ours.size(), 3U) << what;
}

}  // namespace mini::unwind::self
