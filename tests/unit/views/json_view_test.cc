// Every line parses, and docs/trace-format.md and the output name the same fields.
#include "views/json_view.h"

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sample_story.h"

namespace mini::views {
namespace {

using nlohmann::json;
using Fields = std::map<std::string, std::set<std::string>>;  // by object kind

std::vector<json> written(const SampleStory& story) {
  Capture capture;
  Output output(capture.fd(), Output::Flush::kBatched);
  TraceHeader header;
  header.version = "0.1.0";
  header.command = {"./heap_spy", "\xff"};
  JsonTraceView view(output, header);
  view.on_notice("no seccomp here");
  play_into(story, view);
  std::vector<json> lines;
  std::istringstream text(capture.text());
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

void collect(const std::string& kind, const json& object, Fields& fields) {
  for (const auto& [name, value] : object.items()) fields[kind].insert(name);
}

/// The fields of every object that the samples make, by the headings of the document.
Fields emitted_fields() {
  Fields fields;
  for (const auto& story : {heap_spy_story(), family_story(), hostile_story()}) {
    for (const json& line : written(story)) {
      const std::string type = line["type"];
      const bool is_event = line.contains("sequence");
      collect(is_event ? "event" : type, line, fields);
      if (is_event) {
        if (line["frames"].is_array()) {
          for (const json& frame : line["frames"]) collect("frame", frame, fields);
        }
        if (line["mapping"].is_object()) {
          collect("mapping", line["mapping"], fields);
          for (const json& part : line["mapping"]["parts"]) collect("mapping part", part, fields);
        }
        if (line["malloc"].is_object()) collect("malloc", line["malloc"], fields);
      }
      if (type != "ledger") continue;
      collect("sums", line["total"], fields);
      for (const json& row : line["total"]["by_cause"]) collect("cause row", row, fields);
      collect("change without a call", line["total"]["without_call"], fields);
      for (const json& row : line["total"]["by_phase"]) collect("phase row", row, fields);
      for (const json& process : line["processes"]) {
        collect("ledger process", process, fields);
        for (const json& band : process["layout"]) collect("band", band, fields);
      }
    }
  }
  return fields;
}

/// "### frame" headings, each followed by a table whose first cells are `field` names.
Fields documented_fields() {
  std::ifstream file(std::string(MINI_DOCS_DIR) + "/trace-format.md");
  EXPECT_TRUE(file);
  Fields fields;
  std::string kind;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### ")) kind = line.substr(4);
    if (!line.starts_with("| `") || kind.empty()) continue;
    fields[kind].insert(line.substr(3, line.find('`', 3) - 3));
  }
  return fields;
}

TEST(JsonViewTest, EmittedAndDocumentedFieldsAreTheSame) {
  const Fields emitted = emitted_fields();
  const Fields documented = documented_fields();
  for (const auto& [kind, names] : emitted) {
    EXPECT_TRUE(documented.contains(kind)) << kind;
    if (documented.contains(kind)) {
      EXPECT_EQ(names, documented.at(kind)) << kind;
    }
  }
  EXPECT_EQ(emitted.size(), documented.size());
}

TEST(JsonViewTest, TheFirstLineIsTheHeaderAndTheLastTheLedger) {
  const auto lines = written(heap_spy_story());
  EXPECT_EQ(lines.front()["type"], "header");
  EXPECT_EQ(lines.front()["schema"], 1);
  EXPECT_EQ(lines.front()["command"], json::array({"./heap_spy", "\uFFFD"}));
  EXPECT_EQ(lines.back()["type"], "ledger");
}

TEST(JsonViewTest, AGrowthOfTheHeapSaysEverythingThatIsKnown) {
  const auto lines = written(heap_spy_story());
  const auto at = std::find_if(lines.begin(), lines.end(), [](const json& line) {
    return line["type"] == "syscall" && line["cause"] == "malloc";
  });
  ASSERT_NE(at, lines.end());
  const json& brk = *at;
  EXPECT_EQ(brk["syscall"], "brk");
  EXPECT_EQ(brk["args"], (json{{"addr", "0x55555557a000"}}));
  EXPECT_EQ(brk["result"], "0x55555557a000");
  EXPECT_EQ(brk["errno"], nullptr);
  EXPECT_EQ(brk["phase"], "program");
  EXPECT_EQ(brk["cause_detail"], "stdio buffer");
  EXPECT_EQ(brk["heap_bytes"], 0x21000);
  EXPECT_EQ(brk["break_before"], "0x555555559000");
  EXPECT_EQ(brk["frames"].size(), 6U);
  EXPECT_EQ(brk["frames"][brk["origin_frame"].get<std::size_t>()]["function"], "main");
  EXPECT_EQ(brk["malloc"]["chunk_bytes"], 1040);
}

TEST(JsonViewTest, AFailedCallHasResultMinusOneAndItsErrno) {
  const auto lines = written(heap_spy_story());
  const auto at = std::find_if(lines.begin(), lines.end(), [](const json& line) {
    return line["type"] == "syscall" && line["errno"].is_string();
  });
  ASSERT_NE(at, lines.end());
  EXPECT_EQ((*at)["errno"], "ENOMEM");
  EXPECT_EQ((*at)["result"], -1);
  EXPECT_EQ((*at)["args"]["length"], 0x400000000000);
  EXPECT_EQ((*at)["args"]["flags"], "MAP_PRIVATE|MAP_ANONYMOUS");
  EXPECT_EQ((*at)["args"]["fd"], -1);
}

TEST(JsonViewTest, WhatAFilterHidesIsCountedAndAbsent) {
  const auto lines = written(family_story());
  EXPECT_EQ(lines.back()["hidden_events"], 1);
  for (const json& line : lines) {
    EXPECT_NE(line.value("syscall", json("")), "madvise");
  }
}

}  // namespace
}  // namespace mini::views
