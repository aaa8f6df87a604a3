// From the loader's list to ours.
#include "unwind/self/module_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "kernel/vm/file_pages.h"
#include "unwind/self/loader_index.h"

namespace mini::unwind::self {
namespace {

constexpr std::uint32_t kNoteBuildId = 3;  // NT_GNU_BUILD_ID

ByteRange segment_range(const ElfW(Phdr) & header, std::uintptr_t bias) {
  const std::uintptr_t begin = bias + header.p_vaddr;
  const std::uintptr_t end = begin + header.p_memsz;
  return end < begin ? ByteRange{} : ByteRange{begin, end};
}

// Whole pages from the index on, to the end of its segment. What is as small as what one fault maps
// is not worth it.
void map_frame_pages(const dl_phdr_info& info, Module* module) {
  constexpr std::uintptr_t kPage = kernel::vm::kFilePageBytes;
  constexpr std::uintptr_t kLeastBytes = std::uintptr_t{64} << 10;
  const std::uintptr_t begin = module->frames.header & ~(kPage - 1);
  const std::uintptr_t end = (module->frames.bytes.end + kPage - 1) & ~(kPage - 1);
  if (module->frames.header == 0 || end - begin < kLeastBytes) return;
  std::uintptr_t first_page = 0;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info.dlpi_phdr[i];
    const std::uintptr_t at = info.dlpi_addr + header.p_vaddr;
    if (header.p_type != PT_LOAD || header.p_filesz < kPage) continue;
    if (header.p_offset == 0) first_page = at;
    if (at <= begin && end - kPage < at + header.p_filesz) offset = header.p_offset + (begin - at);
  }
  if (first_page == 0 || first_page % kPage != 0 || offset == 0 || offset % kPage != 0) return;
  const std::uintptr_t at =
      kernel::vm::map_file_pages(module->path, first_page, offset, end - begin);
  if (at == 0) return;
  module->frame_pages = {at, at + (end - begin)};
  module->frame_pages_of = begin;
}

// A note is three words, a name and a description; from the segment's begin on, the last two are
// aligned (gABI, "Note Section"; where they are to 8, the name need not begin there).
void find_build_id(ByteRange notes, std::size_t alignment, Module* module) {
  ByteCursor cursor(notes);
  const auto align = [&] {
    const std::uint64_t padding = (notes.begin - cursor.at()) % alignment;
    cursor.skip(std::min<std::uint64_t>(padding, cursor.rest().end - cursor.at()));
  };
  while (!cursor.at_end()) {
    const auto name_bytes = cursor.take<std::uint32_t>();
    const auto bytes = cursor.take<std::uint32_t>();
    const auto type = cursor.take<std::uint32_t>();
    const ByteRange name = cursor.take_range(name_bytes);
    align();
    const ByteRange description = cursor.take_range(bytes);
    if (!cursor.ok()) return;
    if (type == kNoteBuildId && name_bytes == 4 && bytes <= Module::kMostBuildIdBytes &&
        std::memcmp(reinterpret_cast<const void*>(name.begin), "GNU", 4) == 0) {
      std::memcpy(&module->build_id[0], reinterpret_cast<const void*>(description.begin), bytes);
      module->build_id_bytes = bytes;
      return;
    }
    align();
  }
}

bool is_same(const Module& a, const Module& b) {
  return a.bias == b.bias && a.code.begin == b.code.begin && a.code.end == b.code.end &&
         a.frames.header == b.frames.header && a.frames.bytes.begin == b.frames.bytes.begin &&
         a.frames.bytes.end == b.frames.bytes.end && a.path_bytes == b.path_bytes &&
         std::memcmp(a.path, b.path, a.path_bytes) == 0 && a.build_id_bytes == b.build_id_bytes &&
         std::memcmp(&a.build_id[0], &b.build_id[0], a.build_id_bytes) == 0;
}

}  // namespace

const Module* ModuleList::find(std::uintptr_t pc) const {
  const auto* const after =
      std::upper_bound(modules, modules + count, pc,
                       [](std::uintptr_t at, const Module* m) { return at < m->code.begin; });
  if (after == modules || !after[-1]->code.contains(pc)) return nullptr;
  return after[-1];
}

bool describe_module(const ElfW(Phdr) * headers, std::size_t count, std::uintptr_t bias,
                     Module* module) {
  module->bias = bias;
  for (std::size_t i = 0; i < count; ++i) {
    const ElfW(Phdr)& header = headers[i];
    if (header.p_type == PT_GNU_EH_FRAME) module->frames.header = bias + header.p_vaddr;
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    const ByteRange range = segment_range(header, bias);
    if (module->code.end == 0) module->code = range;
    module->code.begin = std::min(module->code.begin, range.begin);
    module->code.end = std::max(module->code.end, range.end);
  }
  // What is read must lie in a segment: it is mapped then.
  for (std::size_t i = 0; i < count; ++i) {
    if (headers[i].p_type != PT_LOAD || (headers[i].p_flags & PF_R) == 0) continue;
    const ByteRange segment = segment_range(headers[i], bias);
    if (segment.contains(module->frames.header)) module->frames.bytes = segment;
    for (std::size_t j = 0; j < count; ++j) {
      const ByteRange notes = segment_range(headers[j], bias);
      if (headers[j].p_type == PT_NOTE && segment.contains(notes.begin) &&
          notes.end <= segment.end && module->build_id_bytes == 0) {
        find_build_id(notes, headers[j].p_align == 8 ? 8 : 4, module);
      }
    }
  }
  return module->code.begin < module->code.end;
}

