#include "sources/inspect_process.h"

#include <fmt/format.h>
#include <optional>

#include "kernel/present_pages.h"
#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_smaps.h"
#include "kernel/process_memory.h"
#include "sources/attach.h"
#include "sources/heap_inspector.h"
#include "sources/mapped_files.h"
#include "sources/program_image.h"
#include "sources/refusal.h"
#include "sources/stopped_process.h"

namespace mini::sources {
namespace {

using model::Inspection;

std::unexpected<Error> refused(pid_t pid, int error) {
  return fail(fmt::format("cannot read process {}: {}", pid, explain_refusal(pid, error, false)),
              error);
}

/// Sizes of all mappings; what of them has memory only where `with_memory`, since that takes long.
Result<void> read_regions(pid_t pid, bool with_memory, Inspection& inspection) {
  inspection.regions.clear();
  inspection.mapped = Bytes{};
  const auto add = [&](const kernel::MapsEntry& entry) {
    if (entry.path == "[vsyscall]") return;  // is in no process's address space
    inspection.regions.push_back({.mapping = to_mapping(entry)});
    inspection.mapped += entry.range.size();
  };
  if (!with_memory) {
    const auto entries = kernel::read_maps(pid);
    if (!entries) return refused(pid, entries.error().error_number);
    for (const kernel::MapsEntry& entry : *entries) add(entry);
    return {};
  }
  const auto entries = kernel::read_smaps(pid);
  if (!entries) return refused(pid, entries.error().error_number);
  for (const kernel::SmapsEntry& entry : *entries) {
    add(entry.mapping);
    if (entry.mapping.path == "[vsyscall]") continue;
    model::MemoryRegion& region = inspection.regions.back();
    region.resident = entry.resident;
    region.swapped = entry.swapped;
    region.huge = entry.huge;
  }
  return {};
}

model::ResidentMap read_resident(pid_t pid, const Inspection& inspection) {
  kernel::PresentPages pages(pid);
  std::vector<AddressRange> runs;
  for (const AddressRange& range : heap_candidates(inspection)) pages.append(range, runs);
  return model::ResidentMap(std::move(runs));
}

void read_figures(pid_t pid, Inspection& inspection) {
  const auto figures = kernel::read_resident_figures(pid);
  if (!figures) return;
  inspection.resident = figures->resident;
  inspection.mapped = figures->mapped;
  inspection.swapped = figures->swapped;
  inspection.page_tables = figures->page_tables;
}

void list_threads(pid_t pid, Inspection& inspection) {
  for (const pid_t tid : kernel::read_thread_ids(pid)) inspection.threads.push_back({.id = tid});
}

}  // namespace

Result<Inspection> inspect_process(pid_t pid, const InspectOptions& options) {
  const auto status = check_target(pid, options.stop ? TargetUse::kTrace : TargetUse::kReadOnly);
  if (!status) return std::unexpected(status.error());
  const pid_t process = status->thread_group;
  Inspection inspection;
  inspection.pid = process;
  inspection.page_size = kernel::page_size();
  inspection.executable = kernel::escape_path(kernel::read_proc_link(process, "exe").value_or(""));

  // Where malloc is does not change: that is found out while the process runs.
  // Only what is in memory is read: to look at other pages would make them resident.
  kernel::ProcessMemory memory(process);
  memory.read_present_pages_only();
  if (auto read = read_regions(process, false, inspection); !read) {
    return std::unexpected(read.error());
  }
  HeapInspector inspector;
  const bool is_static = kernel::read_auxv(process).base == Address{};
  const std::string root = kernel::root_prefix(process);
  inspector.locate(memory, MappedFiles(mappings_of(inspection), root), inspection,
                   {.libc = find_malloc_module(inspection, is_static), .root = root});

  std::optional<StoppedProcess> stopped;
  if (options.stop) {
    auto stop = StoppedProcess::stop(process);
    if (!stop) return std::unexpected(stop.error());
    stopped.emplace(std::move(*stop));
    inspection.threads = stopped->threads();
  } else {
    list_threads(process, inspection);
  }
  if (auto read = read_regions(process, true, inspection); !read) {
    return std::unexpected(read.error());
  }
  read_figures(process, inspection);
  if (!inspection.resident) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  mark_stacks(inspection);
  inspector.decode(memory, read_resident(process, inspection), inspection, options.pieces);
  if (stopped) inspection.pause_ns = stopped->resume();
  return inspection;
}

}  // namespace mini::sources
