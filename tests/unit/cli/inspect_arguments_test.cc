#include "cli/inspect_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using Words = std::vector<std::string>;
using testing::HasSubstr;

InspectArguments parsed(const Words& words) {
  const auto arguments = parse_inspect_arguments(words);
  EXPECT_TRUE(arguments.has_value()) << (arguments ? "" : arguments.error().message);
  return arguments.value_or(InspectArguments{});
}

std::string refusal(const Words& words) {
  const auto arguments = parse_inspect_arguments(words);
  return arguments ? "accepted" : arguments.error().message;
}

TEST(InspectArgumentsTest, ANumberIsAProcessAllElseACore) {
  EXPECT_EQ(parsed({"4711"}).pid, 4711);
  EXPECT_EQ(parsed({"core.4711"}).core, "core.4711");
  EXPECT_EQ(parsed({"./4711"}).core, "./4711");
  EXPECT_EQ(parsed({"--exe", "a.out", "core"}).executable, "a.out");
}

TEST(InspectArgumentsTest, ChunksByArenaSizeAndState) {
  const auto arguments =
      parsed({"--chunks", "--arena", "2", "--size", "64K-1M", "--free", "--top", "7", "1"});
  ASSERT_TRUE(arguments.chunks.has_value());
  EXPECT_EQ(arguments.chunks->arena, 2U);
  EXPECT_EQ(arguments.chunks->least_size, kKiB * 64);
  EXPECT_EQ(arguments.chunks->most_size, kMiB);
  EXPECT_TRUE(arguments.chunks->only_free);
  EXPECT_EQ(arguments.chunks->most, 7U);
  EXPECT_EQ(parsed({"--chunks", "--arena", "main", "1"}).chunks->arena, 0U);
  EXPECT_EQ(parsed({"--chunks", "--arena", "mmapped", "1"}).chunks->arena, model::kNoArena);
  EXPECT_EQ(parsed({"--chunks", "--size", "48", "1"}).chunks->most_size, Bytes{48});
  EXPECT_FALSE(parsed({"1"}).chunks.has_value());
}

TEST(InspectArgumentsTest, AddressesAreHexadecimal) {
  EXPECT_EQ(parsed({"--around", "0x10af", "1"}).around, Address{0x10af});
  EXPECT_EQ(parsed({"--around", "10AF", "1"}).around, Address{0x10af});
  EXPECT_THAT(refusal({"--around", "0x", "1"}), HasSubstr("hexadecimal"));
  EXPECT_THAT(refusal({"--around", "0x11112222333344445", "1"}), HasSubstr("hexadecimal"));
}

TEST(InspectArgumentsTest, RefusalsSayWhatToType) {
  EXPECT_THAT(refusal({}), HasSubstr("heapspy inspect PID"));
  EXPECT_THAT(refusal({"1", "2"}), HasSubstr("leave out '2'"));
  EXPECT_THAT(refusal({"0"}), HasSubstr("no process"));
  EXPECT_THAT(refusal({"--free", "1"}), HasSubstr("add --chunks"));
  EXPECT_THAT(refusal({"--chunks", "--free", "--live", "1"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--chunks", "--around", "1", "1"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--chunks", "--arena", "x", "1"}), HasSubstr("main, mmapped"));
  EXPECT_THAT(refusal({"--chunks", "--size", "2K-1K", "1"}), HasSubstr("smaller size first"));
  EXPECT_THAT(refusal({"--exe", "x", "1"}), HasSubstr("for a core"));
  EXPECT_THAT(refusal({"--no-stop", "core"}), HasSubstr("stands still"));
  EXPECT_THAT(refusal({"--top", "0", "1"}), HasSubstr("from 1 on"));
  EXPECT_THAT(refusal({"--color", "blue", "1"}), HasSubstr("--color"));
}

}  // namespace
}  // namespace mini::cli
