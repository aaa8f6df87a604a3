// Looks at e_ident and e_machine only; whether the rest is well-formed is the kernel's matter.
#include "kernel/elf_class.h"

#include <array>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>

#include "kernel/file_descriptor.h"

namespace mini::kernel {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kNativeMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kNativeMachine = EM_AARCH64;
#endif
constexpr std::size_t kHeaderBytes = 20;  // up to and with e_machine

}  // namespace

FileKind classify(std::span<const std::byte> first_bytes) {
  std::array<unsigned char, kHeaderBytes> header{};
  const std::size_t size = std::min(first_bytes.size(), header.size());
  if (size > 0) std::memcpy(header.data(), first_bytes.data(), size);
  if (size >= 2 && header[0] == '#' && header[1] == '!') return FileKind::kScript;
  if (size < kHeaderBytes || std::memcmp(header.data(), ELFMAG, SELFMAG) != 0) {
    return FileKind::kOther;
  }
  if (header[EI_CLASS] == ELFCLASS32) return FileKind::kElf32;
  std::uint16_t machine = 0;
  std::memcpy(&machine, header.data() + 18, sizeof machine);
  return machine == kNativeMachine ? FileKind::kNative : FileKind::kForeign;
}

FileKind classify_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return FileKind::kUnreadable;
  std::array<std::byte, kHeaderBytes> header{};
  const ssize_t count = ::pread(file.get(), header.data(), header.size(), 0);
  if (count < 0) return FileKind::kUnreadable;
  return classify(std::span(header).first(static_cast<std::size_t>(count)));
}

FileKind classify_process(pid_t pid) {
  return classify_file(fmt::format("/proc/{}/exe", pid));
}

}  // namespace mini::kernel
