// The forms of other tools: figures add up, references hold, and whatever bytes names have, the
// text is well-formed. tests/system opens each form in its own reader.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>
#include <zlib.h>

#include "../explain/sample_profile.h"
#include "base/utf8.h"
#include "explain/leak_suppressions.h"
#include "explain/profile_frames.h"
#include "sample_story.h"
#include "views/report_export.h"

namespace mini::views {
namespace {

using explain::hostile_profile;
using explain::Measure;
using explain::sample_profile;
using model::HeapProfile;
using nlohmann::json;

using Write = void (*)(Output&, const HeapProfile&, const ExportOptions&);

std::string written(Write write, const HeapProfile& profile, Measure measure = Measure::kPeak) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kBatched);
  write(output, profile, {.version = "1.2.3", .measure = measure});
  output.flush();
  return capture.text();
}

std::string folded(const HeapProfile& profile, Measure measure) {
  return written(write_folded_stacks, profile, measure);
}

TEST(ReportFoldedTest, HasALineForEachStack) {
  EXPECT_EQ(folded(sample_profile(), Measure::kPeak),
            "main;app::load(char const*);app::Cache::put(int) 100000000\n"
            "main;libz.so.1+0x2000 800000\n");
  EXPECT_EQ(folded(sample_profile(), Measure::kTemporary),
            "main;app::load(char const*);app::load_line(int);app::parse(std::string_view);"
            "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(int&&);"
            "operator new(unsigned long) 7390\n");
}

TEST(ReportFoldedTest, ANameBreaksNoLine) {
  EXPECT_EQ(std::ranges::count(folded(hostile_profile(), Measure::kPeak), '\n'), 2);
}

bool is_well_formed(const std::string& text) {
  return well_formed_utf8(text) == text;
}

TEST(ReportSpeedscopeTest, HasAProfileForEachMeasureThatAddsUp) {
  for (const HeapProfile& profile : {sample_profile(), hostile_profile()}) {
    const std::string text = written(write_speedscope, profile, Measure::kAllocated);
    EXPECT_TRUE(is_well_formed(text));
    const json file = json::parse(text);
    const std::uint64_t totals[] = {profile.totals.peak.bytes, profile.totals.live.bytes,
                                    profile.totals.allocated.bytes, profile.totals.allocated.blocks,
                                    profile.totals.temporary.blocks};
    ASSERT_EQ(file["profiles"].size(), std::size(totals));
    EXPECT_EQ(file["activeProfileIndex"], 2);
    for (std::size_t i = 0; i < std::size(totals); ++i) {
      const json& one = file["profiles"][i];
      EXPECT_EQ(one["endValue"], totals[i]);
      std::uint64_t sum = 0;
      for (const json& weight : one["weights"]) sum += weight.get<std::uint64_t>();
      EXPECT_EQ(sum, totals[i]);
      ASSERT_EQ(one["samples"].size(), one["weights"].size());
      for (const json& stack : one["samples"]) {
        EXPECT_FALSE(stack.empty());
        for (const json& frame : stack) EXPECT_LT(frame, file["shared"]["frames"].size());
      }
    }
  }
}

TEST(ReportSpeedscopeTest, StacksBeginWithTheOutermostFunction) {
  const json file = json::parse(written(write_speedscope, sample_profile()));
  const json& frames = file["shared"]["frames"];
  const json& stack = file["profiles"][0]["samples"][0];
  ASSERT_EQ(stack.size(), 3U);
  EXPECT_EQ(frames[stack[0].get<std::size_t>()],
            (json{{"name", "main"}, {"file", "/src/main.cc"}}));
  EXPECT_EQ(frames[stack[2].get<std::size_t>()]["name"], "app::Cache::put(int)");
}

TEST(ReportPerfettoTest, TheCounterReachesThePeakAndMarkersAreInstants) {
  HeapProfile profile = sample_profile();
  profile.timeline.buckets[5].last_live_bytes = profile.totals.peak.bytes;
  profile.markers = {{.time_ns = 1234, .thread = 2, .text = "loaded"}};
  const json events = json::parse(written(write_perfetto_trace, profile))["traceEvents"];
  std::uint64_t most = 0;
  std::set<std::string> names;
  for (const json& event : events) {
    if (event["name"] == "live") most = std::max(most, event["args"]["bytes"].get<std::uint64_t>());
    if (event["name"] == "thread_name") names.insert(event["args"]["name"]);
  }
  EXPECT_EQ(most, profile.totals.peak.bytes);
  EXPECT_EQ(names, (std::set<std::string>{"server", "worker"}));
  EXPECT_EQ(events.back(), (json{{"ph", "i"},
                                 {"name", "loaded"},
                                 {"pid", 4711},
                                 {"tid", 4712},
                                 {"ts", 1.234},
                                 {"s", "t"}}));
}

