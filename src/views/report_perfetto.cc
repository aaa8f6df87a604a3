// The trace event format, as Perfetto and Chromium read it:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
//
// What is live and what the kernel held are counters over time; markers are instants of their
// threads; each thread is named, and from its first to its last allocation there is a slice with
// its sums.
#include <fmt/format.h>

#include "views/json_writer.h"
#include "views/report_export.h"
#include "views/report_text.h"

namespace mini::views {
namespace {

using model::HeapProfile;
using model::TimelineBucket;

class TraceEvents {
 public:
  TraceEvents(Output& output, const HeapProfile& profile)
      : output_(output), profile_(profile), json_(output.buffer()) {}

  void write(const ExportOptions& options) {
    json_.begin_object();
    json_.key("displayTimeUnit").string("ms");
    json_.key("otherData").begin_object();
    json_.key("exporter").string(fmt::format("heapspy {}", options.version));
    json_.key("started_unix_ns").number(profile_.process.start_unix_ns);
    json_.end_object();
    json_.key("traceEvents").begin_array();
    write_names();
    write_threads();
    write_counters();
    write_markers();
    json_.end_array().end_object();
    output_.write("\n");
    output_.end_record();
  }

 private:
  void begin(const char* phase, std::string_view name, std::uint64_t tid) {
    json_.begin_object();
    json_.key("ph").string(phase).key("name").string(name);
    json_.key("pid").number(profile_.process.pid).key("tid").number(tid);
  }
  void end() {
    json_.end_object();
    output_.end_record();
  }

  /// The format counts in microseconds, with a fraction.
  void time(const char* key, std::uint64_t time_ns) { json_.key(key).thousandths(time_ns); }

  void name(const char* what, std::uint64_t tid, std::string_view text) {
    begin("M", what, tid);
    json_.key("args").begin_object().key("name").string(text).end_object();
    end();
  }

  void write_names() {
    name("process_name", profile_.process.pid, describe_process(profile_));
    for (const model::ThreadProfile& thread : profile_.threads) {
      if (thread.tid != 0 && !thread.name.empty()) name("thread_name", thread.tid, thread.name);
    }
  }

  void write_threads() {
    for (const model::ThreadProfile& thread : profile_.threads) {
      if (thread.totals.allocated.blocks == 0) continue;
      begin("X", "allocates", thread.tid);
      time("ts", thread.first_ns);
      time("dur", thread.last_ns - thread.first_ns);
      json_.key("args").begin_object();
      json_.key("allocations").number(thread.totals.allocated.blocks);
      json_.key("allocated_bytes").number(thread.totals.allocated.bytes);
      json_.key("peak_live_bytes").number(thread.totals.peak.bytes);
      json_.key("live_at_exit_bytes").number(thread.totals.live.bytes);
      json_.end_object();
      end();
    }
  }

  void counter(const char* name, std::uint64_t time_ns, std::uint64_t bytes) {
    begin("C", name, profile_.process.pid);
    time("ts", time_ns);
    json_.key("args").begin_object().key("bytes").number(bytes).end_object();
    end();
  }

  /// A counter of what the kernel said, where it was asked.
  void sampled_counter(const char* name, std::uint64_t TimelineBucket::* level) {
    std::uint64_t time_ns = 0;
    for (const TimelineBucket& bucket : profile_.timeline.buckets) {
      if (bucket.*level != 0) counter(name, time_ns, bucket.*level);
      time_ns += profile_.timeline.bucket_ns;
    }
  }

  void write_counters() {
    write_live();
    sampled_counter("RSS", &TimelineBucket::resident_bytes);
    sampled_counter("break", &TimelineBucket::break_bytes);
    sampled_counter("mapped", &TimelineBucket::mapped_bytes);
  }

  /// A bucket is shown as its most and then, half a bucket later, its last: so the counter's
  /// maximum is the peak, to the byte.
  void write_live() {
    std::uint64_t time_ns = 0;
    std::uint64_t shown = UINT64_MAX;
    const auto show = [&](std::uint64_t at_ns, std::uint64_t bytes) {
      if (bytes != shown) counter("live", at_ns, bytes);
      shown = bytes;
    };
    const std::uint64_t half_ns = profile_.timeline.bucket_ns / 2;
    for (const TimelineBucket& bucket : profile_.timeline.buckets) {
      show(time_ns, bucket.most_live_bytes);
      show(time_ns + half_ns, bucket.last_live_bytes);
      time_ns += profile_.timeline.bucket_ns;
    }
  }

  void write_markers() {
    for (const model::ProfileMarker& marker : profile_.markers) {
      const std::uint64_t tid = profile_.threads[marker.thread].tid;
      begin("i", marker.text, tid);
      time("ts", marker.time_ns);
      json_.key("s").string(tid == 0 ? "p" : "t");  // across the process, or of the thread
      end();
    }
  }

  Output& output_;
  const HeapProfile& profile_;
  JsonWriter json_;
};

}  // namespace

void write_perfetto_trace(Output& output, const HeapProfile& profile,
                          const ExportOptions& options) {
  TraceEvents(output, profile).write(options);
}

}  // namespace mini::views