/// What dl_iterate_phdr()'s callback works on.
struct Collector {
  ModuleTable& table;
  const ModuleList& old;
  std::size_t count = 0;
  bool is_unchanged = false;

  // Runs under the loader's lock. A nonzero result ends the iteration.
  int take(const dl_phdr_info& info, std::size_t info_bytes) {
    if (count == 0 && info_bytes >= sizeof info) {
      is_unchanged = info.dlpi_adds == table.adds_ && info.dlpi_subs == table.subs_;
      if (is_unchanged) return 1;
      table.adds_ = info.dlpi_adds;
      table.subs_ = info.dlpi_subs;
    }
    if (count == ModuleTable::kMostModules) return 1;
    Module module;
    if (!describe_module(info.dlpi_phdr, info.dlpi_phnum, info.dlpi_addr, &module)) return 0;
    if (info.dlpi_name != nullptr) module.path = info.dlpi_name;
    module.path_bytes = std::strlen(module.path);
    // Later the program may have shut itself in, and be killed for opening a file.
    if (old.count == 0) map_frame_pages(info, &module);
    const Module* const known = old.find(module.code.begin);
    const Module* const kept = known != nullptr && is_same(*known, module) ? known : keep(module);
    if (kept != nullptr) table.found_[count++] = kept;
    return 0;
  }

  const Module* keep(const Module& module) const {
    if (const Module* const known = table.find_record(module); known != nullptr) return known;
    void* const at = table.records_.allocate(sizeof(Module) + module.path_bytes + 1);
    if (at == nullptr) return nullptr;
    auto* const kept = new (at) Module(module);
    char* const path = static_cast<char*>(at) + sizeof(Module);
    std::memcpy(path, module.path, module.path_bytes);
    kept->path = path;
    kept->index = table.next_index_++;
    kept->is_in_loaders_index = loader_index_knows(module.code.begin);
    kept->older = std::exchange(table.newest_record_, kept);
    return kept;
  }

  static int take_one(dl_phdr_info* info, std::size_t info_bytes, void* self) {
    return static_cast<Collector*>(self)->take(*info, info_bytes);
  }
};

// Frame pages are those of the file that was there at first.
const Module* ModuleTable::find_record(const Module& module) const {
  const Module* record = newest_record_;
  for (std::size_t i = 0; record != nullptr && i < kMostLookedAt; ++i, record = record->older) {
    if (record->frame_pages.begin == 0 && is_same(*record, module)) return record;
  }
  return nullptr;
}

// Of those in found_.
const ModuleList* ModuleTable::find_list(std::size_t count) const {
  const ModuleList* list = newest_list_;
  for (std::size_t i = 0; list != nullptr && i < kMostLookedAt; ++i, list = list->older) {
    if (std::equal(found_, found_ + count, list->modules, list->modules + list->count)) return list;
  }
  return nullptr;
}

bool ModuleTable::publish(std::size_t count) {
  if (const ModuleList* const known = find_list(count); known != nullptr) {
    list_.store(known, std::memory_order_release);
    return true;
  }
  void* const at = records_.allocate(sizeof(ModuleList) + count * sizeof(const Module*));
  if (at == nullptr) return false;
  auto* const modules =
      reinterpret_cast<const Module**>(static_cast<std::byte*>(at) + sizeof(ModuleList));
  std::copy(found_, found_ + count, modules);
  newest_list_ = new (at) ModuleList{count, modules, newest_list_};
  list_.store(newest_list_, std::memory_order_release);
  return true;
}

bool ModuleTable::refresh(const ModuleListener& listener) {
  const ModuleList& old = list();
  if (found_ == nullptr) found_ = static_cast<const Module**>(map_zeroed(kMapStep));
  if (found_ == nullptr) return false;
  Collector collector{*this, old};
  dl_iterate_phdr(&Collector::take_one, &collector);
  if (collector.is_unchanged || collector.count == 0) return false;
  std::sort(found_, found_ + collector.count,
            [](const Module* a, const Module* b) { return a->code.begin < b->code.begin; });
  if (std::equal(found_, found_ + collector.count, old.modules, old.modules + old.count)) {
    return true;
  }
  if (!publish(collector.count)) return false;
  for (std::size_t i = 0; i < old.count; ++i) {
    if (listener.vanished != nullptr && !list().has(old.modules[i])) {
      listener.vanished(listener.context, *old.modules[i]);
    }
  }
  for (std::size_t i = 0; i < list().count; ++i) {
    if (listener.appeared != nullptr && !old.has(list().modules[i])) {
      listener.appeared(listener.context, *list().modules[i]);
    }
  }
  return true;
}

}  // namespace mini::unwind::self
