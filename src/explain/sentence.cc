// Sentences about everything that is not glibc's malloc, and the choice between them.
#include "explain/sentence.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/event_view.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::Event;
using model::EventKind;
using model::Role;

struct Situation {
  const Event& event;
  const Attribution& who;
  const MappingMeaning& meaning;
  const model::Process& process;
};

struct ErrorHint {
  int error_number;
  std::string_view calls;  // how their names begin
  std::string_view text;
};

// The first that fits is said.
constexpr auto kErrorHints = std::to_array<ErrorHint>({
    {ENOMEM, "mlock",
     "part of the range is not mapped, or a limit: locked memory (RLIMIT_MEMLOCK), number of "
     "mappings (vm.max_map_count)"},
    {ENOMEM, "",
     "no memory, or a limit: address space (RLIMIT_AS, RLIMIT_DATA), overcommit policy, number of "
     "mappings (vm.max_map_count)"},
    {EAGAIN, "io_setup", "the system has as many such rings as it allows (fs.aio-max-nr)"},
    {EAGAIN, "mlock", "not all of the range could be put into RAM"},
    {EAGAIN, "m", "locked memory is at its limit (RLIMIT_MEMLOCK)"},
    {EACCES, "shm", "the segment's mode does not permit it"},
    {EACCES, "", "the file was not opened for that access"},
    {EPERM, "mlock", "no memory may be locked (RLIMIT_MEMLOCK)"},
    {EPERM, "mmap",
     "not permitted: a privilege is missing, the memory is sealed, the address is too low "
     "(vm.mmap_min_addr), or the file's file system has no programs (noexec)"},
    {EPERM, "", "not permitted: a privilege is missing or the memory is sealed"},
    {EEXIST, "", "something is mapped there already, and the call asked not to replace it"},
    {EINVAL, "shm", "there is no such segment, or none is attached there"},
    {EINVAL, "", "an argument makes no sense to the kernel, or it cannot do that"},
});

// Calls whose range is not mapped before.
constexpr std::array<std::string_view, 4> kMappers = {"mmap", "shmat", "io_setup",
                                                      "map_shadow_stack"};

std::string explain_failure(const Event& event) {
  if (event.error_number == ENOMEM && event.syscall == "mmap" && has_flag(event, kMapHugePages)) {
    return "refused: the system has too few free huge pages (vm.nr_hugepages, none by default), or "
           "a limit";
  }
  for (const ErrorHint& hint : kErrorHints) {
    if (hint.error_number != event.error_number || !event.syscall.starts_with(hint.calls)) continue;
    const bool needs_mapping = hint.error_number == ENOMEM && hint.calls.empty() &&
                               std::ranges::find(kMappers, event.syscall) == kMappers.end();
    return fmt::format("refused: {}{}", hint.text,
                       needs_mapping ? ", or part of the range is not mapped" : "");
  }
  return "";
}

std::string size_of(const Event& event) {
  return format_bytes_exact(event.range.size());
}

// ---- brk by anybody but malloc

std::string_view who_asks(const Situation& s) {
  switch (s.who.cause) {
    case Cause::kLoader:
      return "the loader asks where the heap will start";
    case Cause::kLibcStartup:
      return "the C library's start-up asks where the heap will start";
    case Cause::kProgram:
      return s.who.wrapper.ends_with("sbrk")
                 ? "the program's own sbrk has to know where the break is"
                 : "the program asks where the break is";
    case Cause::kRuntime:
      return "the runtime asks where the break is";
    case Cause::kMalloc:
    case Cause::kUnknown:
      break;
  }
  return "it asks where the break is";
}

std::string explain_own_move(const Situation& s, std::int64_t moved) {
  const auto bytes = static_cast<std::uint64_t>(moved < 0 ? -moved : moved);
  const std::string mover =
      s.who.library.empty() ? "the program" : fmt::format("{}'s code", s.who.library);
  std::string text = fmt::format("{} moved the break {} itself by {}; malloc had no part in it",
                                 mover, moved < 0 ? "back" : "up", in_bytes(Bytes{bytes}));
  if (moved > 0 && s.event.mapped_bytes == s.event.mapped_before) {
    text += "; they lie in a page that was mapped already";
  }
  return text;
}

