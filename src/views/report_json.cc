#include <algorithm>
#include <cmath>

#include "explain/stack_list.h"
#include "views/json_writer.h"
#include "views/report_export.h"
#include "views/report_json_parts.h"

namespace mini::views {
namespace {

using explain::Measure;
using model::Amount;
using model::BlockTotals;
using model::HeapProfile;

/// Where --top says nothing: what else is known of a stack is in another list.
constexpr std::size_t kMostUsableStacks = 100;

/// What is still reachable and what is lost; null where nobody looked.
void write_reach(JsonWriter& json, const HeapProfile& profile, const BlockTotals& totals) {
  const bool is_known = profile.leak_scan.state == model::LeakScan::State::kDone;
  const auto amount = [&](const char* bytes, const char* blocks, Amount value) {
    json.key(bytes);
    is_known ? json.number(value.bytes) : json.null();
    json.key(blocks);
    is_known ? json.number(value.blocks) : json.null();
  };
  amount("reachable_bytes", "reachable_blocks", totals.reachable);
  amount("unreachable_bytes", "unreachable_blocks", totals.unreachable());
  amount("unreachable_indirectly_bytes", "unreachable_indirectly_blocks", totals.lost_indirectly);
}

void write_leak_scan(JsonWriter& json, const model::LeakScan& scan) {
  static constexpr std::string_view kStates[] = {"not-asked", "missing", "done", "refused"};
  json.key("leak_scan").begin_object();
  json.key("state").string(kStates[static_cast<std::size_t>(scan.state)]);
  json.key("time_ns").number(scan.time_ns);
  json.key("scanned_bytes").number(scan.scanned_bytes);
  json.key("unreadable_bytes").number(scan.unreadable_bytes);
  json.end_object();
}

/// One standard error; 0 where nothing is estimated.
void write_error(JsonWriter& json, const BlockTotals& totals) {
  const double error = std::sqrt(totals.allocated_variance);
  json.key("allocated_bytes_error").number(static_cast<std::uint64_t>(std::min(error, 1e18)));
}

/// The same where a sample may have nothing: what that stands for nobody knows.
void write_error(JsonWriter& json, const HeapProfile& profile) {
  if (!profile.has_empty_sample()) return write_error(json, profile.totals);
  json.key("allocated_bytes_error").null();
}

void write_totals(JsonWriter& json, const HeapProfile& profile) {
  const BlockTotals& totals = profile.totals;
  const bool has_kernel = profile.kernel.samples != 0;
  json.key("totals").begin_object();
  json.key("allocations").number(totals.allocated.blocks);
  json.key("frees").number(totals.freed.blocks + profile.inheritance.freed.blocks +
                           profile.losses.frees_not_seen);
  json.key("allocated_bytes").number(totals.allocated.bytes);
  write_error(json, profile);
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
  json.key("suppressed_bytes").number(totals.suppressed.bytes);
  json.key("suppressed_blocks").number(totals.suppressed.blocks);
  write_reach(json, profile, totals);
  const auto kernel = [&](const char* name, Bytes bytes) {
    json.key(name).bytes_or_null(has_kernel ? std::optional(bytes) : std::nullopt);
  };
  kernel("peak_rss_bytes", profile.kernel.peak_resident);
  kernel("last_rss_bytes", profile.kernel.last_resident);
  kernel("agent_rss_bytes", profile.kernel.agent_resident);
  kernel("peak_break_bytes", profile.kernel.most_break);
  kernel("last_break_bytes", profile.kernel.last_break);
  json.key("rss_at_peak_bytes")
      .bytes_or_null(has_kernel ? std::optional(profile.kernel.resident_at_peak) : std::nullopt);
  json.key("rss_at_peak_time_ns");
  has_kernel ? json.number(profile.kernel.at_peak_time_ns) : json.null();
  json.key("peak_pss_bytes")
      .bytes_or_null(profile.kernel.most_proportional.count != 0
                         ? std::optional(profile.kernel.most_proportional)
                         : std::nullopt);
  json.key("recorded_allocations").number(profile.allocation_events);
  json.key("recorded_frees").number(profile.free_events);
  json.key("dropped_events").number(profile.losses.dropped_events);
  json.end_object();
}

/// The figures that stacks, threads and sizes all have.
void write_amounts(JsonWriter& json, const BlockTotals& totals) {
  json.key("allocations").number(totals.allocated.blocks);
  json.key("allocated_bytes").number(totals.allocated.bytes);
  write_error(json, totals);
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
      : output_(output), json_(json), profile_(profile), limits_(explain::list_limits(top)) {}

  void write_stacks() {
    static constexpr Measure kMeasures[] = {Measure::kPeak, Measure::kLeaked, Measure::kAllocated,
                                            Measure::kCalls, Measure::kTemporary};
    list("stacks", Measure::kCalls, kMeasures, [this](const model::StackProfile& stack) {
      write_amounts(json_, stack.totals);
      json_.key("first_ns").number(stack.first_ns);
      json_.key("last_ns").number(stack.last_ns);
    });
  }
  void write_leaks() {
    static constexpr Measure kMeasures[] = {Measure::kLeaked};
    list("leaks", Measure::kLeaked, kMeasures, [this](const model::StackProfile& stack) {
      write_amount(stack.totals.leaked());
      write_reach(json_, profile_, stack.totals);
    });
  }
  void write_temporary() {
    static constexpr Measure kMeasures[] = {Measure::kTemporary};
    list("temporary", Measure::kTemporary, kMeasures,
         [this](const model::StackProfile& stack) { write_amount(stack.totals.temporary); });
  }
  void write_mappings() {
    write_stack_list(output_, json_, profile_, "mappings",
                     explain::list_mappings(profile_, limits_),
                     [this](const model::MappingProfile& mapping) {
                       json_.key("calls").number(mapping.calls);
                       json_.key("mapped_bytes").number(mapping.mapped_bytes);
                       json_.key("most_mapped_bytes").number(mapping.most_live_bytes);
                       json_.key("mapped_at_exit_bytes").number(mapping.live_bytes);
                       json_.key("discarded_bytes").number(mapping.discarded_bytes);
                     });
  }

 private:
  void write_amount(Amount amount) {
    json_.key("bytes").number(amount.bytes).key("count").number(amount.blocks);
  }
  void list(const char* name, Measure measure, std::span<const Measure> measures,
            const auto& write) {
    write_stack_list(output_, json_, profile_, name,
                     explain::list_stacks(profile_, measure, measures, limits_), write);
  }

  Output& output_;
  JsonWriter& json_;
  const HeapProfile& profile_;
  explain::ListLimits limits_;
};

void write_suppressions(JsonWriter& json, const HeapProfile& profile) {
  json.key("suppressions").begin_array();
  for (const model::LeakSuppression& suppression : profile.suppressions) {
    json.begin_object();
    json.key("pattern").string(suppression.pattern).key("line").number(suppression.line);
    json.key("bytes").number(suppression.matched.bytes);
    json.key("count").number(suppression.matched.blocks);
    json.key("stacks").number(suppression.stacks);
    json.end_object();
  }
  json.end_array();
}

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
  write_inheritance(output, json, profile, options.top);
  write_losses(json, profile);
  write_unrecorded_programs(json, profile);
  write_findings(json, findings);
  StackLists lists(output, json, profile, options.top);
  lists.write_stacks();
  lists.write_leaks();
  lists.write_temporary();
  write_leak_scan(json, profile.leak_scan);
  write_suppressions(json, profile);
  write_threads(json, profile);
  write_ranges(json, profile);
  write_usable(json, profile, options.top.value_or(kMostUsableStacks));
  write_first_touch(output, json, profile, options.top);
  lists.write_mappings();
  write_timeline(json, profile);
  json.end_object();
  output.write("\n");
  output.end_record();
}

}  // namespace mini::views
