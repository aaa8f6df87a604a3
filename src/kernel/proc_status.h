// /proc/PID/{status,stat,statm,auxv,personality}: parsers of their text, and one cheap reader.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <sys/types.h>

#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

/// From /proc/PID/status.
struct ProcessStatus {
  pid_t thread_group = 0;  // Tgid: the process of a thread
  pid_t parent = 0;
  pid_t tracer = 0;  // 0 where nobody traces it
  std::uint32_t effective_user = 0;
  std::uint32_t effective_group = 0;
  std::uint64_t effective_capabilities = 0;  // one bit each
  std::uint64_t permitted_capabilities = 0;
  char state = '?';  // R S D T t Z X
  bool kernel_thread = false;

  bool has_ended() const { return state == 'Z' || state == 'X'; }
};
std::optional<ProcessStatus> parse_status(std::string_view text);
std::optional<ProcessStatus> read_status(pid_t pid);

/// Whether a process is that one, or a child of it, or a child's child, as far as their parents did
/// not end before them.
bool descends_from(pid_t pid, pid_t ancestor);

/// The last number of the line NSpid of /proc/PID/status: in the innermost namespace. nullopt where
/// there is no such line.
std::optional<pid_t> parse_innermost_pid(std::string_view status_text);

/// Whether a signal waits for the thread that it neither blocks nor ignores.
bool has_signal_waiting(pid_t tid);
bool parse_signal_waiting(std::string_view status_text);

/// Where the heap starts, field 47 of /proc/PID/stat; nullopt where it is hidden from us (0).
std::optional<Address> parse_heap_start(std::string_view stat_text);
std::optional<Address> read_heap_start(pid_t pid);

/// What the kernel told the program at exec: entries of /proc/PID/auxv, 0 where absent.
struct AuxiliaryVector {
  Address entry_point;              // AT_ENTRY
  Address base;                     // AT_BASE: where the ELF interpreter is; 0 for a static program
  Address headers;                  // AT_PHDR: the program headers of the executable
  std::uint64_t headers_count = 0;  // AT_PHNUM
};
AuxiliaryVector parse_auxv(std::span<const std::byte> bytes);
AuxiliaryVector read_auxv(pid_t pid);

/// Whether what is readable is mapped executable too (setarch -X).
bool read_implies_exec(pid_t pid);

/// From /proc/PID/statm.
struct MemorySize {
  Bytes mapped;    // the sum of all mappings but [vsyscall]
  Bytes resident;  // RSS
};
std::optional<MemorySize> parse_statm(std::string_view text, Bytes page_size);

/// The size of one process at the price of one pread.
class SizeReader {
 public:
  explicit SizeReader(pid_t pid) : pid_(pid) {}
  std::optional<MemorySize> read();
  /// To be called after execve: the file stays with the address space it was opened on.
  void reopen() { file_ = {}; }

 private:
  pid_t pid_;
  FileDescriptor file_;
};

/// /proc/sys/kernel/yama/ptrace_scope; 0 where there is no such restriction.
int read_ptrace_scope();

Bytes page_size();

/// A thread of the process by which its memory can be looked at: the main one, or another where
/// that has ended and others go on, since the kernel shows nothing by its number then. The
/// process's own number where there is none.
pid_t thread_with_memory(pid_t pid);

}  // namespace mini::kernel
