// Which modules (the program, its libraries, the vDSO) are loaded where.
//
// Read by every thread without a lock, changed at the safe points where the agent says so: the
// loader's list can be had only under the loader's lock, which a thread that comes to malloc may
// hold already.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <link.h>

#include "base/byte_cursor.h"
#include "unwind/self/eh_frame.h"
#include "unwind/self/own_memory.h"

namespace mini::unwind::self {

/// Immutable, and never freed: it may be kept and compared by address. A module that comes back as
/// it was may have the one that it had.
struct Module {
  static constexpr std::size_t kMostBuildIdBytes = 32;

  std::uint32_t index = 0;  // in the order of appearance; no other's
  std::uintptr_t bias = 0;  // what the loader added to the file's addresses
  ByteRange code;           // from the first executable segment to the last
  EhFrame frames;
  // The same part of the file once more, for compile_row() to read: nobody else needs its pages, so
  // they can be discarded. Empty: there is none.
  ByteRange frame_pages;
  std::uintptr_t frame_pages_of = 0;  // the address that their begin stands for
  bool is_in_loaders_index = false;   // _dl_find_object() knows it; it does not know all
  const char* path = "";              // as the loader has it: empty for the program itself
  std::size_t path_bytes = 0;
  std::uint8_t build_id[kMostBuildIdBytes] = {};
  std::size_t build_id_bytes = 0;  // 0: the module has none, or a longer one
  const Module* older = nullptr;   // the record that the table made before
};

/// Told of changes by refresh(), outside of the loader's lock: those that vanished first.
struct ModuleListener {
  void* context = nullptr;
  void (*vanished)(void* context, const Module& module) = nullptr;
  void (*appeared)(void* context, const Module& module) = nullptr;
};

/// What was loaded at one moment, in the order of addresses. Immutable and never freed.
struct ModuleList {
  std::size_t count = 0;
  const Module* const* modules = nullptr;
  const ModuleList* older = nullptr;  // the one that the table made before

  const Module* find(std::uintptr_t pc) const;
  bool has(const Module* module) const { return find(module->code.begin) == module; }
};

/// A module from its program headers; false where it has no code. The path is not copied.
bool describe_module(const ElfW(Phdr) * headers, std::size_t count, std::uintptr_t bias,
                     Module* module);

/// Constant-initialised; readers need nothing but list().
///
/// A list is complete before the store (release) that publishes it, and a reader's load (acquire)
/// finds it so. Nobody changes or frees a published list or module, so a reader may use an old one
/// as long as it likes. What plug-ins leave that come and go is found again when they come back.
class ModuleTable {
 public:
  constexpr ModuleTable() = default;
  ModuleTable(const ModuleTable&) = delete;
  ModuleTable& operator=(const ModuleTable&) = delete;

  const ModuleList& list() const { return *list_.load(std::memory_order_acquire); }

  /// Asks the loader what is loaded; true where anything came or went since, if only between this
  /// call and the last. Modules beyond the kMostModules-th, and those for which there is no memory,
  /// are left out.
  /// REQUIRES: no other thread is in it, and this one is not in the loader.
  bool refresh(const ModuleListener& listener);

 private:
  friend struct Collector;
  static constexpr std::size_t kMostModules = kMapStep / sizeof(const Module*);
  static constexpr std::size_t kMostLookedAt = 256;  // records or lists, of the newest
  static constexpr ModuleList kNothing{};

  const Module* find_record(const Module& module) const;
  const ModuleList* find_list(std::size_t count) const;
  bool publish(std::size_t count);

  std::atomic<const ModuleList*> list_{&kNothing};
  BumpAllocator records_;
  const Module* newest_record_ = nullptr;
  const ModuleList* newest_list_ = nullptr;
  const Module** found_ = nullptr;  // kMostModules of them, while refresh() is at work
  std::uint32_t next_index_ = 0;
  // The loader's counts of what it ever loaded and unloaded: while they stay, nothing changed.
  std::uint64_t adds_ = 0;
  std::uint64_t subs_ = 0;
};

}  // namespace mini::unwind::self
