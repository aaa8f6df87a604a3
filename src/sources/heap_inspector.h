// Finds the heap in a process's or a core's memory and has it decoded: what both sources share.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/memory_reader.h"
#include "heaps/glibc_heap.h"
#include "heaps/minimalloc_heap.h"
#include "model/inspection.h"
#include "model/resident_map.h"
#include "sources/minimalloc_location.h"

namespace mini::sources {

struct HeapPlace {
  std::string libc;  // the module that malloc is in: path as in the mappings
  std::string root;  // what to put before paths to open them
  pid_t pid = 0;     // 0 for a core
  int tries = 1;     // how often to look for malloc's state: one look may see it change
};

/// The C library among the regions, or the program itself where that is static; "" where neither
/// is.
std::string find_malloc_module(const model::Inspection& inspection, bool is_static);

/// What is found before the process is stopped, if it can be: it does not change.
class HeapInspector {
 public:
  /// `inspection` has regions and executable; `constants` reads what of memory never changes.
  void locate(const MemoryReader& memory, const MemoryReader& constants,
              const model::Inspection& inspection, const HeapPlace& place);
  /// Once more, where malloc's state was not found. `memory` stands still.
  void locate_again(const MemoryReader& memory);

  /// What of the heap's memory to copy for decode() to be right later, when the process runs again;
  /// what else it needs is read here, in the same steps. Of libminimalloc's heap that is all: its
  /// blocks hold nothing that tells of the heap.
  std::vector<AddressRange> survey(const MemoryReader& memory,
                                   const model::Inspection& inspection) const;

  /// Fills in heap, account and heap_mappings, or no_heap_because. `resident` as of this moment;
  /// `also` gets every piece too, unless it is null.
  void decode(const MemoryReader& memory, const model::ResidentMap& resident,
              model::Inspection& inspection, model::PieceSink* also) const;

 private:
  static heaps::GlibcTarget glibc_target(const heaps::GlibcMalloc& malloc,
                                         const model::Inspection& inspection);
  /// The heap that the program uses; nullopt where it has none. `used_count`: of how many.
  std::optional<heaps::MinimallocTarget> minimalloc_target(const MemoryReader& filled,
                                                           const model::Inspection& inspection,
                                                           std::size_t& used_count) const;
  bool decode_minimalloc(const MemoryReader& memory, const model::ResidentMap& resident,
                         model::Inspection& inspection, model::PieceSink* also) const;

  MinimallocsFound minimallocs_;
  std::string root_;
  std::optional<heaps::GlibcHints> hints_;
  std::optional<heaps::GlibcMalloc> malloc_;
  bool by_symbols_ = false;
  std::string reason_;  // why there is none
};

std::vector<model::Mapping> mappings_of(const model::Inspection& inspection);

/// The private, writable mappings without a file: where heaps can be.
std::vector<AddressRange> heap_candidates(const model::Inspection& inspection);

Bytes total_of(std::span<const AddressRange> ranges);

/// Marks the mappings that threads' stack pointers are in.
void mark_stacks(model::Inspection& inspection);

}  // namespace mini::sources
