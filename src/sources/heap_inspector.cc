#include "sources/heap_inspector.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <vector>

#include "base/text.h"
#include "sources/filled_memory.h"
#include "sources/glibc_location.h"
#include "sources/mapped_files.h"

namespace mini::sources {
namespace {

using model::Inspection;
using model::MemoryRegion;

/// Hands pieces on to an accountant and to one more, and remembers where they were.
class Tee final : public model::PieceSink {
 public:
  Tee(model::HeapAccountant& accountant, model::PieceSink* also)
      : accountant_(accountant), also_(also) {}

  void begin_region(const model::HeapRegion& region) override {
    regions_.push_back(region.range);
    accountant_.begin_region(region);
    if (also_ != nullptr) also_->begin_region(region);
  }
  void piece(const model::HeapPiece& piece) override {
    accountant_.piece(piece);
    if (also_ != nullptr) also_->piece(piece);
  }
  void pieces(std::span<const model::HeapPiece> several) override {
    accountant_.pieces(several);
    if (also_ != nullptr) also_->pieces(several);
  }
  void end_region() override {
    accountant_.end_region();
    if (also_ != nullptr) also_->end_region();
  }
  const std::vector<AddressRange>& regions() const { return regions_; }

 private:
  model::HeapAccountant& accountant_;
  model::PieceSink* also_;
  std::vector<AddressRange> regions_;
};

/// Every mapping that one of the ranges reaches into.
std::vector<Address> mappings_under(const Inspection& inspection,
                                    const std::vector<AddressRange>& ranges) {
  std::set<Address> begins;
  for (const AddressRange& range : ranges) {
    for (Address at = range.begin; at < range.end;) {
      const MemoryRegion* region = inspection.region_of(at);
      if (region == nullptr) break;
      begins.insert(region->mapping.range.begin);
      at = region->mapping.range.end;
    }
  }
  return {begins.begin(), begins.end()};
}

void note_where(const std::vector<AddressRange>& pieces, Inspection& inspection) {
  inspection.heap_mappings = mappings_under(inspection, pieces);
  inspection.heap_ranges = pieces;
  std::ranges::sort(inspection.heap_ranges, {}, &AddressRange::begin);
}

std::vector<heaps::HeapThread> threads_of(const Inspection& inspection) {
  std::vector<heaps::HeapThread> threads;
  for (const model::InspectedThread& thread : inspection.threads) {
    threads.push_back({.id = thread.id, .thread_pointer = thread.thread_pointer});
  }
  return threads;
}

bool holds_nothing(const model::Heap& heap) {
  return heap.parameters.mmapped_count == 0 &&
         std::ranges::all_of(heap.arenas,
                             [](const model::HeapArena& arena) { return arena.system == Bytes{}; });
}

// glibc's own malloc, compiled a second time, with checks (2.34).
bool has_debugging_malloc(const Inspection& inspection) {
  return std::ranges::any_of(inspection.regions, [](const MemoryRegion& region) {
    return path_basename(region.mapping.path).starts_with("libc_malloc_debug.so");
  });
}

}  // namespace

std::vector<model::Mapping> mappings_of(const Inspection& inspection) {
  std::vector<model::Mapping> mappings;
  for (const MemoryRegion& region : inspection.regions) mappings.push_back(region.mapping);
  return mappings;
}

std::string find_malloc_module(const Inspection& inspection, bool is_static) {
  for (const MemoryRegion& region : inspection.regions) {
    if (is_libc_path(region.mapping.path)) return region.mapping.path;
  }
  return is_static ? inspection.executable : "";
}

void HeapInspector::locate(const MemoryReader& memory, const MemoryReader& constants,
                           const Inspection& inspection, const HeapPlace& place) {
  root_ = place.root;
  const std::vector<AddressRange> anonymous = heap_candidates(inspection);
  minimallocs_ = find_minimallocs(FilledMemory(memory, constants, anonymous), inspection);
  if (place.libc.empty()) {
    reason_ = "no C library that heapspy knows the malloc of is in the process";
    return;
  }
  unwind::ModuleCache modules({});
  hints_ = find_glibc_hints(constants, mappings_of(inspection), place.libc, modules, place.root,
                            place.pid);
  for (int i = 0; i < place.tries && hints_ && !malloc_; ++i) {
    malloc_ = heaps::locate_glibc(memory, *hints_);
  }
  by_symbols_ = hints_ && hints_->main_arena;
  if (!malloc_) {
    const std::string version = hints_ ? hints_->version : "";
    reason_ = fmt::format(
        "no malloc state that makes sense {} {}{}: malloc was not used yet, another malloc "
        "stands before it, or this glibc is newer than 2.43{}",
        place.tries > 1 ? "could be read, as it runs, in" : "is in", place.libc,
        version.empty() ? "" : fmt::format(" (glibc {})", version),
        place.tries > 1 ? "; without --no-stop it is read while the process stands" : "");
  }
}

void HeapInspector::locate_again(const MemoryReader& memory) {
  if (hints_ && !malloc_) malloc_ = heaps::locate_glibc(memory, *hints_);
}

heaps::GlibcTarget HeapInspector::glibc_target(const heaps::GlibcMalloc& malloc,
                                               const Inspection& inspection) {
  return {.malloc = malloc,
          .threads = threads_of(inspection),
          .writable = heap_candidates(inspection),
          .page_size = inspection.page_size};
}

std::vector<AddressRange> HeapInspector::survey(const MemoryReader& memory,
                                                const Inspection& inspection) const {
  if (!minimallocs_.layouts.empty()) {
    const std::vector<AddressRange> anonymous = heap_candidates(inspection);
    const MappedFiles files(mappings_of(inspection), root_);
    const FilledMemory filled(memory, files, anonymous);
    std::size_t used_count = 0;
    if (const auto target = minimalloc_target(filled, inspection, used_count)) {
      heaps::survey_minimalloc_heap(filled, *target);
      return {};
    }
  }
  if (!malloc_) return {};
  return heaps::survey_glibc_heap(memory, glibc_target(*malloc_, inspection));
}

void HeapInspector::decode(const MemoryReader& memory, const model::ResidentMap& resident,
                           Inspection& inspection, model::PieceSink* also) const {
  if (decode_minimalloc(memory, resident, inspection, also)) return;
  if (!malloc_) {
    inspection.no_heap_because = minimallocs_.refused.empty() ? reason_ : minimallocs_.refused;
    return;
  }
  const heaps::GlibcTarget target = glibc_target(*malloc_, inspection);
  model::HeapAccountant accountant(resident, {.page_size = inspection.page_size});
  Tee tee(accountant, also);
  inspection.heap = heaps::read_glibc_heap(memory, target, tee);
  if (holds_nothing(*inspection.heap)) {
    inspection.heap.reset();
    inspection.no_heap_because =
        has_debugging_malloc(inspection)
            ? "glibc's malloc has no memory: libc_malloc_debug.so serves the program, as "
              "MALLOC_CHECK_ has it do, with a heap of its own that heapspy does not read"
            : "glibc's malloc has no memory: it was not used yet, or another malloc serves the "
              "program";
    return;
  }
  inspection.heap->found_by = by_symbols_ ? "symbols" : "structure";
  inspection.account = accountant.take();
  inspection.account.by_arena.resize(inspection.heap->arenas.size());
  note_where(tee.regions(), inspection);
}

std::optional<heaps::MinimallocTarget> HeapInspector::minimalloc_target(
    const MemoryReader& filled, const Inspection& inspection, std::size_t& used_count) const {
  std::optional<heaps::MinimallocTarget> target;
  for (const heaps::MinimallocLayout& layout : minimallocs_.layouts) {
    if (!heaps::has_minimalloc_heap(filled, layout)) continue;
    ++used_count;
    if (target) continue;
    target = {.layout = layout,
              .threads = threads_of(inspection),
              .writable = heap_candidates(inspection),
              .is_still = inspection.heap_reading != model::HeapReading::kRunning};
  }
  return target;
}

/// False where there is none, or none that anything was allocated from.
bool HeapInspector::decode_minimalloc(const MemoryReader& memory,
                                      const model::ResidentMap& resident, Inspection& inspection,
                                      model::PieceSink* also) const {
  if (minimallocs_.layouts.empty()) return false;
  const std::vector<AddressRange> anonymous = heap_candidates(inspection);
  const MappedFiles files(mappings_of(inspection), root_);
  const FilledMemory filled(memory, files, anonymous);
  std::size_t used_count = 0;
  const auto target = minimalloc_target(filled, inspection, used_count);
  if (!target) return false;
  if (used_count > 1) {
    inspection.losses.push_back(fmt::format(
        "{} more heaps of libminimalloc, in other files, are not shown", used_count - 1));
  }
  // malloc_trim keeps nothing of free pages, and leaves heaps of the program's own alone.
  model::HeapAccountant accountant(
      resident, {.page_size = inspection.page_size, .kept_in_piece = {}, .only_main = true});
  Tee tee(accountant, also);
  inspection.heap = heaps::read_minimalloc_heap(filled, *target, tee);
  inspection.account = accountant.take();
  inspection.account.by_arena.resize(inspection.heap->arenas.size());
  note_where(tee.regions(), inspection);
  return true;
}

std::vector<AddressRange> heap_candidates(const Inspection& inspection) {
  std::vector<AddressRange> ranges;
  for (const MemoryRegion& region : inspection.regions) {
    const model::Mapping& mapping = region.mapping;
    const bool is_heap =
        mapping.path == "[heap]" || mapping.path.empty() || mapping.path.starts_with("[anon:");
    if (!is_heap || mapping.shared || !mapping.protection.write || region.stack_of) continue;
    ranges.push_back(mapping.range);
  }
  return ranges;
}

Bytes total_of(std::span<const AddressRange> ranges) {
  Bytes total;
  for (const AddressRange& range : ranges) total += range.size();
  return total;
}

void mark_stacks(Inspection& inspection) {
  if (inspection.runtime == "Go runtime") return;  // goroutines' stacks are pieces of its heap
  for (const model::InspectedThread& thread : inspection.threads) {
    if (!thread.stack_pointer) continue;
    const MemoryRegion* region = inspection.region_of(*thread.stack_pointer);
    if (region == nullptr || region->mapping.path.starts_with('/')) continue;
    const auto index = static_cast<std::size_t>(region - inspection.regions.data());
    inspection.regions[index].stack_of = thread.id;
  }
}

}  // namespace mini::sources
