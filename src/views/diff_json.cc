#include <algorithm>

#include "views/diff_view.h"
#include "views/json_writer.h"
#include "views/report_json_parts.h"

namespace mini::views {
namespace {

using explain::BeforeAndAfter;
using explain::Measure;
using explain::ProfileDiff;
using model::BlockTotals;

void write_amounts(JsonWriter& json, const BlockTotals& totals) {
  json.begin_object();
  json.key("allocations").number(totals.allocated.blocks);
  json.key("allocated_bytes").number(totals.allocated.bytes);
  json.key("peak_live_blocks").number(totals.peak.blocks);
  json.key("peak_live_bytes").number(totals.peak.bytes);
  json.key("live_at_exit_blocks").number(totals.live.blocks);
  json.key("live_at_exit_bytes").number(totals.live.bytes);
  json.key("temporary_allocations").number(totals.temporary.blocks);
  json.key("temporary_bytes").number(totals.temporary.bytes);
  json.end_object();
}

void write_recording(JsonWriter& json, std::string_view file, const model::HeapProfile& profile) {
  json.begin_object();
  json.key("file").string(file);
  write_process(json, profile);
  json.key("duration_ns").number(profile.duration_ns);
  json.key("is_estimate").boolean(profile.is_estimate);
  write_losses(json, profile);
  json.end_object();
}

void write_both(JsonWriter& json, const BeforeAndAfter& both) {
  json.key("before");
  write_amounts(json, both.before);
  json.key("after");
  write_amounts(json, both.after);
}

void write_stacks(Output& output, JsonWriter& json, const ProfileDiff& diff,
                  const DiffJsonOptions& options) {
  json.key("stacks").begin_array();
  for (const auto& [stack, merged] : explain::list_differences(diff, options.measure, kDiffMeasures,
                                                               explain::list_limits(options.top))) {
    json.begin_object();
    json.key("is_before").boolean(stack.is_before).key("is_after").boolean(stack.is_after);
    write_both(json, stack);
    const explain::LatestStack latest = explain::latest(diff, stack);
    write_listed_frames(json, *latest.profile, latest.node, merged);
    json.end_object();
    output.end_record();
  }
  json.end_array();
}

void write_groups(JsonWriter& json, const ProfileDiff& diff, const DiffJsonOptions& options) {
  json.key("groups").begin_array();
  if (options.by) {
    std::vector<explain::GroupDiff> groups =
        explain::diff_groups(diff, *options.by, options.measure);
    if (options.top) groups.resize(std::min(groups.size(), *options.top));
    for (const explain::GroupDiff& group : groups) {
      json.begin_object();
      json.key("name").string(group.name);
      write_both(json, group);
      json.end_object();
    }
  }
  json.end_array();
}

}  // namespace

void write_diff_json(Output& output, const ProfileDiff& diff,
                     std::span<const explain::Finding> findings, const DiffJsonOptions& options) {
  JsonWriter json(output.buffer());
  json.begin_object();
  json.key("type").string("diff").key("schema").number(1);
  json.key("heapspy").string(options.version);
  json.key("recordings").begin_object();
  json.key("before");
  write_recording(json, options.before_file, *diff.before);
  json.key("after");
  write_recording(json, options.after_file, *diff.after);
  json.end_object();
  json.key("measure").string(explain::measure_name(options.measure));
  json.key("by").string_or_null(options.by ? explain::grouping_name(*options.by) : "");
  json.key("totals").begin_object();
  write_both(json, explain::totals_of(diff));
  json.end_object();
  write_findings(json, findings);
  write_stacks(output, json, diff, options);
  write_groups(json, diff, options);
  json.end_object();
  output.write("\n");
  output.end_record();
}

}  // namespace mini::views