std::string explain_brk(const Situation& s) {
  if (is_break_question(s.event)) return fmt::format("a question, not a growth: {}", who_asks(s));
  if (is_break_refused(s.event)) {
    return "the kernel refused: the break stays where it was (a limit, the overcommit policy, or "
           "another mapping in the way)";
  }
  const std::int64_t moved = break_move(s.event);
  const Bytes bytes{static_cast<std::uint64_t>(moved < 0 ? -moved : moved)};
  switch (s.who.cause) {
    case Cause::kProgram:
      return moved == 0 ? "the program set the break to where it was" : explain_own_move(s, moved);
    case Cause::kLibcStartup:
      return fmt::format(
          "the program is static and malloc not ready yet: start-up takes {} from the "
          "break for thread-local storage and the like",
          format_bytes_exact(bytes));
    case Cause::kRuntime:
      return fmt::format("{} {} {} of heap itself, without libc's malloc", s.who.runtime,
                         moved < 0 ? "gives back" : "takes", format_bytes_exact(bytes));
    case Cause::kLoader:
    case Cause::kMalloc:
    case Cause::kUnknown:
      break;
  }
  return "";
}

// ---- the loader

std::string explain_segment(const Event& event, const model::Mapping& mapping,
                            const std::string& when) {
  const std::string_view name = path_basename(mapping.path);
  if (!has_flag(event, kMapFixed) && mapping.file_offset == 0) {
    return fmt::format(
        "room for the whole of {} in one piece, {}; its other segments are mapped over this one{}",
        name, format_bytes(event.range.size()), when);
  }
  if (mapping.protection.execute) {
    return fmt::format("the code of {}, shared by all processes that use it", name);
  }
  return mapping.protection.write
             ? fmt::format(
                   "variables of {}: a private copy of the file's, page by page when written", name)
             : fmt::format("constants of {}", name);
}

std::string explain_loader_mmap(const Situation& s) {
  const std::string when = s.who.at_run_time && !s.who.service.empty()
                               ? fmt::format("; asked for by {}", s.who.service)
                               : "";
  const model::Mapping* mapping = first_mapping(s.event);
  if (mapping == nullptr) return "";
  if (path_basename(mapping->path) == "ld.so.cache") {
    return "the index of installed libraries: read to find them, unmapped when all are loaded";
  }
  switch (s.meaning.role) {
    case Role::kBss:
      return fmt::format("zeroed variables of {}, which its file does not hold",
                         path_basename(s.meaning.text.substr(0, s.meaning.text.find(' '))));
    case Role::kLoader:
      if (!mapping->path.empty()) break;
      if (s.who.service == "thread-local storage") {
        return "the first thread's descriptor and thread-local storage";
      }
      if (s.who.service == "loader's own allocator") {
        return "the loader's own small allocator, used until libc's malloc is there";
      }
      return "memory the loader needs for itself, before malloc works" + when;
    case Role::kLibraryFile:
    case Role::kProgramFile:
      return explain_segment(s.event, *mapping, when);
    case Role::kUnknown:
    case Role::kDataFile:
    case Role::kHeap:
    case Role::kMainStack:
    case Role::kThreadStack:
    case Role::kGuard:
    case Role::kMallocArena:
    case Role::kMmappedChunk:
    case Role::kRuntimeHeap:
    case Role::kAnonymous:
    case Role::kSharedMemory:
    case Role::kKernel:
    case Role::kAgent:
      break;
  }
  return "";
}

std::string explain_relro(const Situation& s) {
  const model::Mapping* mapping = first_mapping(s.event);
  const bool loses_write = mapping != nullptr && mapping->protection.write &&
                           (argument(s.event, "prot").value_or(kProtWrite) & kProtWrite) == 0;
  return loses_write ? "relocation is done: what it had to write becomes read-only (RELRO)" : "";
}

std::string explain_loader(const Situation& s) {
  const model::Mapping* mapping = first_mapping(s.event);
  if (s.event.syscall == "mmap") return explain_loader_mmap(s);
  if (mapping == nullptr) return "";
  if (s.event.syscall == "mprotect") return explain_relro(s);
  if (s.event.syscall == "munmap") {
    if (path_basename(mapping->path) == "ld.so.cache") {
      return "all libraries are found: the index is no longer needed";
    }
    return s.who.service == "dlclose" ? "the library was closed" : "";
  }
  return "";
}

// ---- the program's memory as a whole

// "MCL_CURRENT|MCL_FUTURE"
std::string explain_mlockall(const Event& event) {
  const std::string_view flags = argument_text(event, "flags");
  const bool now = flags.contains("MCL_CURRENT");
  const bool later = flags.contains("MCL_FUTURE");
  const std::string_view what = now && later ? "all that is mapped, now or later, stays"
                                : now        ? "all that is mapped now stays"
                                             : "all that will be mapped from now on stays";
  return fmt::format(
      "{} in RAM{}", what,
      flags.contains("MCL_ONFAULT") ? " once it is touched" : ", and is put there at once");
}