TEST(ReportPerfettoTest, HostileNamesAreWellFormed) {
  const std::string text = written(write_perfetto_trace, hostile_profile());
  EXPECT_TRUE(is_well_formed(text));
  EXPECT_EQ(json::parse(text)["traceEvents"].back()["name"], "\x01");
}

TEST(ReportFlameGraphTest, NamesAreText) {
  HeapProfile profile = sample_profile();
  profile.frames[2].lines[0].function = "</title><script>alert(1)</script>&\"\xff\x01";
  const std::string text = written(write_flame_graph, profile);
  EXPECT_TRUE(is_well_formed(text));
  EXPECT_EQ(text.find("<script>alert"), std::string::npos);
  EXPECT_NE(text.find("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;\\xff\\x01\n"
                      "95.4 MiB, 99.2%\n/src/load.cc, /usr/bin/server</title>"),
            std::string::npos)
      << text;
}

TEST(ReportFlameGraphTest, AnEmptyOneSaysSo) {
  HeapProfile profile = sample_profile();
  const char* const nothing = "there is nothing to draw";
  EXPECT_EQ(written(write_flame_graph, profile).find(nothing), std::string::npos);
  profile.stacks.clear();
  const std::string text = written(write_flame_graph, profile);
  EXPECT_NE(text.find(nothing), std::string::npos);
  EXPECT_EQ(text.find("Rest the pointer"), std::string::npos);
}

TEST(ReportFlameGraphTest, ANameIsNoWiderThanItsBox) {
  const std::string text = written(write_flame_graph, sample_profile());
  // 800,000 of 100,800,000 bytes are 9 of 1180 pixels: no letter fits.
  EXPECT_NE(text.find("libz.so.1+0x2000\n781.2 KiB, 0.8%"), std::string::npos) << text;
  EXPECT_EQ(text.find(">libz.so.1+0x2000</text>"), std::string::npos);
  EXPECT_NE(text.find(">main</text>"), std::string::npos);
}

// A decoder of as much of protocol buffers as there is in a profile.
struct Field {
  std::uint64_t number = 0;  // of a field that is one
  std::string bytes = {};    // of one that is not
};
using Fields = std::map<std::uint64_t, std::vector<Field>>;

std::uint64_t take_varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

Fields decoded(std::string_view in) {
  Fields fields;
  while (!in.empty()) {
    const std::uint64_t key = take_varint(in);
    Field field{.number = take_varint(in)};
    if ((key & 7U) == 2) {
      field.bytes = in.substr(0, field.number);
      in.remove_prefix(std::min<std::size_t>(field.number, in.size()));
    } else {
      EXPECT_EQ(key & 7U, 0U);
    }
    fields[key >> 3U].push_back(field);
  }
  return fields;
}

std::vector<std::uint64_t> packed(const Field& field) {
  std::vector<std::uint64_t> numbers;
  for (std::string_view in = field.bytes; !in.empty();) numbers.push_back(take_varint(in));
  return numbers;
}

