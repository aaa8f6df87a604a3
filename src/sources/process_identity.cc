#include "sources/process_identity.h"

#include <algorithm>
#include <string_view>

#include "kernel/proc_file.h"
#include "kernel/proc_status.h"

namespace mini::sources {
namespace {

/// A text in the slot: its length is as the target says, but no more than there is room for.
std::string_view slot_text(const char* begin, std::uint32_t bytes, std::size_t most) {
  return {begin, std::min<std::size_t>(bytes, most)};
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<std::string> command_of(const wire::Slot& slot, pid_t pid,
                                    const ProcessIdentity& origin) {
  const std::string text(slot_text(&slot.command[0], slot.command_bytes, sizeof slot.command));
  if (!text.empty() || slot.is_forked == 0) return words_of(text);
  const auto known = kernel::read_proc_file(pid, "cmdline");
  return known && !known->empty() ? words_of(known->substr(0, sizeof slot.command))
                                  : origin.command;
}

std::string executable_of(const wire::Slot& slot, pid_t pid, const ProcessIdentity& origin) {
  const std::string_view told =
      slot_text(&slot.executable[0], slot.executable_bytes, sizeof slot.executable);
  if (!told.empty() || slot.is_forked == 0) return std::string(told);
  const auto known = kernel::read_proc_link(pid, "exe");
  return known.value_or(origin.executable);
}

/// What it says itself is meant in its own namespace, which may be another one than ours; a copy
/// does not say it.
pid_t parent_of(const wire::Slot& slot, pid_t pid, const ProcessIdentity& origin) {
  const auto told = static_cast<pid_t>(slot.parent_pid);
  if (told != 0 && pid == static_cast<pid_t>(slot.pid)) return told;
  const auto status = kernel::read_status(pid);
  return status ? status->parent : origin.pid;
}

}  // namespace

ProcessIdentity identify(const wire::Slot& slot, pid_t pid, std::string recording,
                         const ProcessIdentity& origin) {
  return {.recording = std::move(recording),
          .pid = pid,
          .parent_pid = parent_of(slot, pid, origin),
          .executable = executable_of(slot, pid, origin),
          .command = command_of(slot, pid, origin)};
}

}  // namespace mini::sources
