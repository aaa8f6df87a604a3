// Reads an image in one go while its thread is stopped; nothing here fails: what cannot be read
// is left empty, and a verification says so.
#include "sources/program_image.h"

#include <algorithm>

#include "kernel/proc_file.h"
#include "sources/data_end.h"
#include "sources/program_runtime.h"

namespace mini::sources {
namespace {

bool same_but_labels(const model::Mapping& a, const model::Mapping& b) {
  return a.range == b.range && a.protection == b.protection && a.shared == b.shared &&
         a.file_offset == b.file_offset && a.device == b.device && a.inode == b.inode &&
         a.path == b.path;
}

// `wanted` is one mapping of the kernel's; what the model has in its place may be in pieces.
void resync_mapping(model::AddressSpace& space, const model::Mapping& wanted) {
  Address at = wanted.range.begin;
  const auto put = [&](AddressRange range, const model::Mapping* old) {
    if (range.empty()) return;
    model::Mapping piece = model::slice(wanted, range);
    if (old != nullptr) {
      piece.role = old->role;
      piece.cause = old->cause;
      if (same_but_labels(piece, *old)) return;
    }
    space.map(std::move(piece));
  };
  for (const model::Mapping& old : space.within(wanted.range)) {
    put({at, old.range.begin}, nullptr);
    put(old.range, &old);
    at = old.range.end;
  }
  put({at, wanted.range.end}, nullptr);
}

// The break is known by two numbers: where the heap starts, and where its last page ends.
void take_break(TracedProcess& process, const std::vector<model::Mapping>& mappings) {
  model::AddressSpace& space = *process.space->model;
  const auto start = kernel::read_heap_start(process.model.pid);
  if (!start) return;
  space.set_break(*start, kernel::page_size());
  for (const model::Mapping& mapping : mappings) {
    if (mapping.path == "[heap]" && mapping.range.end > *start) {
      space.set_break(mapping.range.end, kernel::page_size());
    }
  }
}

}  // namespace

model::Mapping to_mapping(const kernel::MapsEntry& entry) {
  model::Mapping mapping;
  mapping.range = entry.range;
  mapping.protection = {.read = entry.read, .write = entry.write, .execute = entry.execute};
  mapping.shared = entry.shared;
  mapping.file_offset = entry.file_offset;
  mapping.device = entry.device;
  mapping.inode = entry.inode;
  mapping.path = entry.path;
  return mapping;
}

std::vector<model::Mapping> read_mappings(pid_t pid) {
  std::vector<model::Mapping> mappings;
  const auto entries = kernel::read_maps(pid);
  if (!entries) return mappings;
  mappings.reserve(entries->size());
  for (const kernel::MapsEntry& entry : *entries) {
    if (entry.path != "[vsyscall]") mappings.push_back(to_mapping(entry));
  }
  return mappings;
}

void load_image(TracedProcess& process) {
  const pid_t pid = process.model.pid;
  TracedSpace& space = *process.space;
  process.memory.reopen();
  process.maps.reopen();
  process.size.reopen();
  std::vector<model::Mapping> mappings = read_mappings(pid);
  take_break(process, mappings);
  DataEnds ends(process.memory);
  for (model::Mapping& mapping : mappings) {
    ends.pass(mapping);
    space.model->map(mapping);
  }
  space.root = kernel::root_prefix(pid);
  space.read_implies_exec = kernel::read_implies_exec(pid);
  space.modules_changed = true;
  space.modelled = true;
  const kernel::AuxiliaryVector auxv = kernel::read_auxv(pid);
  process.model.space = space.model;
  process.model.entry_point = auxv.entry_point;
  process.model.executable = kernel::read_proc_link(pid, "exe").value_or("");
  const model::Mapping* loader = auxv.base.value != 0 ? space.model->find(auxv.base) : nullptr;
  process.model.interpreter = loader != nullptr ? loader->path : "";
  process.model.runtime = find_runtime(process.memory, auxv.headers, auxv.headers_count);
}

void resync(model::AddressSpace& space, const std::vector<model::Mapping>& kernel) {
  Address at{0};
  for (const model::Mapping& mapping : kernel) {
    if (at < mapping.range.begin) space.unmap({at, mapping.range.begin});
    resync_mapping(space, mapping);
    at = std::max(at, mapping.range.end);
  }
  space.unmap({at, Address{~std::uint64_t{0}}});
}

void read_anew(model::AddressSpace& space, pid_t pid) {
  const std::vector<model::Mapping> mappings = read_mappings(pid);
  if (!mappings.empty()) resync(space, mappings);
}

Bytes take_stack_growth(TracedProcess& process) {
  model::AddressSpace& space = *process.space->model;
  const model::Mapping* stack = space.stack_end();
  const auto kernel = stack != nullptr ? process.maps.find(stack->range.begin) : std::nullopt;
  if (!kernel || kernel->range.begin >= stack->range.begin || kernel->inode != 0) return {};
  model::Mapping growth = *stack;
  growth.range = {kernel->range.begin, stack->range.begin};
  if (!space.within(growth.range).empty()) return {};
  space.map(growth);
  return growth.range.size();
}

bool is_code(const model::Mapping& mapping) {
  return mapping.protection.execute && (mapping.path.starts_with('/') || mapping.path == "[vdso]");
}

unwind::ModuleMapping to_module(const model::Mapping& mapping, pid_t pid) {
  return {.range = mapping.range,
          .file_offset = mapping.file_offset,
          .path = mapping.path,
          .device = mapping.device,
          .inode = mapping.inode,
          .links = kernel::links_to_mapped(pid, mapping.range)};
}

std::vector<unwind::ModuleMapping> code_modules(const model::AddressSpace& space, pid_t pid) {
  std::vector<unwind::ModuleMapping> modules;
  for (const model::Mapping& mapping : space.mappings()) {
    if (!is_code(mapping)) continue;
    modules.push_back(to_module(mapping, pid));
  }
  return modules;
}

}  // namespace mini::sources