std::string unzipped(const std::string& file) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string in = file;
  std::string out(std::size_t{64} << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::set<std::uint64_t> ids(const std::vector<Field>& messages) {
  std::set<std::uint64_t> found;
  for (const Field& message : messages) found.insert(decoded(message.bytes)[1].at(0).number);
  EXPECT_EQ(found.size(), messages.size());
  EXPECT_FALSE(found.contains(0));
  return found;
}

TEST(ReportPprofTest, FiguresAddUpAndReferencesHold) {
  for (const HeapProfile& profile : {sample_profile(), hostile_profile()}) {
    Fields file = decoded(unzipped(written(write_pprof, profile, Measure::kLeaked)));
    const std::vector<Field>& strings = file[6];
    EXPECT_EQ(strings.at(0).bytes, "");
    for (const Field& text : strings) EXPECT_TRUE(is_well_formed(text.bytes));
    EXPECT_EQ(strings.at(file[14].at(0).number).bytes, "leaked");
    const auto locations = ids(file[4]);
    const auto functions = ids(file[5]);
    const auto mappings = ids(file[3]);
    std::array<std::uint64_t, 8> sums{};
    for (const Field& sample : file[2]) {
      Fields fields = decoded(sample.bytes);
      EXPECT_LE(packed(fields[1].at(0)).size(), explain::kMostFrames);
      for (const std::uint64_t id : packed(fields[1].at(0))) EXPECT_TRUE(locations.contains(id));
      const auto values = packed(fields[2].at(0));
      ASSERT_EQ(values.size(), sums.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
    }
    const model::BlockTotals& totals = profile.totals;
    EXPECT_EQ(sums, (std::array{totals.allocated.blocks, totals.allocated.bytes, totals.peak.blocks,
                                totals.peak.bytes, totals.live.blocks, totals.live.bytes,
                                totals.temporary.blocks, totals.temporary.bytes}));
    for (const Field& location : file[4]) {
      Fields fields = decoded(location.bytes);
      for (const Field& mapping : fields[2]) EXPECT_TRUE(mappings.contains(mapping.number));
      for (const Field& line : fields[4]) {
        EXPECT_TRUE(functions.contains(decoded(line.bytes)[1].at(0).number));
      }
    }
  }
}

TEST(ReportPprofTest, WhatIsSuppressedIsNotLeaked) {
  HeapProfile profile = sample_profile();
  const auto leaked_of = [&] {
    std::uint64_t sum = 0;
    Fields file = decoded(unzipped(written(write_pprof, profile)));
    for (const Field& sample : file[2]) sum += packed(decoded(sample.bytes)[2].at(0)).at(5);
    return sum;
  };
  EXPECT_EQ(leaked_of(), profile.totals.live.bytes);
  explain::suppress_leaks(profile,
                          {{.pattern = "Cache::put", .line = 1, .stacks = 0, .matched = {}}});
  EXPECT_EQ(leaked_of(), 0U);
}

TEST(ReportPprofTest, TheFirstMappingIsTheProgram) {
  HeapProfile profile = sample_profile();
  profile.process.executable = profile.modules[2].path;
  Fields file = decoded(unzipped(written(write_pprof, profile)));
  ASSERT_GT(file[3].size(), 1U);
  Fields first = decoded(file[3].at(0).bytes);
  EXPECT_EQ(file[6].at(first[5].at(0).number).bytes, "/usr/lib/libz.so.1");
}

TEST(ReportPprofTest, NamesThatBeginInBracketsAreNotShortened) {
  HeapProfile profile = sample_profile();
  for (const std::string name : {"<app::Name as core::clone::Clone>::clone",
                                 "app::(anonymous namespace)::load()", "app::parse<int>(char)"}) {
    for (model::ProfileFrame& frame : profile.frames) {
      for (model::SourceLine& line : frame.lines) line.function = name;
    }
    Fields file = decoded(unzipped(written(write_pprof, profile)));
    bool is_there = false;
    for (const Field& function : file[5]) {
      Fields fields = decoded(function.bytes);
      if (file[6].at(fields[2].at(0).number).bytes != name) continue;
      is_there = true;
      EXPECT_EQ(fields[3].empty(), name != "app::parse<int>(char)") << name;
    }
    EXPECT_TRUE(is_there) << name;
  }
}

TEST(ReportPprofTest, InlinedFunctionsAreLinesOfOneLocation) {
  Fields file = decoded(unzipped(written(write_pprof, sample_profile())));
  const auto name_of = [&file](const Field& line) {
    const std::uint64_t id = decoded(line.bytes)[1].at(0).number;
    for (const Field& function : file[5]) {
      Fields fields = decoded(function.bytes);
      if (fields[1].at(0).number == id) return file[6].at(fields[2].at(0).number).bytes;
    }
    return std::string("none");
  };
  std::vector<std::string> names;
  for (const Field& location : file[4]) {
    Fields fields = decoded(location.bytes);
    if (fields[3].at(0).number != 0x1200) continue;
    for (const Field& line : fields[4]) names.push_back(name_of(line));
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"app::parse(std::string_view)", "app::load_line(int)"}));
}

}  // namespace
}  // namespace mini::views
