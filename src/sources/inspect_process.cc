#include "sources/inspect_process.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "base/address_ranges.h"
#include "base/clock.h"
#include "kernel/memory_snapshot.h"
#include "kernel/proc_file.h"
#include "kernel/proc_smaps.h"
#include "kernel/process_memory.h"
#include "model/piece_fan.h"
#include "sources/attach.h"
#include "sources/content_hint.h"
#include "sources/data_end.h"
#include "sources/filled_memory.h"
#include "sources/heap_inspector.h"
#include "sources/heap_readings.h"
#include "sources/lost_blocks.h"
#include "sources/mapped_files.h"
#include "sources/process_regions.h"
#include "sources/program_runtime.h"
#include "sources/stopped_process.h"

namespace mini::sources {
namespace {

using model::Inspection;
using model::MemoryRegion;

constexpr std::uint32_t kMostReadings = 4;  // of a heap that never fits together; else kMost
constexpr std::uint64_t kMostPauseNs = 1'000'000'000;  // after that it is read once more at most
constexpr std::uint64_t kLeastRunNs = 2'000'000;  // between two readings; twice that the next time
constexpr int kMostTriesRunning = 8;              // to find malloc's state

/// What the search for lost blocks will read, about: live blocks and what is no heap.
Bytes searched_about(const Inspection& inspection) {
  Bytes sum = inspection.account.total().at(static_cast<std::size_t>(model::PieceUse::kLive)).size;
  for (const MemoryRegion& region : inspection.regions) {
    const model::Mapping& mapping = region.mapping;
    const bool is_heap = std::ranges::binary_search(inspection.heap_mappings, mapping.range.begin);
    if (mapping.protection.write && !mapping.shared && !is_heap) sum += region.resident;
  }
  return sum;
}

/// REQUIRES: the process is stopped.
void find_lost(pid_t pid, const MemoryReader& memory, LiveBlockList& blocks, ProgressMeter& meter,
               Inspection& inspection) {
  const std::string root = kernel::root_prefix(pid);
  const std::vector<AddressRange> anonymous = heap_candidates(inspection);
  const MappedFiles files(mappings_of(inspection), root);
  const FilledMemory filled(memory, files, anonymous);
  const MeteredMemory metered(filled, meter);
  meter.begin(ProgressMeter::Step::kSearch, searched_about(inspection), true);
  inspection.lost = find_lost_blocks(metered, inspection, blocks, written_parts(pid, inspection));
}

void list_threads(pid_t pid, Inspection& inspection) {
  for (const pid_t tid : kernel::read_thread_ids(pid)) inspection.threads.push_back({.id = tid});
}

/// One process, from the first look at it to its inspection.
class ProcessInspector {
 public:
  ProcessInspector(pid_t process, const InspectOptions& options)
      : process_(process),
        reader_(kernel::thread_with_memory(process)),
        options_(options),
        memory_(reader_),
        snapshot_(reader_, memory_) {
    // Only what is in memory is read: to look at other pages would make them resident.
    memory_.read_present_pages_only();
    inspection_.pid = process;
    inspection_.page_size = kernel::page_size();
    inspection_.executable = kernel::read_proc_link(reader_, "exe").value_or("");
    if (options.stop) inspection_.most_pause_ns = options.most_pause_ns;
    if (options.most_copied) most_copied_ = *options.most_copied;
    inspection_.most_copied = most_copied_;
  }

  Result<Inspection> run() {
    if (auto read = locate(); !read) return std::unexpected(read.error());
    if (!options_.stop) {
      list_threads(process_, inspection_);
      inspection_.heap_reading = model::HeapReading::kRunning;
      const auto residency = look();
      if (!residency) return std::unexpected(residency.error());
      // The sooner all is copied, the less of it changes meanwhile.
      const auto ranges = ranges_to_copy(memory_, *residency);
      inspection_.heap_to_read = total_of(ranges);
      snapshot_.copy(within_room(ranges), {});
      decode(snapshot_, *residency);
      return std::move(inspection_);
    }
    // What leaks are looked for in is decoded as it is, not copied.
    if (auto prepared = options_.find_lost ? Result<void>{} : prepare(); !prepared) {
      return std::unexpected(prepared.error());
    }
    if (auto read = read_until_settled(); !read) return std::unexpected(read.error());
    DataEnds ends(memory_);
    for (MemoryRegion& region : inspection_.regions) ends.pass(region.mapping);
    return std::move(inspection_);
  }

