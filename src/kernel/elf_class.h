// What kind of program a file is, from its first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <sys/types.h>

namespace mini::kernel {

enum class FileKind : std::uint8_t {
  kNative,     // an ELF program of this architecture
  kElf32,      // a 32-bit ELF program
  kForeign,    // a 64-bit ELF program of another architecture
  kScript,     // begins with "#!"
  kOther,      // readable and none of these
  kUnreadable  // execute-only or gone
};

FileKind classify(std::span<const std::byte> first_bytes);
FileKind classify_file(const std::string& path);
FileKind classify_process(pid_t pid);  // what it runs

}  // namespace mini::kernel
