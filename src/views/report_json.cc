#include <algorithm>

#include "explain/profile_frames.h"
#include "views/json_writer.h"
#include "views/report_export.h"

namespace mini::views {
namespace {

using explain::Measure;
using model::Amount;
using model::BlockTotals;
using model::HeapProfile;

void write_process(JsonWriter& json, const HeapProfile& profile) {
  static constexpr std::string_view kEndings[] = {"unknown", "exited", "killed", "exec",
                                                  "detached"};
  const model::ProfileProcess& process = profile.process;
  json.key("process").begin_object();
  json.key("pid").number(process.pid);
  json.key("executable").string_or_null(process.executable);
  json.key("command").begin_array();
  for (const std::string& word : process.command) json.string(word);
  json.end_array();
  json.key("started_unix_ns").number(process.start_unix_ns);
  json.key("sample_bytes").number(process.sample_bytes);
  json.key("ending").string(kEndings[static_cast<std::size_t>(profile.ending.kind)]);
  const auto status_of = [&](model::ProfileEnding::Kind kind) -> JsonWriter& {
    return profile.ending.kind == kind ? json.number(profile.ending.status) : json.null();
  };
  json.key("exit_status");
  status_of(model::ProfileEnding::Kind::kExited);
  json.key("signal");
  status_of(model::ProfileEnding::Kind::kKilled);
  json.end_object();
}

void write_totals(JsonWriter& json, const HeapProfile& profile) {
  const BlockTotals& totals = profile.totals;
  const bool has_kernel = profile.kernel.samples != 0;
  json.key("totals").begin_object();
  json.key("allocations").number(totals.allocated.blocks);
  json.key("frees").number(totals.freed.blocks + profile.losses.frees_not_seen);
  json.key("allocated_bytes").number(totals.allocated.bytes);
  json.key("freed_blocks").number(totals.freed.blocks);
  json.key("freed_bytes").number(totals.freed.bytes);
  json.key("temporary_allocations").number(totals.temporary.blocks);
  json.key("temporary_bytes").number(totals.temporary.bytes);
  json.key("reallocations").number(totals.resized);
  json.key("peak_live_bytes").number(totals.peak.bytes);
  json.key("peak_live_blocks").number(totals.peak.blocks);
  json.key("peak_time_ns").number(profile.peak_time_ns);
  json.key("live_at_exit_bytes").number(totals.live.bytes);
  json.key("live_at_exit_blocks").number(totals.live.blocks);
  const auto kernel = [&](const char* name, Bytes bytes) {
    json.key(name).bytes_or_null(has_kernel ? std::optional(bytes) : std::nullopt);
  };
  kernel("peak_rss_bytes", profile.kernel.peak_resident);
  kernel("last_rss_bytes", profile.kernel.last_resident);
  kernel("agent_rss_bytes", profile.kernel.agent_resident);
  json.key("recorded_allocations").number(profile.allocation_events);
  json.key("recorded_frees").number(profile.free_events);
  json.key("dropped_events").number(profile.losses.dropped_events);
  json.end_object();
}

void write_losses(JsonWriter& json, const HeapProfile& profile) {
  const model::ProfileLosses& losses = profile.losses;
  json.key("losses").begin_object();
  json.key("is_cut").boolean(losses.is_cut);
  json.key("skipped_file_blocks").number(losses.skipped_blocks);
  json.key("skipped_file_bytes").number(losses.skipped_bytes);
  json.key("dropped_events").number(losses.dropped_events);
  json.key("dropped_markers").number(losses.dropped_markers);
  json.key("truncated_stacks").number(losses.truncated_stacks);
  json.key("unknown_stacks").number(losses.unknown_stacks);
  json.key("frees_not_seen").number(losses.frees_not_seen);
  json.key("lost_blocks").number(profile.totals.lost.blocks);
  json.key("lost_bytes").number(profile.totals.lost.bytes);
  json.end_object();
}

void write_findings(JsonWriter& json, std::span<const explain::Finding> findings) {
  json.key("findings").begin_array();
  for (const explain::Finding& finding : findings) {
    json.begin_object();
    json.key("kind").string(finding.kind);
    json.key("statement").string(finding.statement);
    json.key("evidence").string(finding.evidence);
    json.key("advice").string(finding.advice);
    json.end_object();
  }
  json.end_array();
}

void write_frames(JsonWriter& json, const HeapProfile& profile, std::uint32_t node) {
  const explain::ProfileStackView stack = explain::stack_view(profile, node);
  json.key("place").string(explain::describe_place(stack));
  json.key("place_frame");
  if (stack.frames.empty()) {
    json.null();
  } else {
    json.number(stack.place);
  }
  json.key("frames").begin_array();
  for (const explain::ProfileFrameView& frame : stack.frames) {
    json.begin_object();
    json.key("function").string_or_null(frame.line != nullptr ? frame.line->function : "");
    json.key("file").string_or_null(frame.line != nullptr ? frame.line->file : "");
    json.key("line");
    if (frame.line == nullptr || frame.line->line == 0) {
      json.null();
    } else {
      json.number(frame.line->line);
    }
    json.key("inlined").boolean(frame.line != nullptr && frame.line->inlined);
    json.key("module").string_or_null(frame.module->path);
    json.key("address").address(Address{frame.frame->address});
    json.end_object();
  }
  json.end_array();
}

/// The figures that stacks, threads and sizes all have.
void write_amounts(JsonWriter& json, const BlockTotals& totals) {
  json.key("allocations").number(totals.allocated.blocks);
  json.key("allocated_bytes").number(totals.allocated.bytes);
  json.key("freed_blocks").number(totals.freed.blocks);
  json.key("freed_bytes").number(totals.freed.bytes);
  json.key("peak_live_blocks").number(totals.peak.blocks);
  json.key("peak_live_bytes").number(totals.peak.bytes);
  json.key("live_at_exit_blocks").number(totals.live.blocks);
  json.key("live_at_exit_bytes").number(totals.live.bytes);
  json.key("temporary_allocations").number(totals.temporary.blocks);
  json.key("temporary_bytes").number(totals.temporary.bytes);
  json.key("reallocations").number(totals.resized);
  json.key("mean_lifetime_ns");
  if (totals.freed.blocks == 0) {
    json.null();
  } else {
    json.number(static_cast<std::uint64_t>(
        std::min(totals.lifetime_ns / static_cast<double>(totals.freed.blocks), 1e18)));
  }
}

class StackLists {
 public:
  StackLists(Output& output, JsonWriter& json, const HeapProfile& profile,
             std::optional<std::size_t> top)
      : output_(output), json_(json), profile_(profile), top_(top) {}