 private:
  /// Where malloc is does not change: that is found out while the process runs, if it can be.
  Result<void> locate() {
    if (auto read = read_regions(reader_, inspection_); !read) return read;
    const kernel::AuxiliaryVector auxv = kernel::read_auxv(reader_);
    const bool is_static = auxv.base == Address{};
    inspection_.runtime = find_runtime(memory_, auxv.headers, auxv.headers_count);
    const std::string root = kernel::root_prefix(reader_);
    inspector_.locate(memory_, MappedFiles(mappings_of(inspection_), root), inspection_,
                      {.libc = find_malloc_module(inspection_, is_static),
                       .root = root,
                       .pid = reader_,
                       .tries = options_.stop ? 1 : kMostTriesRunning});
    const auto figures = kernel::read_resident_figures(reader_);
    if (figures && figures->resident >= kWorthProgress) meter_.tell_to(options_.progress);
    return {};
  }

  /// All but the heap, as of now.
  Result<Residency> look() {
    if (auto read = read_regions(reader_, inspection_); !read) {
      return std::unexpected(read.error());
    }
    auto residency = read_residency(reader_, inspection_);
    if (!residency) return residency;
    read_figures(reader_, inspection_);
    if (!inspection_.resident) {
      return fail(fmt::format("process {} has just ended", process_), ESRCH);
    }
    mark_stacks(inspection_);
    return residency;
  }

  /// What to copy: what the decoder will walk over and has memory.
  std::vector<AddressRange> ranges_to_copy(const MemoryReader& memory,
                                           const Residency& residency) const {
    return intersection(inspector_.survey(memory, inspection_), residency.readable_heap_pages);
  }

  Result<void> prepare() {
    const auto residency = look();
    if (!residency) return std::unexpected(residency.error());
    const auto ranges = ranges_to_copy(memory_, *residency);
    if (!options_.most_pause_ns && total_of(ranges) > most_copied_) return {};
    meter_.begin(ProgressMeter::Step::kTouch, {}, false);
    snapshot_.prepare(within_room(ranges));
    return {};
  }

  /// The first of them that there is room for.
  std::vector<AddressRange> within_room(std::vector<AddressRange> ranges) const {
    Bytes left = most_copied_;
    for (AddressRange& range : ranges) {
      range.end = std::min(range.end, range.begin + left);
      left -= range.size();
    }
    std::erase_if(ranges, [](const AddressRange& range) { return range.empty(); });
    return ranges;
  }

  Result<void> read_until_settled() {
    std::uint64_t run_ns = kLeastRunNs;
    for (;;) {
      if (auto read = read_stopped(); !read) return std::unexpected(read.error());
      if (!wants_another_) break;
      ++inspection_.heap_readings;
      sleep_ns(run_ns);
      run_ns *= 2;
      if (options_.pieces != nullptr) options_.pieces->restart();
    }
    if (is_judged_) readings_.conclude(inspection_);
    return {};
  }

  /// To be called once the heap is decoded. `pause_ns`: in all, up to now.
  void judge(bool is_held, std::uint64_t pause_ns) {
    is_judged_ = inspection_.heap && inspection_.heap_in_pause == inspection_.heap_to_read;
    if (!is_judged_) return;
    readings_.add(*inspection_.heap, inspection_.threads);
    if (is_held || readings_.is_settled()) return;
    const std::uint32_t stops = inspection_.heap_readings;
    const std::uint64_t next_ns = pause_ns / stops;  // about
    if (options_.most_pause_ns && pause_ns + 2 * next_ns > *options_.most_pause_ns) return;
    const bool is_short = pause_ns < kMostPauseNs;
    if (options_.find_lost && !is_short) return;
    const bool is_worth_it = is_short && (readings_.has_suspects() || readings_.count() < stops);
    wants_another_ = stops < (is_worth_it ? HeapReadings::kMost : kMostReadings);
  }

