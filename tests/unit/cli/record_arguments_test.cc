#include "cli/record_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

std::string error_of(const Words& words) {
  const auto parsed = parse_record_arguments(words);
  EXPECT_FALSE(parsed);
  return parsed ? "" : parsed.error().message;
}

TEST(RecordArgumentsTest, TheCommandBeginsAtTheFirstWordThatIsNoOption) {
  const auto arguments = parse_record_arguments(Words{"-o", "x.heapspy", "-q", "ls", "-o", "-q"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->output_path, "x.heapspy");
  EXPECT_TRUE(arguments->quiet);
  EXPECT_THAT(arguments->command, ElementsAre("ls", "-o", "-q"));
}

TEST(RecordArgumentsTest, HasDefaults) {
  const auto arguments = parse_record_arguments(Words{"ls"});
  ASSERT_TRUE(arguments);
  EXPECT_FALSE(arguments->output_path);
  EXPECT_EQ(arguments->most_frames, 256U);
  EXPECT_FALSE(arguments->free_stacks);
  EXPECT_FALSE(arguments->finds_leaks);
  EXPECT_EQ(arguments->overflow, wire::Overflow::kWait);
}

TEST(RecordArgumentsTest, KnowsWhatToDoOnOverflow) {
  EXPECT_EQ(parse_record_arguments(Words{"--on-overflow", "drop", "ls"})->overflow,
            wire::Overflow::kDrop);
  EXPECT_EQ(parse_record_arguments(Words{"--on-overflow", "wait", "ls"})->overflow,
            wire::Overflow::kWait);
  EXPECT_THAT(error_of({"--on-overflow", "x", "ls"}), HasSubstr("wait or drop"));
}

TEST(RecordArgumentsTest, AValueThatIsEmptyIsNoneThatIsLeftOut) {
  for (const char* option :
       {"--sample", "--duration", "--on-overflow", "--output", "--agent", "--max-frames"}) {
    EXPECT_THAT(error_of({option, "", "-p", "1"}), HasSubstr(option));
  }
  EXPECT_EQ(error_of({"--sample", "", "ls"}),
            "--sample '' is empty: type a value, or leave out --sample");
  EXPECT_THAT(error_of({"-o", "", "ls"}), HasSubstr("--output ''"));
  EXPECT_THAT(error_of({"-o", "-", "ls"}), HasSubstr("the name of a file"));
}

TEST(RecordArgumentsTest, BoundsTheDepthOfStacks) {
  EXPECT_EQ(parse_record_arguments(Words{"--max-frames", "16384", "ls"})->most_frames, 16384U);
  EXPECT_THAT(error_of({"--max-frames", "0", "ls"}), HasSubstr("from 1 to 16384"));
  EXPECT_THAT(error_of({"--max-frames", "16385", "ls"}), HasSubstr("from 1 to 16384"));
}

TEST(RecordArgumentsTest, SaysWhatToType) {
  EXPECT_THAT(error_of({}), HasSubstr("heapspy record ls"));
  EXPECT_THAT(error_of({"--nothing", "ls"}), HasSubstr("--nothing"));
}

TEST(RecordArgumentsTest, AProcessIsInThePlaceOfACommand) {
  const auto arguments = parse_record_arguments(Words{"-p", "1234", "--duration", "1.5s"});
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->process, 1234);
  EXPECT_EQ(arguments->duration_ns, 1'500'000'000U);
  EXPECT_THAT(error_of({"-p", "1234", "ls"}), HasSubstr("one of them"));
  EXPECT_THAT(error_of({"-p", "0"}), HasSubstr("number of a process"));
  EXPECT_THAT(error_of({"-p", "x"}), HasSubstr("--pid"));
  EXPECT_THAT(error_of({"--duration", "1s", "ls"}), HasSubstr("--pid"));
  EXPECT_THAT(error_of({"-p", "1", "--duration", "long"}), HasSubstr("--duration long"));
  EXPECT_THAT(error_of({"-p", "1", "--duration", "0"}), HasSubstr("longer than 0"));
}

TEST(RecordArgumentsTest, SamplesEverySoManyBytes) {
  EXPECT_EQ(parse_record_arguments(Words{"ls"})->sample, Bytes{});
  EXPECT_EQ(parse_record_arguments(Words{"--sample", "512K", "ls"})->sample, kKiB * 512);
  EXPECT_THAT(error_of({"--sample", "much", "ls"}), HasSubstr("--sample much"));
  EXPECT_THAT(error_of({"--sample", "1", "ls"}), HasSubstr("from 256 B to 1 GiB"));
  EXPECT_THAT(error_of({"--sample", "2G", "ls"}), HasSubstr("from 256 B to 1 GiB"));
  EXPECT_THAT(error_of({"--sample", "1M", "--leaks", "ls"}), HasSubstr("one of them"));
}

TEST(RecordArgumentsTest, HelpNeedsNoCommand) {
  EXPECT_TRUE(parse_record_arguments(Words{"--help"})->help);
}

}  // namespace
}  // namespace mini::cli
