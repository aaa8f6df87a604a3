#include "kernel/memory_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits>
#include <sys/ptrace.h>

namespace mini::kernel {
namespace {

using Word = unsigned long;

bool poke_word(pid_t thread, std::uint64_t at, std::span<const std::byte> bytes) {
  Word word = 0;
  if (bytes.size() < sizeof word) {
    errno = 0;
    word = static_cast<Word>(::ptrace(PTRACE_PEEKDATA, thread, at, nullptr));
    if (errno != 0) return false;
  }
  std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
  return ::ptrace(PTRACE_POKEDATA, thread, at, word) == 0;
}

}  // namespace

MemoryWriter::MemoryWriter(pid_t pid)
    : file_(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDWR | O_CLOEXEC)) {}

bool MemoryWriter::write(Address to, std::span<const std::byte> bytes, pid_t stopped_thread) const {
  if (to.value > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return false;
  if (file_ && ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(to.value)) ==
                   static_cast<ssize_t>(bytes.size())) {
    return true;
  }
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Word)) {
    if (!poke_word(stopped_thread, to.value + at, bytes.subspan(at))) return false;
  }
  return true;
}

}  // namespace mini::kernel