  Result<void> read_stopped() {
    const std::uint64_t begin_ns = monotonic_ns();
    auto stopped = StoppedProcess::stop(process_);
    if (!stopped) return std::unexpected(stopped.error());
    is_judged_ = false;
    wants_another_ = false;
    inspection_.losses.clear();
    inspection_.threads = stopped->threads();
    const auto residency = look();
    if (!residency) return std::unexpected(residency.error());
    inspector_.locate_again(memory_);
    snapshot_.begin_keeping();
    const auto ranges = ranges_to_copy(snapshot_, *residency);
    snapshot_.end_keeping();
    const Bytes kept = snapshot_.kept();
    inspection_.heap_to_read = total_of(ranges) + kept;
    inspection_.heap_reading = reading_of(total_of(ranges));
    if (inspection_.is_decoded_in_pause()) {
      inspection_.heap_in_pause = inspection_.heap_to_read;
      decode(memory_, *residency);
      judge(stopped->is_held(), inspection_.pause_ns + monotonic_ns() - begin_ns);
      if (!wants_another_) search();
      inspection_.pause_ns += stopped->resume();
      return {};
    }
    if (inspection_.heap_reading == model::HeapReading::kTooLarge) {
      inspection_.heap_in_pause = {};
      inspection_.pause_ns += stopped->resume();
      decode(memory_, *residency);
      return {};
    }
    meter_.begin(ProgressMeter::Step::kCopy, {}, true);
    std::optional<std::uint64_t> deadline_ns;
    if (options_.most_pause_ns) {
      deadline_ns = begin_ns + *options_.most_pause_ns - inspection_.pause_ns;
    }
    inspection_.heap_in_pause = snapshot_.copy(within_room(ranges), deadline_ns) + kept;
    const bool is_held = stopped->is_held();
    inspection_.pause_ns += stopped->resume();
    decode(snapshot_, *residency);
    judge(is_held, inspection_.pause_ns);
    return {};
  }

  model::HeapReading reading_of(Bytes to_copy) const {
    if (options_.most_pause_ns) return model::HeapReading::kCopied;
    if (options_.find_lost) return model::HeapReading::kForLostBlocks;
    return to_copy > most_copied_ ? model::HeapReading::kTooLarge : model::HeapReading::kCopied;
  }

  void decode(const MemoryReader& memory, const Residency& residency) {
    const bool waits = inspection_.is_decoded_in_pause();
    blocks_.restart();
    model::PieceFan sinks;
    sinks.add(options_.pieces);
    sinks.add(options_.find_lost ? &blocks_ : nullptr);
    sinks.add(meter_.or_null());
    inspection_.heap_resident = model::ResidentMap(residency.heap_pages);
    meter_.begin(ProgressMeter::Step::kLists, inspection_.heap_to_read, waits);
    const MeteredMemory metered(memory, meter_);
    // A copy is read in place, so quickly that it need not be metered.
    const bool is_copy = &memory == &snapshot_;
    inspector_.decode(meter_.is_wanted() && !is_copy ? metered : memory, inspection_.heap_resident,
                      inspection_, sinks.or_null());
    hint_pins(memory, inspection_);
  }

  void search() {
    if (inspection_.heap) find_lost(reader_, memory_, blocks_, meter_, inspection_);
  }

  pid_t process_;
  pid_t reader_;  // a thread of it that has not ended: by which the kernel shows the memory
  InspectOptions options_;
  Bytes most_copied_ = kernel::MemorySnapshot::most();
  kernel::ProcessMemory memory_;
  kernel::MemorySnapshot snapshot_;
  HeapInspector inspector_;
  Inspection inspection_;
  ProgressMeter meter_;
  LiveBlockList blocks_;  // for the search for lost ones
  HeapReadings readings_;
  bool is_judged_ = false;      // the last reading is among them
  bool wants_another_ = false;  // reading
};

}  // namespace

Result<Inspection> inspect_process(pid_t pid, const InspectOptions& options) {
  const auto status = check_target(pid, options.stop ? TargetUse::kStop : TargetUse::kReadOnly);
  if (!status) return std::unexpected(status.error());
  return ProcessInspector(status->thread_group, options).run();
}

}  // namespace mini::sources
