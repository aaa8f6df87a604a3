// Why the kernel does not let us trace, and what to change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace mini::sources {

/// What is known of a refused PTRACE_SEIZE.
struct Refusal {
  int error_number = 0;
  bool own_child = false;  // a program that we start; else a process to be joined
  pid_t tracer = 0;        // who traces it already; 0: nobody
  std::optional<std::uint32_t> owner = std::nullopt;  // the process's effective user
  std::uint32_t user = 0;                             // ours
  int ptrace_scope = 0;                               // kernel.yama.ptrace_scope
};

/// "Operation not permitted; set … to 0 (sudo …)": the reason, then the way out.
std::string explain_refusal(const Refusal& refusal);

/// The same for a process that refused us just now.
std::string explain_refusal(pid_t pid, int error_number, bool own_child);

inline constexpr std::string_view kNoProc =
    "/proc is not mounted, where the kernel shows processes: mount -t proc proc /proc";

/// Whether /proc is there.
bool sees_processes();

/// Why there is nothing of a process in /proc.
std::string explain_absence(pid_t pid);

}  // namespace mini::sources
