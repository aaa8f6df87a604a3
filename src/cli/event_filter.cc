#include "cli/event_filter.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernel/syscall_table.h"

namespace mini::cli {
namespace {

using model::Cause;
using model::Event;
using model::EventKind;

std::vector<std::string> known_causes() {
  std::vector<std::string> names;
  for (int i = 0; i < model::kCauseCount; ++i) {
    names.emplace_back(model::cause_name(static_cast<Cause>(i)));
  }
  return names;
}

Result<std::vector<std::string>> split_known(std::string_view list, std::string_view what,
                                             const std::vector<std::string>& known) {
  std::vector<std::string> chosen;
  while (true) {
    const auto comma = list.find(',');
    const std::string name(list.substr(0, comma));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(fmt::format("no {} '{}': choose from {}", what, name, fmt::join(known, " ")));
    }
    chosen.push_back(name);
    if (comma == std::string_view::npos) return chosen;
    list.remove_prefix(comma + 1);
  }
}

/// The bytes an event is about: how much is mapped more or less, or the range it changes.
Bytes size_of(const Event& event) {
  const std::uint64_t before = event.mapped_before.count;
  const std::uint64_t after = event.mapped_bytes.count;
  const Bytes changed{after > before ? after - before : before - after};
  return std::max(changed, event.range.size());
}

}  // namespace

std::vector<std::string> EventFilter::syscall_names() {
  std::vector<std::string> names;
  for (const kernel::SyscallSpec& spec : kernel::memory_syscalls()) {
    // An event's "exit" stands for both.
    if (spec.shown && spec.id != kernel::SyscallId::kExitGroup) names.emplace_back(spec.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> EventFilter::add_syscalls(std::string_view names) {
  auto chosen = split_known(names, "memory system call", syscall_names());
  if (!chosen) return std::unexpected(chosen.error());
  syscalls_.insert(syscalls_.end(), chosen->begin(), chosen->end());
  return {};
}

Result<void> EventFilter::add_causes(std::string_view names) {
  const auto known = known_causes();
  auto chosen = split_known(names, "cause", known);
  if (!chosen) return std::unexpected(chosen.error());
  for (const std::string& name : *chosen) {
    const auto at = std::find(known.begin(), known.end(), name) - known.begin();
    causes_.push_back(static_cast<Cause>(at));
  }
  return {};
}

bool EventFilter::shows(const Event& event) const {
  if (event.kind == EventKind::kProcessExit) return true;
  if (!syscalls_.empty() &&
      std::find(syscalls_.begin(), syscalls_.end(), event.syscall) == syscalls_.end()) {
    return false;
  }
  if (!causes_.empty() && std::find(causes_.begin(), causes_.end(), event.cause) == causes_.end()) {
    return false;
  }
  return size_of(event) >= minimum_;
}

std::vector<std::string> EventFilter::describe() const {
  std::vector<std::string> words;
  if (!syscalls_.empty()) words.push_back(fmt::format("--filter {}", fmt::join(syscalls_, ",")));
  std::vector<std::string_view> causes;
  for (const Cause cause : causes_) causes.push_back(model::cause_name(cause));
  if (!causes.empty()) words.push_back(fmt::format("--cause {}", fmt::join(causes, ",")));
  if (minimum_.count != 0) words.push_back(fmt::format("--min {}", minimum_.count));
  return words;
}

}  // namespace mini::cli
