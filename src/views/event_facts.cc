#include "views/event_facts.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <sys/wait.h>

namespace mini::views {

std::string errno_name(int error_number) {
  const char* name = strerrorname_np(error_number);
  return name != nullptr ? name : fmt::format("errno {}", error_number);
}

std::string errno_text(int error_number) {
  const char* text = strerrordesc_np(error_number);
  return text != nullptr ? text : "an error without a name";
}

bool returns_address(std::string_view syscall) {
  static constexpr std::array<std::string_view, 4> kCalls = {"brk", "mmap", "mremap", "shmat"};
  return std::find(kCalls.begin(), kCalls.end(), syscall) != kCalls.end();
}

const model::Argument* find_argument(const model::Event& event, std::string_view name) {
  const auto found = std::find_if(event.arguments.begin(), event.arguments.end(),
                                  [name](const auto& argument) { return argument.name == name; });
  return found == event.arguments.end() ? nullptr : &*found;
}

bool is_break_question(const model::Event& event) {
  if (event.syscall != "brk" || event.error_number != 0) return false;
  const model::Argument* asked = find_argument(event, "addr");
  if (asked == nullptr && !event.arguments.empty()) asked = &event.arguments.front();
  const auto stayed_at = event.break_after.value_or(Address{});
  return asked == nullptr || asked->value == 0 || asked->value == stayed_at.value
             ? event.break_before.value_or(stayed_at) == stayed_at
             : false;
}

std::int64_t signed_value(const model::Argument& argument) {
  if (argument.name == "fd" || argument.name.ends_with("fd") || argument.name.ends_with("id")) {
    return static_cast<std::int32_t>(argument.value);
  }
  return static_cast<std::int64_t>(argument.value);
}

std::int64_t mapped_change(const model::Event& event) {
  return static_cast<std::int64_t>(event.mapped_bytes.count - event.mapped_before.count);
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

Ending ending_of(int wait_status) {
  Ending ending;
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* text = sigdescr_np(signal);
    ending.exit_status = 128 + signal;
    ending.signal = signal_name(signal);
    ending.description = fmt::format("killed by {} ({})", ending.signal,
                                     text != nullptr ? text : "a real-time signal");
  } else {
    ending.exit_status = WEXITSTATUS(wait_status);
    ending.description = fmt::format("exit status {}", ending.exit_status);
  }
  return ending;
}

std::string_view stack_end_name(unwind::StackEnd end) {
  switch (end) {
    case unwind::StackEnd::kComplete:
      return "complete";
    case unwind::StackEnd::kNoUnwindInfo:
      return "no unwind information";
    case unwind::StackEnd::kUnreadable:
      return "unreadable stack";
    case unwind::StackEnd::kDepthLimit:
      return "depth limit";
    case unwind::StackEnd::kNoProgress:
      return "no progress";
  }
  return "";
}

std::string_view event_type_name(model::EventKind kind) {
  switch (kind) {
    case model::EventKind::kSystemCall:
      return "syscall";
    case model::EventKind::kProcessStart:
      return "process";
    case model::EventKind::kExec:
      return "exec";
    case model::EventKind::kThreadExit:
      return "thread-exit";
    case model::EventKind::kProcessExit:
      return "exit";
  }
  return "";
}

}  // namespace mini::views
