// speedscope's own format: https://www.speedscope.app/file-format-schema.json
//
// A file holds a profile for each measure; speedscope has a list to choose from.
#include <array>
#include <fmt/format.h>

#include "views/function_table.h"
#include "views/json_writer.h"
#include "views/report_export.h"
#include "views/report_text.h"

namespace mini::views {
namespace {

using explain::Measure;

struct SpeedscopeProfile {
  Measure measure;
  const char* unit;  // of the format: "none" is a number of something
};

constexpr std::array kProfiles = {
    SpeedscopeProfile{Measure::kPeak, "bytes"},      SpeedscopeProfile{Measure::kLeaked, "bytes"},
    SpeedscopeProfile{Measure::kAllocated, "bytes"}, SpeedscopeProfile{Measure::kCalls, "none"},
    SpeedscopeProfile{Measure::kTemporary, "none"},
};

/// Calls `visit` with each stack that has something of a measure, and how much.
template <typename Visit>
void for_each_sample(const model::HeapProfile& profile, Measure measure, const Visit& visit) {
  for (const model::StackProfile& stack : profile.stacks) {
    const std::uint64_t amount = explain::measure_of(stack.totals, measure);
    if (amount != 0) visit(stack, amount);
  }
}

void write_profile(Output& output, JsonWriter& json, FunctionTable& functions,
                   const model::HeapProfile& profile, const SpeedscopeProfile& kind) {
  std::uint64_t total = 0;
  json.begin_object();
  json.key("type")
      .string("sampled")
      .key("name")
      .string(measure_title(kind.measure, profile.ends_early()))
      .key("unit")
      .string(kind.unit);
  json.key("samples").begin_array();
  for_each_sample(profile, kind.measure, [&](const model::StackProfile& stack, std::uint64_t) {
    json.begin_array();
    for (const std::uint32_t number : functions_of_stack(functions, profile, stack.node)) {
      json.number(number);
    }
    json.end_array();
    output.end_record();
  });
  json.end_array().key("weights").begin_array();
  for_each_sample(profile, kind.measure, [&](const model::StackProfile&, std::uint64_t amount) {
    total += amount;
    json.number(amount);
    output.end_record();
  });
  json.end_array();
  json.key("startValue").number(0).key("endValue").number(total);
  json.end_object();
}

void write_frames(Output& output, JsonWriter& json, const FunctionTable& functions) {
  json.begin_array();
  for (const ExportedFunction& function : functions.functions()) {
    json.begin_object();
    json.key("name").string(function.name);
    if (!function.file.empty()) json.key("file").string(function.file);
    json.end_object();
    output.end_record();
  }
  json.end_array();
}

}  // namespace

void write_speedscope(Output& output, const model::HeapProfile& profile,
                      const ExportOptions& options) {
  FunctionTable functions;
  JsonWriter json(output.buffer());
  json.begin_object();
  json.key("$schema").string("https://www.speedscope.app/file-format-schema.json");
  json.key("exporter").string(fmt::format("heapspy {}", options.version));
  json.key("name").string(describe_process(profile));
  for (std::size_t i = 0; i < kProfiles.size(); ++i) {
    if (kProfiles[i].measure == options.measure) json.key("activeProfileIndex").number(i);
  }
  json.key("profiles").begin_array();
  for (const SpeedscopeProfile& kind : kProfiles) {
    write_profile(output, json, functions, profile, kind);
  }
  json.end_array();
  // Behind the samples, which say which functions there are.
  json.key("shared").begin_object().key("frames");
  write_frames(output, json, functions);
  json.end_object().end_object();
  output.write("\n");
  output.end_record();
}

}  // namespace mini::views
