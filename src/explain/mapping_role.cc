#include "explain/mapping_role.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/event_view.h"
#include "explain/modules.h"
#include "model/malloc_arithmetic.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::Mapping;
using model::Role;

// Shared memory has a path in maps that is no file of a file system.
constexpr std::array<std::string_view, 4> kMemoryPaths = {"/dev/zero", "/memfd:", "/SYSV",
                                                          "/dev/shm/"};

struct SpecialMemory {
  std::string_view syscall;
  Role role;
  std::string_view text;
};

// Calls that map one kind of thing only.
constexpr std::array<SpecialMemory, 3> kSpecialMemory = {{
    {"shmat", Role::kSharedMemory, "System V shared memory"},
    {"io_setup", Role::kKernel, "ring of asynchronous input and output"},
    {"map_shadow_stack", Role::kThreadStack, "shadow stack"},
}};

bool is_shared_memory(const Mapping& mapping) {
  for (const std::string_view prefix : kMemoryPaths) {
    if (mapping.path.starts_with(prefix)) return true;
  }
  return mapping.shared && !model::is_path_of_file(mapping.path);
}

bool is_file(const Mapping& mapping) {
  return model::is_path_of_file(mapping.path) && !is_shared_memory(mapping);
}

// What a segment of an ELF file is, by what may be done with it.
std::string_view segment_name(model::Protection protection) {
  if (protection.execute) return "text";
  if (protection.write) return "data";
  return protection.read ? "read-only data" : "gap";
}

std::string file_text(std::string_view path, std::string_view part, model::Protection protection) {
  return fmt::format("{}{}{} {}", path_basename(path), part.empty() ? "" : " ", part,
                     format_protection(protection));
}

bool is_code_role(Role role) {
  return role == Role::kProgramFile || role == Role::kLibraryFile || role == Role::kLoader;
}

Role file_role(const Mapping& mapping, const model::Process& process) {
  if (classify_module(mapping.path, process).kind == ModuleKind::kLoader) return Role::kLoader;
  if (mapping.path == process.executable) return Role::kProgramFile;
  const bool code = mapping.protection.execute || is_library_path(mapping.path);
  return code ? Role::kLibraryFile : Role::kDataFile;
}

MappingMeaning describe_file(const model::Event& event, const Attribution& who,
                             const Mapping& mapping, const model::Process& process) {
  MappingMeaning meaning{.role = file_role(mapping, process), .text = {}, .labels = true};
  std::string_view part;
  if (is_code_role(meaning.role)) {
    const bool first =
        who.cause == Cause::kLoader && mapping.file_offset == 0 && !has_flag(event, kMapFixed);
    part = first ? "(whole image reserved)" : segment_name(mapping.protection);
  }
  meaning.text = file_text(mapping.path, part, mapping.protection);
  return meaning;
}

// The loader puts zeroed memory where a file's data segment ends in the file but not in memory.
MappingMeaning describe_loader_memory(const model::Event& event, const model::Process& process) {
  const Mapping* before =
      event.range.begin.value == 0 ? nullptr : process.space->find(event.range.begin - Bytes{1});
  if (has_flag(event, kMapFixed) && before != nullptr && is_file(*before)) {
    return {Role::kBss, file_text(before->path, "bss", {true, true, false}), true};
  }
  return {Role::kLoader, "loader's own memory", true};
}

bool comes_by(const model::Event& event, std::string_view function) {
  return event.stack != nullptr &&
         std::ranges::any_of(event.stack->frames, [&](const unwind::Frame& frame) {
           return frame.function == function;
         });
}

// Where the break cannot be moved, or is not, with glibc.malloc.hugetlb=2, the main arena grows by
// mappings. A request below the threshold gets no mapping of its own.
bool is_growth_of_arena(const model::Event& event, const model::Process& process) {
  const bool is_small = event.malloc_request && event.malloc_state &&
                        event.malloc_request->chunk < event.malloc_state->mmap_threshold;
  return process.break_refused || is_small || comes_by(event, "sysmalloc_mmap_fallback");
}

// glibc's malloc maps without access only what it reserves for an arena.
MappingMeaning describe_malloc_memory(const model::Event& event, const Mapping& mapping,
                                      const Attribution& who, const model::Process& process) {
  if (who.musl) return {Role::kMmappedChunk, "memory of musl's malloc", true};
  if (has_access(mapping.protection) && is_growth_of_arena(event, process)) {
    return {Role::kMallocArena, "malloc arena, by mmap", true};
  }
  if (has_access(mapping.protection)) return {Role::kMmappedChunk, "mmapped chunk", true};
  const Bytes size = mapping.range.size();
  const bool whole = size == model::kArenaHeap || size == model::kArenaHeap * 2;
  return {Role::kMallocArena,
          whole ? "malloc arena (heap of 64 MiB reserved)" : "malloc arena (reserved)", true};
}

