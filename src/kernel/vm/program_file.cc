// Of an ELF file its head is read, with the segments that linkers put there (ELF-64, gABI chapters
// 4 and 5): its author may be anybody. Where its segments are elsewhere, nothing is said of it.
#include "kernel/vm/program_file.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "kernel/vm/raw_syscall.h"

namespace mini::kernel::vm {
namespace {

constexpr unsigned kMostInterpreters = 4;  // as the kernel
constexpr std::size_t kHeadBytes = 2048;
constexpr long kNoSetUserId = 2;  // ST_NOSUID of sys/statvfs.h
constexpr mode_t kAsGroup = S_ISGID | S_IXGRP;

#if defined(__x86_64__)
constexpr std::uint16_t kNativeMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kNativeMachine = EM_AARCH64;
#endif

/// An open file; for its facts alone where it may not be read.
class OpenFile {
 public:
  OpenFile(int folder, const char* path) {
    if (*path == '\0') {
      descriptor_ = folder;
      return;
    }
    constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
    descriptor_ = raw_syscall(SYS_openat, folder, path, O_RDONLY | kFlags, 0);
    if (is_error(descriptor_)) {
      descriptor_ = raw_syscall(SYS_openat, folder, path, O_PATH | kFlags, 0);
    }
    is_ours_ = !is_error(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (is_ours_) raw_syscall(SYS_close, descriptor_);
  }
  bool is_open() const { return !is_error(descriptor_); }
  long descriptor() const { return descriptor_; }

 private:
  long descriptor_ = -1;
  bool is_ours_ = false;
};

struct Head {
  unsigned char bytes[kHeadBytes];
  std::size_t count = 0;

  bool read(const OpenFile& file) {
    const long got = raw_syscall(SYS_pread64, file.descriptor(), &bytes[0], kHeadBytes - 1, 0);
    count = is_error(got) ? 0 : static_cast<std::size_t>(got);
    bytes[count] = 0;  // what is text in it has an end
    return count != 0;
  }
  template <typename T>
  bool get(std::uint64_t offset, T* out) const {
    if (offset > count || sizeof(T) > count - offset) return false;
    std::memcpy(out, &bytes[offset], sizeof(T));
    return true;
  }
};

PreloadObstacle obstacle_of_loader(const Head& head, const Elf64_Ehdr& header) {
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (header.e_phoff > kHeadBytes || !head.get(header.e_phoff + i * sizeof segment, &segment)) {
      return PreloadObstacle::kNone;
    }
    if (segment.p_type != PT_INTERP) continue;
    const bool is_there = segment.p_offset < head.count;
    const auto* const loader = reinterpret_cast<const char*>(&head.bytes[0]) + segment.p_offset;
    return is_there && std::strstr(loader, "ld-musl") != nullptr ? PreloadObstacle::kOtherLibc
                                                                 : PreloadObstacle::kNone;
  }
  return PreloadObstacle::kStatic;
}

PreloadObstacle obstacle_of_code(const Head& head) {
  Elf64_Ehdr header{};
  if (head.count > EI_CLASS && head.bytes[EI_CLASS] == ELFCLASS32) return PreloadObstacle::kElf32;
  if (!head.get(0, &header)) return PreloadObstacle::kNone;
  if (header.e_machine != kNativeMachine) return PreloadObstacle::kOtherMachine;
  return obstacle_of_loader(head, header);
}

/// Whether this process gets rights from files at all.
bool may_get_rights(const OpenFile& file) {
  struct statfs system{};
  const bool is_told = !is_error(raw_syscall(SYS_fstatfs, file.descriptor(), &system));
  if (is_told && (system.f_flags & kNoSetUserId) != 0) return false;
  return raw_syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

/// Whether the kernel will tell the loader to be careful (AT_SECURE; security/commoncap.c). Most
/// programs have no such rights, and a sandbox may end a process for an unusual call.
bool gives_rights(const OpenFile& file, const struct stat& status) {
  const long user = raw_syscall(SYS_getuid);
  const long group = raw_syscall(SYS_getgid);
  const long effective_user = raw_syscall(SYS_geteuid);
  if (effective_user != user || raw_syscall(SYS_getegid) != group) return true;
  const bool as_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != user;
  const bool as_group = (status.st_mode & kAsGroup) == kAsGroup && status.st_gid != group;
  const bool by_capability = user != 0 && raw_syscall(SYS_fgetxattr, file.descriptor(),
                                                      "security.capability", nullptr, 0) > 0;
  return (as_user || as_group || by_capability) && may_get_rights(file);
}

bool is_elf(const Head& head) {
  return head.count >= SELFMAG && std::memcmp(&head.bytes[0], ELFMAG, SELFMAG) == 0;
}

/// Whether a file's name begins so.
bool is_called(const char* path, const char* beginning) {
  const char* const slash = std::strrchr(path, '/');
  const char* const name = slash == nullptr ? path : slash + 1;
  return std::strncmp(name, beginning, std::strlen(beginning)) == 0;
}

/// A loader that is run as a program has no loader itself. glibc's loads a program with all that is
/// preloaded, and so does musl's, which is its C library too.
bool is_glibc_loader(const char* path) {
  return is_called(path, "ld-linux") || is_called(path, "ld.so");
}
bool is_musl_loader(const char* path) {
  return is_called(path, "ld-musl") || is_called(path, "libc.musl") || is_called(path, "libc.so");
}

/// What a script's first line names: of a file that is no program at all, the shell that tries it.
void write_interpreter(const Head& head, char (&out)[ProgramFile::kMostInterpreterBytes]) {
  const auto* text = reinterpret_cast<const char*>(&head.bytes[0]);
  if (std::strncmp(text, "#!", 2) != 0) text = "#!/bin/sh";
  text += 2;
  text += std::strspn(text, " \t");
  std::size_t bytes = std::strcspn(text, " \t\n");
  if (bytes >= sizeof out) bytes = 0;
  std::memcpy(&out[0], text, bytes);
  out[bytes] = '\0';
}

}  // namespace

ProgramFile look_at_program(int folder, const char* path) {
  ProgramFile program;
  for (unsigned depth = 0; depth <= kMostInterpreters; ++depth) {
    const OpenFile file(folder, path);
    struct stat status{};
    if (!file.is_open() || is_error(raw_syscall(SYS_fstat, file.descriptor(), &status))) {
      return program;
    }
    Head head;
    const bool is_readable = head.read(file);
    if (is_readable && !is_elf(head)) {
      write_interpreter(head, program.interpreter);
      folder = AT_FDCWD;
      path = &program.interpreter[0];
      if (*path == '\0') return program;
      continue;
    }
    program.device = status.st_dev;
    program.inode = status.st_ino;
    if (is_readable && !is_glibc_loader(path)) program.obstacle = obstacle_of_code(head);
    if (program.obstacle == PreloadObstacle::kStatic && is_musl_loader(path)) {
      program.obstacle = PreloadObstacle::kOtherLibc;
    }
    if (program.obstacle == PreloadObstacle::kNone && gives_rights(file, status)) {
      program.obstacle = PreloadObstacle::kMoreRights;
    }
    return program;
  }
  return program;
}

}  // namespace mini::kernel::vm
