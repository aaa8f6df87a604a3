// A program's ELF header and segments are read with bounds: its author may be anybody.
#include "cli/preload.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vector>

#include "kernel/elf_class.h"
#include "kernel/file_descriptor.h"
#include "kernel/proc_file.h"
#include "views/event_facts.h"

namespace mini::cli {
namespace {

constexpr unsigned kMostInterpreters = 4;  // as the kernel

bool read_at(int fd, std::uint64_t offset, void* out, std::size_t bytes) {
  return ::pread(fd, out, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

/// The loader that an ELF program names; "" where it names none, nullopt where it cannot be read.
std::optional<std::string> loader_of(const std::string& path) {
  const kernel::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Elf64_Ehdr header{};
  if (!file || !read_at(file.get(), 0, &header, sizeof header)) return std::nullopt;
  constexpr std::uint64_t kMostOffset = std::uint64_t{1} << 48;
  for (std::uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    const std::uint64_t at = header.e_phoff + std::uint64_t{i} * sizeof segment;
    if (header.e_phoff > kMostOffset || !read_at(file.get(), at, &segment, sizeof segment)) {
      return std::nullopt;
    }
    if (segment.p_type != PT_INTERP) continue;
    std::array<char, 4096> name{};
    const std::size_t size = std::min<std::uint64_t>(segment.p_filesz, name.size() - 1);
    if (segment.p_offset > kMostOffset ||
        !read_at(file.get(), segment.p_offset, name.data(), size)) {
      return std::nullopt;
    }
    return name.data();
  }
  return "";
}

/// What a script's first line names; "/bin/sh" where it is no "#!" line.
std::string interpreter_of(const std::string& path) {
  const kernel::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 256> line{};  // the kernel reads no more
  if (!file || ::pread(file.get(), line.data(), line.size() - 1, 0) <= 2) return "";
  if (std::strncmp(line.data(), "#!", 2) != 0) return "/bin/sh";
  const std::string_view text = line.data() + 2;
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  const auto end = std::min(text.find_first_of(" \t\n", begin), text.size());
  return std::string(text.substr(begin, end - begin));
}

/// Whether running it gives more rights than its user has: the loader then trusts no environment.
bool gives_rights(const std::string& path) {
  struct stat status{};
  struct statvfs system{};
  if (::stat(path.c_str(), &status) != 0) return false;
  if (::statvfs(path.c_str(), &system) == 0 && (system.f_flag & ST_NOSUID) != 0) return false;
  const bool as_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid();
  constexpr mode_t kAsGroup = S_ISGID | S_IXGRP;
  const bool as_group = (status.st_mode & kAsGroup) == kAsGroup && status.st_gid != ::getgid();
  const bool by_capability =
      ::geteuid() != 0 && ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return as_user || as_group || by_capability;
}

std::optional<std::string> why_not_native(const std::string& path, const OwnLibrary& library) {
  if (gives_rights(path)) {
    return "runs with more rights than you have (set-user-ID, set-group-ID or capabilities), and "
           "for "
           "such programs the loader ignores LD_PRELOAD";
  }
  const auto loader = loader_of(path);
  if (!loader) return std::nullopt;
  if (loader->empty()) {
    return fmt::format(
        "is statically linked: it has its own malloc in it, and no loader that "
        "could load {}",
        library.name);
  }
  if (loader->find("ld-musl") != std::string::npos) {
    return fmt::format("uses the C library musl, and {} was built for another", library.name);
  }
  return std::nullopt;
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

}  // namespace

const OwnLibrary kMinimalloc{"libminimalloc.so.0", "libminimalloc", "--library", "../api"};
const OwnLibrary kAgent{"libheapspy-agent.so", "heapspy's agent", "--agent", "../agent"};

std::optional<std::string> why_not_preloaded(const std::string& path, const OwnLibrary& library) {
  std::string program = path;
  for (unsigned depth = 0; depth <= kMostInterpreters; ++depth) {
    std::optional<std::string> why;
    switch (kernel::classify_file(program)) {
      case kernel::FileKind::kNative:
        why = why_not_native(program, library);
        break;
      case kernel::FileKind::kElf32:
        why = fmt::format("is a 32-bit program, and {} is for 64-bit ones", library.name);
        break;
      case kernel::FileKind::kForeign:
        why = fmt::format("is a program of another architecture than {}", library.name);
        break;
      case kernel::FileKind::kScript:
      case kernel::FileKind::kOther:
        program = interpreter_of(program);
        continue;
      case kernel::FileKind::kUnreadable:
        break;
    }
    if (!why || program == path) return why;
    return fmt::format("is a script of {}, which {}", program, *why);
  }
  return std::nullopt;
}

Result<std::string> choose_library(const OwnLibrary& library,
                                   const std::optional<std::string>& chosen) {
  if (!chosen) return find_own_library(library);
  if (::access(chosen->c_str(), R_OK) != 0) {
    const int error = errno;
    return fail(fmt::format("cannot read '{}': {}", *chosen, views::errno_text(error)));
  }
  std::error_code error;
  const auto absolute = std::filesystem::absolute(*chosen, error);
  return error ? *chosen : absolute.string();
}

Result<std::string> preload_list(const char* before, const std::string& library) {
  if (library.find_first_of(": \t\n") != std::string::npos) {
    return fail(fmt::format("the loader takes no library whose path has a space or a colon: '{}'",
                            library));
  }
  return before == nullptr || *before == '\0' ? library : fmt::format("{}:{}", before, library);
}

}  // namespace mini::cli
