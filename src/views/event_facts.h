// What an event says, apart from how a view prints it: shared by the terminal form and the JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/event.h"
#include "unwind/call_stack.h"

namespace mini::views {

/// "ENOMEM"; "errno 4711" where the C library has no name for it.
std::string errno_name(int error_number);
/// "Cannot allocate memory", never in another language.
std::string errno_text(int error_number);

/// Whether a call's result is an address: brk, mmap, mremap, shmat.
bool returns_address(std::string_view syscall);

/// brk(NULL) and a brk to where the break is: asked, not moved.
bool is_break_question(const model::Event& event);

/// A number argument as the kernel takes it: a descriptor is an int, whatever the register held.
std::int64_t signed_value(const model::Argument& argument);

const model::Argument* find_argument(const model::Event& event, std::string_view name);

/// Mapped bytes that the event added (positive) or took away.
std::int64_t mapped_change(const model::Event& event);

/// "SIGSEGV"; "signal 40" where it has no name.
std::string signal_name(int signal);

/// How a process ended, from the wait status.
struct Ending {
  int exit_status = 0;      // as a shell gives it: 128 + N for signal N
  std::string signal;       // "SIGSEGV"; "" where it exited by itself
  std::string description;  // "exit status 0", "killed by SIGSEGV (Segmentation fault)"
};
Ending ending_of(int wait_status);

/// "complete", "no unwind information", "unreadable stack", "depth limit", "no progress".
std::string_view stack_end_name(unwind::StackEnd end);

/// "syscall", "process", "exec", "thread-exit", "exit": the JSON's `type`.
std::string_view event_type_name(model::EventKind kind);

}  // namespace mini::views
