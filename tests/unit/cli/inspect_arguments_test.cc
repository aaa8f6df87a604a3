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
  EXPECT_EQ(parsed({"--chunks", "--top", "all", "1"}).chunks->most, SIZE_MAX);
  EXPECT_EQ(parsed({"--chunks", "1"}).chunks->most, 100U);
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
  EXPECT_EQ(refusal({""}), "'' is empty: type the name of a file");
  EXPECT_THAT(refusal({"--exe", "", "core"}), HasSubstr("--exe ''"));
  EXPECT_THAT(refusal({"--recording", "", "1"}), HasSubstr("--recording ''"));
  EXPECT_THAT(refusal({"--color", "", "1"}), HasSubstr("--color ''"));
  EXPECT_THAT(refusal({"1", "2"}), HasSubstr("leave out '2'"));
  EXPECT_THAT(refusal({"0"}), HasSubstr("no process"));
  EXPECT_THAT(refusal({"--free", "1"}), HasSubstr("add --chunks"));
  EXPECT_THAT(refusal({"--chunks", "--free", "--live", "1"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--chunks", "--around", "1", "1"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--chunks", "--arena", "x", "1"}), HasSubstr("main, mmapped"));
  EXPECT_THAT(refusal({"--chunks", "--arena", "4294967295", "1"}), HasSubstr("main, mmapped"));
  EXPECT_THAT(refusal({"--chunks", "--size", "2K-1K", "1"}), HasSubstr("smaller size first"));
  EXPECT_THAT(refusal({"--exe", "x", "1"}), HasSubstr("for a core"));
  EXPECT_THAT(refusal({"--no-stop", "core"}), HasSubstr("stands still"));
  EXPECT_THAT(refusal({"--max-pause", "5", "core"}), HasSubstr("stands still"));
  EXPECT_THAT(refusal({"--max-pause", "5", "--no-stop", "7"}), HasSubstr("choose one"));
  EXPECT_THAT(refusal({"--max-pause", "0", "7"}), HasSubstr("milliseconds"));
  EXPECT_THAT(refusal({"--max-copy", "1G", "core"}), HasSubstr("stands still"));
  EXPECT_THAT(refusal({"--max-copy", "much", "7"}), HasSubstr("--max-copy"));
  EXPECT_THAT(refusal({"--max-copy", "1G", "--leaks", "7"}), HasSubstr("leave out"));
  EXPECT_THAT(refusal({"--max-copy", "1G", "--no-stop", "7"}), HasSubstr("leave out"));
  EXPECT_THAT(refusal({"--top", "0", "1"}), HasSubstr("from 1 on, or all"));
  EXPECT_THAT(refusal({"--top", "few", "1"}), HasSubstr("from 1 on, or all"));
  EXPECT_THAT(refusal({"--color", "blue", "1"}), HasSubstr("--color"));
  EXPECT_EQ(refusal({"--leaks=no", "1"}), "--leaks takes no value: leave out '=no'");
  EXPECT_EQ(refusal({"--json=", "1"}), "--json takes no value: leave out '='");
}

TEST(InspectArgumentsTest, SearchesDrawingsAndTrials) {
  const auto arguments = parsed({"--leaks", "--map", "--range", "0x1000-2000", "1"});
  EXPECT_TRUE(arguments.extras.leaks);
  EXPECT_TRUE(arguments.extras.map);
  EXPECT_EQ(arguments.extras.range, (AddressRange{Address{0x1000}, Address{0x2000}}));
  EXPECT_EQ(parsed({"-o", "-", "1"}).output_path, std::nullopt);
  EXPECT_EQ(parsed({"--watch", "2s", "1"}).extras.watch_ns, 2'000'000'000U);
  EXPECT_TRUE(parsed({"--try-trim", "1"}).extras.try_trim);
  EXPECT_EQ(parsed({"--recording", "a.heapspy", "1"}).extras.recording, "a.heapspy");
}

TEST(InspectArgumentsTest, RefusesWhatDoesNotGoTogether) {
  EXPECT_THAT(refusal({"--leaks", "--no-stop", "1"}), HasSubstr("--no-stop"));
  EXPECT_THAT(refusal({"--leaks", "--chunks", "1"}), HasSubstr("--chunks"));
  EXPECT_THAT(refusal({"--map", "--around", "0x10", "1"}), HasSubstr("--around"));
  EXPECT_THAT(refusal({"--range", "0x1-0x2", "1"}), HasSubstr("add --map"));
  EXPECT_THAT(refusal({"--map", "--range", "0x2-0x1", "1"}), HasSubstr("lower one first"));
  EXPECT_THAT(refusal({"--map", "--range", "0x2", "1"}), HasSubstr("two addresses"));
  EXPECT_THAT(refusal({"--watch", "1ms", "1"}), HasSubstr("100ms"));
  EXPECT_THAT(refusal({"--watch", "soon", "1"}), HasSubstr("--watch"));
  EXPECT_THAT(refusal({"--watch", "1s", "--try-trim", "1"}), HasSubstr("--try-trim"));
  EXPECT_THAT(refusal({"--watch", "1s", "core"}), HasSubstr("core"));
  EXPECT_THAT(refusal({"--try-trim", "core"}), HasSubstr("core"));
}

TEST(InspectArgumentsTest, ANumberWithASignIsNotTakenForAnother) {
  EXPECT_NE(refusal({"--max-pause", "-5", "1"}).find("--max-pause does not take"),
            std::string::npos);
  EXPECT_NE(refusal({"--chunks", "--size", "-5", "1"}).find("'-5' is not a size"),
            std::string::npos);
}

}  // namespace
}  // namespace mini::cli