// ---- threads, runtimes, the program

std::string explain_thread_stack(const Situation& s) {
  const Event& event = s.event;
  if (event.syscall == "mmap") {
    const model::Mapping* stack = first_mapping(event);
    const bool guarded = stack != nullptr && !has_access(stack->protection);
    return fmt::format("a stack for a new thread: {}{}", size_of(event),
                       guarded ? " with the guard below it" : "");
  }
  if (event.syscall == "mprotect" && event.range.begin.value != 0) {
    const model::Mapping* guard = s.process.space->find(event.range.begin - Bytes{1});
    if (guard != nullptr && guard->role == Role::kThreadStack && !guard->protection.read) {
      return fmt::format("{} of stack become usable; the {} below stay without access, as a guard",
                         size_of(event), format_bytes(guard->range.size()));
    }
  }
  return "";
}

std::string explain_runtime(const Situation& s) {
  if (s.who.thread_stack) return explain_thread_stack(s);
  if (s.event.syscall == "mmap") {
    return fmt::format("{} manages its own memory: {}, without libc's malloc", s.who.runtime,
                       size_of(s.event));
  }
  if (s.event.syscall == "munmap") {
    return fmt::format("{} gives back {}", s.who.runtime, size_of(s.event));
  }
  return "";
}

std::string explain_program(const Situation& s) {
  if (s.who.thread_stack) return explain_thread_stack(s);
  if (s.event.syscall == "madvise" && s.who.service == "thread exit") {
    return "the thread has ended: the pages of its stack are let go, the stack is kept for the "
           "next";
  }
  if (!s.who.service.empty() || s.event.range.empty()) return "";
  const std::string maker =
      s.who.library.empty() ? "the program" : fmt::format("{}'s code", s.who.library);
  if (s.event.syscall == "mmap") return fmt::format("{} mapped {} itself", maker, size_of(s.event));
  if (s.event.syscall == "munmap") {
    return fmt::format("{} unmapped {} itself", maker, size_of(s.event));
  }
  return "";
}

// ---- what is no memory call

std::string explain_other_kind(const Situation& s) {
  const Event& event = s.event;
  switch (event.kind) {
    case EventKind::kExec:
      return fmt::format(
          "a new program: what was mapped is gone; the kernel mapped its file{} a stack, {} in all",
          s.process.interpreter.empty() ? " and" : ", its loader and",
          format_bytes(event.mapped_bytes));
    case EventKind::kProcessStart:
      if (event.note == "attach") {
        return fmt::format(
            "joined while running: {} are mapped already; who mapped them was not seen",
            format_bytes(event.mapped_bytes));
      }
      if (event.note == "vfork") {
        return "a child that borrows its parent's memory until it calls execve";
      }
      if (event.note == "clone") {
        return "a child that shares its parent's memory: what one maps, the other has too";
      }
      return fmt::format("a child with a copy of its parent's {}; pages are shared until written",
                         format_bytes(event.mapped_bytes));
    case EventKind::kSystemCall:
    case EventKind::kThreadExit:
    case EventKind::kProcessExit:
      break;
  }
  return "";
}

}  // namespace

std::string in_bytes(Bytes n) {
  return fmt::format("{} byte{}", n.count, n.count == 1 ? "" : "s");
}

std::string explain_call(const Event& event, const Attribution& who, const MappingMeaning& meaning,
                         const model::Process& process) {
  const Situation s{event, who, meaning, process};
  if (event.kind != EventKind::kSystemCall) return explain_other_kind(s);
  if (event.error_number != 0) return explain_failure(event);
  if (who.cause == Cause::kMalloc && !who.musl) return explain_malloc_call(event, who, meaning);
  if (event.syscall == "brk") return explain_brk(s);
  if (event.syscall == "mlockall") return explain_mlockall(event);
  if (event.syscall == "munlockall") return "nothing has to stay in RAM any more";
  switch (who.cause) {
    case Cause::kLoader:
      return explain_loader(s);
    case Cause::kRuntime:
      return explain_runtime(s);
    case Cause::kProgram:
      return explain_program(s);
    case Cause::kLibcStartup:
      return event.syscall == "mprotect" ? explain_relro(s) : "";
    case Cause::kMalloc:
    case Cause::kUnknown:
      break;
  }
  return "";
}

}  // namespace mini::explain