MappingMeaning describe_anonymous(const model::Event& event, const Attribution& who,
                                  const Mapping& mapping, const model::Process& process) {
  if (who.thread_stack) {
    // What is to be a guard has no access from the beginning.
    const bool guarded = !has_access(mapping.protection);
    return {Role::kThreadStack, guarded ? "thread stack with its guard" : "thread stack", true};
  }
  switch (who.cause) {
    case Cause::kLoader:
      return describe_loader_memory(event, process);
    case Cause::kLibcStartup:
      return {Role::kLoader, "C library's start-up memory", true};
    case Cause::kMalloc:
      return describe_malloc_memory(event, mapping, who, process);
    case Cause::kRuntime:
      return {Role::kRuntimeHeap, fmt::format("memory of {}", who.runtime), true};
    case Cause::kProgram:
      break;
    case Cause::kUnknown:
      return {Role::kAnonymous, "anonymous memory", true};
  }
  if (!who.service.empty()) {
    return {Role::kAnonymous, fmt::format("libc's memory for {}", who.service), true};
  }
  const bool reserved = !has_access(mapping.protection);
  return {Role::kAnonymous,
          reserved ? "reserved addresses of the program" : "the program's own memory", true};
}

MappingMeaning describe_new(const model::Event& event, const Attribution& who,
                            const model::Process& process) {
  const Mapping* mapping = first_mapping(event);
  if (mapping == nullptr) return {};
  if (is_of_agent(mapping->path)) return {Role::kAgent, "heapspy's own", true};
  if (is_shared_memory(*mapping)) {
    return {Role::kSharedMemory, fmt::format("shared memory {}", mapping->path), true};
  }
  if (is_file(*mapping)) return describe_file(event, who, *mapping, process);
  return describe_anonymous(event, who, *mapping, process);
}

// In words what a mapping is by its label, for calls on what was there before.
std::string describe_old(const Mapping& mapping, model::Protection protection) {
  if (is_file(mapping)) {
    return file_text(mapping.path, is_code_role(mapping.role) ? segment_name(protection) : "",
                     protection);
  }
  if (mapping.role == Role::kUnknown) {
    return mapping.path.empty() ? "anonymous memory" : mapping.path;
  }
  return std::string(role_name(mapping.role));
}

bool is_end_of_guard(const std::vector<Mapping>& before, model::Protection now) {
  const auto is = [](Role role) { return [role](const Mapping& one) { return one.role == role; }; };
  return has_access(now) && std::ranges::any_of(before, is(Role::kGuard)) &&
         std::ranges::all_of(before, [&](const Mapping& one) {
           return is(Role::kGuard)(one) || is(Role::kAnonymous)(one);
         });
}

MappingMeaning describe_protect(const model::Event& event, const Attribution& who) {
  const Mapping& mapping = event.mappings_before.front();
  const std::uint64_t bits = argument(event, "prot").value_or(0);
  const model::Protection now{
      .read = (bits & 1) != 0, .write = (bits & kProtWrite) != 0, .execute = (bits & 4) != 0};
  MappingMeaning meaning{.role = mapping.role, .text = {}, .labels = false};
  if (mapping.role == Role::kThreadStack && has_access(now)) {
    meaning.text = "thread stack above its guard";
  } else if (mapping.role == Role::kAnonymous && !has_access(now)) {
    return {Role::kGuard, "guard", true};
  } else if (is_end_of_guard(event.mappings_before, now)) {
    return {Role::kAnonymous, std::string(role_name(Role::kAnonymous)), true};
  } else if (is_file(mapping) && mapping.protection.write &&
             (who.cause == Cause::kLoader || who.cause == Cause::kLibcStartup) && !now.write) {
    meaning.text = file_text(mapping.path, "RELRO", now);
  } else {
    meaning.text = describe_old(mapping, now);
  }
  return meaning;
}

MappingMeaning describe_existing(const model::Event& event) {
  const Mapping& mapping = event.mappings_before.front();
  std::string text = describe_old(mapping, mapping.protection);
  if (event.mappings_before.size() > 1) {
    text += fmt::format(" and {} more", event.mappings_before.size() - 1);
  }
  return {mapping.role, std::move(text), false};
}

}  // namespace

bool is_library_path(std::string_view path) {
  const std::string_view name = path_basename(path);
  if (name.ends_with(".so")) return true;
  const auto version = name.find(".so.");
  return version != std::string_view::npos && version + 4 < name.size() &&
         name[version + 4] >= '0' && name[version + 4] <= '9';
}

MappingMeaning describe_mapping(const model::Event& event, const Attribution& who,
                                const model::Process& process) {
  if (event.syscall == "brk") {
    return {Role::kHeap, "heap", break_move(event) > 0 && !event.range.empty()};
  }
  if (event.syscall == "mmap") return describe_new(event, who, process);
  for (const SpecialMemory& special : kSpecialMemory) {
    if (event.syscall == special.syscall) {
      return {special.role, std::string(special.text), true};
    }
  }
  if (event.mappings_before.empty()) return {};
  if (event.syscall == "mprotect" || event.syscall == "pkey_mprotect") {
    return describe_protect(event, who);
  }
  return describe_existing(event);
}

Role role_at_start(const Mapping& mapping, const Mapping* before, const model::Process& process) {
  if (mapping.path == "[heap]") return Role::kHeap;
  if (mapping.path == "[stack]") return Role::kMainStack;
  if (mapping.path.starts_with("[v")) return Role::kKernel;
  if (is_of_agent(mapping.path)) return Role::kAgent;
  if (is_shared_memory(mapping)) return Role::kSharedMemory;
  if (is_file(mapping)) return file_role(mapping, process);
  const bool after_data = before != nullptr && before->range.end == mapping.range.begin &&
                          is_file(*before) && before->protection.write &&
                          mapping.protection.write &&
                          (before->data_end == Address{} || before->data_end > mapping.range.begin);
  return after_data ? Role::kBss : Role::kUnknown;
}

}  // namespace mini::explain
