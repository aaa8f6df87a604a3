#include "sources/inspect_core.h"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>
#include <system_error>

#include "base/text.h"
#include "model/piece_fan.h"
#include "sources/content_hint.h"
#include "sources/core_file.h"
#include "sources/data_end.h"
#include "sources/heap_inspector.h"
#include "sources/heap_readings.h"
#include "sources/lost_blocks.h"
#include "unwind/elf_file.h"

namespace mini::sources {
namespace {

using model::Inspection;

const CoreFileMapping* file_at(const CoreFile& core, Address address) {
  for (const CoreFileMapping& file : core.files()) {
    if (file.range.contains(address)) return &file;
  }
  return nullptr;
}

/// The file that the program's own headers were mapped from.
std::string executable_of(const CoreFile& core) {
  const CoreFileMapping* file = file_at(core, core.entry_of_headers());
  return file != nullptr ? file->path : "";
}

void read_regions(const CoreFile& core, Inspection& inspection) {
  auto file = core.files().begin();
  for (const CoreSegment& segment : core.segments()) {
    model::MemoryRegion region;
    region.mapping.range = segment.range;
    region.mapping.protection = segment.protection;
    region.resident = segment.in_file;
    while (file != core.files().end() && file->range.end <= segment.range.begin) ++file;
    if (file != core.files().end() && file->range.contains(segment.range.begin)) {
      region.mapping.path = file->path;
      region.mapping.file_offset =
          file->file_offset + (segment.range.begin - file->range.begin).count;
    }
    inspection.regions.push_back(std::move(region));
  }
}

/// gcore leaves out mappings of files that were not changed.
void add_files_without_segment(const CoreFile& core, Inspection& inspection) {
  auto segment = core.segments().begin();
  for (const CoreFileMapping& file : core.files()) {
    while (segment != core.segments().end() && segment->range.end <= file.range.begin) ++segment;
    if (segment != core.segments().end() && segment->range.overlaps(file.range)) continue;
    model::MemoryRegion region;
    region.mapping.range = file.range;
    region.mapping.protection.read = true;
    region.mapping.path = file.path;
    region.mapping.file_offset = file.file_offset;
    inspection.regions.push_back(std::move(region));
  }
  std::ranges::sort(inspection.regions, {},
                    [](const model::MemoryRegion& region) { return region.mapping.range.begin; });
  for (const model::MemoryRegion& region : inspection.regions) {
    inspection.mapped += region.mapping.range.size();
  }
}

model::ResidentMap in_file(const CoreFile& core) {
  std::vector<AddressRange> runs;
  for (const CoreSegment& segment : core.segments()) {
    if (segment.in_file == Bytes{}) continue;
    runs.push_back({segment.range.begin, segment.range.begin + segment.in_file});
  }
  return model::ResidentMap(std::move(runs));
}

void note_losses(const CoreFile& core, Inspection& inspection) {
  if (!core.unpacking_loss().empty()) {
    inspection.losses.push_back(
        fmt::format("the zstd file that the core is in {}", core.unpacking_loss()));
  }
  if (core.cut_segments() != 0) {
    inspection.losses.push_back(
        fmt::format("the core ends early: {} of its {} segments are not whole", core.cut_segments(),
                    core.segments().size()));
  }
  if (core.bad_segments() != 0) {
    inspection.losses.push_back(fmt::format(
        "{} segments of the core make no sense and were left out", core.bad_segments()));
  }
  if (core.threads().empty()) {
    inspection.losses.emplace_back(
        "the core has no registers of threads: what is in their caches looks live");
  }
}

bool is_left_out(const model::MemoryRegion& region) {
  return region.mapping.protection.write && region.resident == Bytes{};
}

/// Memory that was never used is in no core; a stack that a thread is on was.
void note_left_out(const CoreFile& core, Inspection& inspection) {
  const bool lacks_stacks = std::ranges::any_of(
      inspection.regions,
      [](const model::MemoryRegion& region) { return region.stack_of && is_left_out(region); });
  if (!lacks_stacks || core.cut_segments() != 0) return;
  Bytes bytes;
  std::size_t count = 0;
  for (const model::MemoryRegion& region : inspection.regions) {
    if (!is_left_out(region)) continue;
    ++count;
    bytes += region.mapping.range.size();
  }
  inspection.losses.push_back(
      fmt::format("{} writable segments of the core, {}, have no contents: "
                  "its coredump_filter left them out (core(5))",
                  count, format_bytes(bytes)));
}

/// Why there is no heap, where that is not known from its absence.
std::string why_unreadable(const CoreFile& core, const Inspection& inspection,
                           const std::string& libc) {
  const bool lacks_data =
      !libc.empty() &&
      std::ranges::any_of(inspection.regions, [&libc](const model::MemoryRegion& region) {
        return region.mapping.path == libc && region.mapping.protection.write &&
               region.resident < region.mapping.range.size();
      });
  if (!lacks_data) return "";
  return fmt::format(
      "the core lacks the data of {}, by which the heap is found: {}", libc,
      core.cut_segments() != 0 ? "it ends early" : "its coredump_filter left it out (core(5))");
}

/// Whether a thread may have been changing a heap that the code of `module` manages.
bool may_change_heap(const model::InspectedThread& thread, const Inspection& inspection,
                     const std::string& module) {
  if (thread.waits || !thread.code) return !thread.waits;
  const model::MemoryRegion* const region = inspection.region_of(*thread.code);
  return region != nullptr && region->mapping.path == module;
}

/// Whether what does not fit together need not be damage. A core of a process that was well may be
/// of any moment, as gcore's. Where it crashed, the thread that did so stands where the damage led
/// it; the others were stopped wherever they were.
bool may_be_motion(const CoreFile& core, const Inspection& inspection, const std::string& libc) {
  if (!inspection.heap || has_damage_at_rest(*inspection.heap, core.threads())) return false;
  // libminimalloc's code may be in any file.
  const bool is_glibc = inspection.heap->allocator == "glibc";
  return std::ranges::any_of(core.threads() | std::views::drop(core.has_crashed() ? 1 : 0),
                             [&](const model::InspectedThread& thread) {
                               return is_glibc ? may_change_heap(thread, inspection, libc)
                                               : !thread.waits;
                             });
}

/// The program's file, given by hand.
Result<void> use_executable(const std::string& file, CoreFile& core, Inspection& inspection) {
  if (file.empty()) return {};
  if (const auto elf = unwind::ElfFile::open(file); !elf) {
    const Error& error = elf.error();
    return fail(fmt::format("cannot use --exe '{}': {}", file,
                            error.error_number != 0
                                ? std::generic_category().message(error.error_number)
                                : error.message));
  }
  core.use_file(inspection.executable, file);
  if (!core.has_file(inspection.executable)) {
    inspection.losses.push_back(fmt::format(
        "--exe '{}' is another program than the core is of, or another build: it is not read",
        file));
  }
  return {};
}

/// What the core says of the process, and where memory is.
Result<void> take_facts(CoreFile& core, const std::string& executable, Inspection& inspection) {
  inspection.source = Inspection::Source::kCore;
  inspection.heap_reading = model::HeapReading::kCore;
  inspection.pid = core.pid();
  inspection.end = core.end();
  inspection.page_size = core.page_size();
  inspection.executable = executable_of(core);
  if (auto used = use_executable(executable, core, inspection); !used) return used;
  inspection.threads = core.threads();
  read_regions(core, inspection);
  add_files_without_segment(core, inspection);
  mark_stacks(inspection);
  DataEnds ends(core);
  for (model::MemoryRegion& region : inspection.regions) ends.pass(region.mapping);
  note_losses(core, inspection);
  note_left_out(core, inspection);
  return {};
}

/// REQUIRES: take_facts() was called.
void read_heap(const CoreFile& core, const InspectOptions& options, Inspection& inspection) {
  HeapInspector inspector;
  const bool is_static = core.interpreter() == Address{};
  const std::string libc = find_malloc_module(inspection, is_static);
  inspector.locate(core, core, inspection, {.libc = libc, .root = ""});
  ProgressMeter meter;
  if (inspection.mapped >= kWorthProgress) meter.tell_to(options.progress);
  LiveBlockList blocks;
  model::PieceFan sinks;
  sinks.add(options.pieces);
  sinks.add(options.find_lost ? &blocks : nullptr);
  sinks.add(meter.or_null());
  inspection.heap_resident = in_file(core);
  if (meter.is_wanted()) {
    const Bytes all = total_of(inspector.survey(core, inspection));
    meter.begin(ProgressMeter::Step::kLists, all, false);
  }
  inspector.decode(core, inspection.heap_resident, inspection, sinks.or_null());
  if (!inspection.heap) {
    const std::string why = why_unreadable(core, inspection, libc);
    if (!why.empty()) inspection.no_heap_because = why;
  }
  inspection.may_be_motion = may_be_motion(core, inspection, libc);
  hint_pins(core, inspection);
  if (options.find_lost && inspection.heap) {
    meter.begin(ProgressMeter::Step::kSearch, {}, false);
    inspection.lost = find_lost_blocks(core, inspection, blocks, std::nullopt);
  }
}

}  // namespace

Result<Inspection> inspect_core(const std::string& path, const std::string& executable,
                                const InspectOptions& options) {
  auto core = CoreFile::open(path);
  if (!core) return std::unexpected(core.error());
  Inspection inspection;
  if (auto taken = take_facts(**core, executable, inspection); !taken) {
    return std::unexpected(taken.error());
  }
  read_heap(**core, options, inspection);
  return inspection;
}

}  // namespace mini::sources
