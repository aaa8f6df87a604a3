// On programs of the system.
#include "lab/measured_run.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mini::lab {
namespace {

TEST(MeasuredRunTest, TellsWhatAProgramTook) {
  const auto cost = measure({"true"}, {});
  ASSERT_TRUE(cost) << cost.error().message;
  EXPECT_GT(cost->elapsed_ns, 0U);
  EXPECT_GT(cost->page_faults, 0U);
  EXPECT_GE(cost->memory_calls, 5U) << "the loader's";
  EXPECT_GE(cost->break_calls, 1U);
  EXPECT_GT(cost->peak_resident, Bytes{100 << 10});
}

TEST(MeasuredRunTest, ThePeakIsTheProgramsOwn) {
  // Where a child is made by fork, the peak that wait4 tells is at least its parent's.
  std::vector<char> large(64 << 20, 'x');
  const auto cost = measure({"true"}, {});
  ASSERT_TRUE(cost) << cost.error().message;
  EXPECT_LT(cost->peak_resident, Bytes{large.size() / 2});
}

TEST(MeasuredRunTest, AProgramThatFailsIsNotMeasured) {
  const auto failed = measure({"false"}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "false: exit status 1");
  EXPECT_FALSE(measure({"/nowhere/no-such-command"}, {}));
}

}  // namespace
}  // namespace mini::lab