  void write_stacks() {
    list("stacks", Measure::kCalls, [this](const model::StackProfile& stack) {
      write_amounts(json_, stack.totals);
      json_.key("first_ns").number(stack.first_ns);
      json_.key("last_ns").number(stack.last_ns);
    });
  }
  /// Bytes and blocks of one kind: leaks, temporary.
  void write_amount_list(const char* name, Measure measure, Amount BlockTotals::* kind) {
    list(name, measure, [this, kind](const model::StackProfile& stack) {
      json_.key("bytes").number((stack.totals.*kind).bytes);
      json_.key("count").number((stack.totals.*kind).blocks);
    });
  }

 private:
  template <typename Write>
  void list(const char* name, Measure measure, const Write& write) {
    json_.key(name).begin_array();
    std::vector<std::size_t> order = explain::rank_stacks(profile_, measure);
    if (top_) order.resize(std::min(order.size(), *top_));
    for (const std::size_t i : order) {
      json_.begin_object();
      write(profile_.stacks[i]);
      write_frames(json_, profile_, profile_.stacks[i].node);
      json_.end_object();
      output_.end_record();
    }
    json_.end_array();
  }

  Output& output_;
  JsonWriter& json_;
  const HeapProfile& profile_;
  std::optional<std::size_t> top_;
};

void write_threads(JsonWriter& json, const HeapProfile& profile) {
  json.key("threads").begin_array();
  for (const model::ThreadProfile& thread : profile.threads) {
    if (thread.tid == 0 && thread.totals.allocated.blocks == 0) continue;
    json.begin_object();
    json.key("tid");
    if (thread.tid == 0) {
      json.null();
    } else {
      json.number(thread.tid);
    }
    json.key("name").string_or_null(thread.name);
    write_amounts(json, thread.totals);
    json.key("freed_by_others").number(thread.frees_by_others);
    json.end_object();
  }
  json.end_array();
}

void write_ranges(JsonWriter& json, const HeapProfile& profile) {
  json.key("sizes").begin_array();
  for (const model::SizeProfile& size : profile.sizes) {
    json.begin_object();
    json.key("least_bytes").number(size.least_bytes).key("most_bytes").number(size.most_bytes);
    write_amounts(json, size.totals);
    json.end_object();
  }
  json.end_array();
  json.key("lifetimes").begin_array();
  for (const model::LifetimeProfile& one : profile.lifetimes) {
    json.begin_object();
    json.key("least_ns").number(one.least_ns).key("most_ns").number(one.most_ns);
    json.key("blocks").number(one.freed.blocks).key("bytes").number(one.freed.bytes);
    json.end_object();
  }
  json.end_array();
}

void write_timeline(JsonWriter& json, const HeapProfile& profile) {
  json.key("timeline").begin_object();
  json.key("bucket_ns").number(profile.timeline.bucket_ns);
  json.key("buckets").begin_array();
  for (const model::TimelineBucket& bucket : profile.timeline.buckets) {
    json.begin_object();
    json.key("most_live_bytes").number(bucket.most_live_bytes);
    json.key("last_live_bytes").number(bucket.last_live_bytes);
    json.key("rss_bytes");
    if (bucket.resident_bytes == 0) {
      json.null();
    } else {
      json.number(bucket.resident_bytes);
    }
    json.key("allocations").number(bucket.allocations);
    json.end_object();
  }
  json.end_array().end_object();
  json.key("markers").begin_array();
  for (const model::ProfileMarker& marker : profile.markers) {
    json.begin_object();
    json.key("time_ns").number(marker.time_ns).key("text").string(marker.text);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_report_json(Output& output, const HeapProfile& profile,
                       std::span<const explain::Finding> findings,
                       const ReportJsonOptions& options) {
  JsonWriter json(output.buffer());
  json.begin_object();
  json.key("type").string("report").key("schema").number(1);
  json.key("heapspy").string(options.version);
  write_process(json, profile);
  json.key("from_ns").number(profile.span.from_ns);
  json.key("until_ns").number(profile.duration_ns);
  json.key("is_estimate").boolean(profile.is_estimate);
  json.key("focus").string_or_null(options.focus);
  write_totals(json, profile);
  write_losses(json, profile);
  write_findings(json, findings);
  StackLists lists(output, json, profile, options.top);
  lists.write_stacks();
  lists.write_amount_list("leaks", Measure::kLeaked, &BlockTotals::live);
  lists.write_amount_list("temporary", Measure::kTemporary, &BlockTotals::temporary);
  write_threads(json, profile);
  write_ranges(json, profile);
  write_timeline(json, profile);
  json.end_object();
  output.write("\n");
  output.end_record();
}

}  // namespace mini::views
