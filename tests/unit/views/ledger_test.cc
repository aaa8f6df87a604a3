#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "views/terminal_ledger.h"

namespace mini::views {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A program whose malloc has moved the break up so far, and which has so much of it now.
std::string ledger_of(Bytes grown, Bytes now, std::size_t processes = 1) {
  TraceSummary summary;
  summary.processes.resize(processes);
  model::LedgerRow& malloc =
      summary.total.by_cause.at(static_cast<std::size_t>(model::Cause::kMalloc));
  malloc.break_moves_count = 2;
  malloc.break_moved_bytes = static_cast<std::int64_t>(now.count);
  summary.total.heap_now = now;
  summary.total.peak_heap = grown;
  std::string text;
  write_ledger(text, TextStyle{}, summary);
  return text;
}

TEST(LedgerTest, AHeapThatOnlyGrewIsSaidToBeAsHighAsEver) {
  EXPECT_THAT(ledger_of(kMiB * 9, kMiB * 9),
              HasSubstr("  It is as high as it ever was: only what"));
  EXPECT_THAT(ledger_of(kMiB * 9, kMiB * 8), Not(HasSubstr("as high as")));
  EXPECT_THAT(ledger_of(kKiB * 132, kKiB * 132), Not(HasSubstr("as high as"))) << "a first growth";
  EXPECT_THAT(ledger_of(kMiB * 9, kMiB * 9, 2), Not(HasSubstr("as high as")))
      << "of no one process";
}

}  // namespace
}  // namespace mini::views
