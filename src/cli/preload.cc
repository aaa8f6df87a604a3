#include "cli/preload.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/preload_obstacle.h"
#include "kernel/proc_file.h"
#include "kernel/vm/program_file.h"
#include "unwind/elf_file.h"
#include "unwind/needed_libraries.h"
#include "unwind/symbol_table.h"
#include "views/event_facts.h"
#include "wire/attach.h"

namespace mini::cli {
namespace {

/// "is statically linked: …", of a program that a library of ours cannot be preloaded into.
std::string why(PreloadObstacle obstacle, const OwnLibrary& library) {
  switch (obstacle) {
    case PreloadObstacle::kStatic:
      return fmt::format(
          "is statically linked: it has its own malloc in it, and no loader that could load {}",
          library.name);
    case PreloadObstacle::kOtherLibc:
      return fmt::format("uses the C library musl, and {} was built for another", library.name);
    case PreloadObstacle::kElf32:
      return fmt::format("is a 32-bit program, and {} is for 64-bit ones", library.name);
    case PreloadObstacle::kOtherMachine:
      return fmt::format("is a program of another architecture than {}", library.name);
    case PreloadObstacle::kMoreRights:
      return "runs with more rights than you have (set-user-ID, set-group-ID or capabilities), and "
             "for such programs the loader ignores LD_PRELOAD";
    case PreloadObstacle::kOutOfReach:
    case PreloadObstacle::kOwnMalloc:
    case PreloadObstacle::kNone:
      break;
  }
  return "";
}

Result<std::string> find_own_library(const OwnLibrary& library) {
  std::string folder = kernel::read_proc_link(::getpid(), "exe").value_or("");
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  const std::vector<std::string> folders = {folder + "/" + library.build_folder,
                                            folder + "/" MINI_RELATIVE_LIBDIR, MINI_FULL_LIBDIR};
  for (const std::string& candidate : folders) {
    std::string path = candidate + "/" + library.file;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return fail(fmt::format("{} is neither in {} nor in {}: say where with {}", library.file,
                          folders[1], folders[2], library.option));
}

bool has_function(const unwind::ElfFile& file, const char* name) {
  using unwind::SymbolTable;
  return SymbolTable(file, SymbolTable::Kind::kDynamic).address_of(name).has_value();
}

std::optional<std::string> sanitizer_of(const unwind::ElfFile& file) {
  constexpr std::array kRuntimes = std::to_array<std::pair<std::string_view, const char*>>({
      {"libasan.so", "AddressSanitizer"},
      {"libclang_rt.asan", "AddressSanitizer"},
      {"libtsan.so", "ThreadSanitizer"},
      {"libclang_rt.tsan", "ThreadSanitizer"},
  });
  for (const std::string& needed : unwind::needed_libraries(file)) {
    for (const auto& [beginning, name] : kRuntimes) {
      if (needed.starts_with(beginning)) return name;
    }
  }
  return std::nullopt;
}

/// Whether the file at `path` may stand for a library of ours.
bool is_own_library(const std::string& path, const OwnLibrary& library) {
  const auto file = unwind::ElfFile::open(path);
  return file && has_function(**file, library.function);
}

}  // namespace

const OwnLibrary kMinimalloc{"libminimalloc.so.0", "libminimalloc", "--library", "../api",
                             "malloc"};  // another malloc may be chosen
const OwnLibrary kAgent{"libheapspy-agent.so", "heapspy's agent", "--agent", "../agent",
                        wire::kAttachFunction};

std::optional<std::string> why_not_preloaded(const std::string& path, const OwnLibrary& library) {
  const kernel::vm::ProgramFile program = kernel::vm::look_at_program(AT_FDCWD, path.c_str());
  const std::string words = why(program.obstacle, library);
  if (words.empty()) return std::nullopt;
  const std::string interpreter = &program.interpreter[0];
  return interpreter.empty() ? words
                             : fmt::format("is a script of {}, which {}", interpreter, words);
}

bool is_traceable(const std::string& path) {
  const kernel::vm::ProgramFile program = kernel::vm::look_at_program(AT_FDCWD, path.c_str());
  return program.obstacle != PreloadObstacle::kElf32 &&
         program.obstacle != PreloadObstacle::kOtherMachine;
}

MallocChoice look_at_malloc(const std::string& path) {
  const auto file = unwind::ElfFile::open(path);
  if (!file) return {};
  return {.sanitizer = sanitizer_of(**file), .has_own = has_function(**file, "malloc")};
}

Result<std::string> choose_library(const OwnLibrary& library,
                                   const std::optional<std::string>& chosen) {
  if (!chosen) return find_own_library(library);
  if (::access(chosen->c_str(), R_OK) != 0) {
    const int error = errno;
    return fail(fmt::format("cannot read '{}': {}", *chosen, views::errno_text(error)));
  }
  if (!is_own_library(*chosen, library)) {
    return fail(fmt::format("'{}' is not {}: without {} the one is used that came with heapspy",
                            *chosen, library.name, library.option));
  }
  std::error_code error;
  const auto absolute = std::filesystem::absolute(*chosen, error);
  return error ? *chosen : absolute.string();
}

Result<std::string> choose_preloaded_library(const OwnLibrary& library,
                                             const std::optional<std::string>& chosen) {
  auto path = choose_library(library, chosen);
  if (!path || is_preloadable(*path)) return path;
  return fail(fmt::format(
      "the loader preloads no library whose path has a space, a colon, $ORIGIN, $LIB or $PLATFORM: "
      "'{}'; name a copy that is elsewhere with {}",
      *path, library.option));
}

std::string preload_list(const char* before, const std::string& library) {
  return before == nullptr || *before == '\0' ? library : fmt::format("{}:{}", before, library);
}

}  // namespace mini::cli
