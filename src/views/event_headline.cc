#include "views/event_headline.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "views/event_facts.h"

namespace mini::views {
namespace {

using model::Argument;
using model::Event;
using model::EventKind;

Bytes magnitude(std::int64_t n) {
  const auto raw = static_cast<std::uint64_t>(n);
  return Bytes{n < 0 ? ~raw + 1 : raw};
}

std::string optional_address(std::optional<Address> address) {
  return address ? format_address(*address) : "an unknown address";
}

Headline brk_headline(const Event& event, const Glyphs& glyphs) {
  Headline line{.call = "brk"};
  if (is_break_question(event)) {
    line.change = "asks where the break is";
    line.where = optional_address(event.break_after);
    return line;
  }
  const Address before = event.break_before.value_or(Address{});
  const Address after = event.break_after.value_or(before);
  if (before == after) {
    line.ink = Ink::kError;
    line.change = "refused: the break stays";
    line.where = format_address(after);
    return line;
  }
  line.ink = Ink::kStrong;
  line.change = format_change(static_cast<std::int64_t>(after.value - before.value), glyphs);
  line.where = fmt::format("{} {} {}", optional_address(event.break_before), glyphs.arrow,
                           format_address(after));
  return line;
}

Headline range_headline(const Event& event, const Glyphs& glyphs) {
  Headline line{.call = std::string(event.syscall)};
  const std::int64_t change = mapped_change(event);
  if (change != 0) {
    line.ink = Ink::kStrong;
    line.change = format_change(change, glyphs);
  } else if (!event.range.empty()) {
    line.change = format_bytes_exact(event.range.size());
  }
  if (!event.range.empty()) line.where = format_range(event.range);
  return line;
}

Headline failed_headline(const Event& event) {
  Headline line{.call = std::string(event.syscall)};
  line.ink = Ink::kError;
  line.change = fmt::format("failed: {} ({})", errno_name(event.error_number),
                            errno_text(event.error_number));
  if (!event.range.empty()) line.where = format_range(event.range);
  return line;
}

/// What the range already says.
bool said_by_range(const Event& event, const Argument& argument) {
  static constexpr std::array<std::string_view, 7> kNames = {"addr",  "length",  "len", "size",
                                                             "start", "shmaddr", "brk"};
  const bool named = std::find(kNames.begin(), kNames.end(), argument.name) != kNames.end();
  return named && (event.syscall == "brk" || !event.range.empty());
}

/// fd -1 and the offset beside it say nothing that MAP_ANONYMOUS does not.
bool says_nothing(const Event& event, const Argument& argument) {
  const Argument* fd = find_argument(event, "fd");
  const bool no_file = fd != nullptr && signed_value(*fd) == -1;
  if (argument.name == "fd") return no_file;
  if (argument.form == Argument::Form::kAddress) return argument.value == 0;  // NULL: anywhere
  return argument.name == "offset" && (no_file || argument.value == 0);
}

std::string argument_text(const Argument& argument) {
  if (argument.name == "fd") return fmt::format("fd {}", signed_value(argument));
  static constexpr std::array<std::string_view, 5> kSpeakForThemselves = {"prot", "flags", "advice",
                                                                          "op", "option"};
  switch (argument.form) {
    case Argument::Form::kText:
      // A number, of bits without a name or of none, does not.
      if (std::find(kSpeakForThemselves.begin(), kSpeakForThemselves.end(), argument.name) !=
              kSpeakForThemselves.end() &&
          !argument.text.starts_with('0')) {
        return argument.text;
      }
      return fmt::format("{} {}", argument.name, argument.text);
    case Argument::Form::kBytes:
      return argument.name == "offset"
                 ? fmt::format("offset {:#x}", argument.value)
                 : fmt::format("{} {}", argument.name, format_bytes_exact(Bytes{argument.value}));
    case Argument::Form::kAddress:
      return fmt::format("{} {:#x}", argument.name, argument.value);
    case Argument::Form::kNumber:
      return argument.name == "offset"
                 ? fmt::format("offset {:#x}", argument.value)
                 : fmt::format("{} {}", argument.name, signed_value(argument));
  }
  return {};
}

/// "rw- → r--" of an mprotect whose range had one protection before.
std::string protection_change(const Event& event, const Glyphs& glyphs) {
  const Argument* prot = find_argument(event, "prot");
  if (event.syscall != "mprotect" || prot == nullptr || event.mappings_before.empty()) return {};
  const model::Protection before = event.mappings_before.front().protection;
  const bool alike =
      std::all_of(event.mappings_before.begin(), event.mappings_before.end(),
                  [before](const auto& mapping) { return mapping.protection == before; });
  // The PROT_ constants are the same on every architecture: 1 read, 2 write, 4 execute.
  const model::Protection after{(prot->value & 1) != 0, (prot->value & 2) != 0,
                                (prot->value & 4) != 0};
  return fmt::format("{} {} {}", alike ? model::format_protection(before) : "mixed", glyphs.arrow,
                     model::format_protection(after));
}

Headline process_headline(const Event& event) {
  switch (event.kind) {
    case EventKind::kExec:
      return {.call = "execve", .change = event.note, .where = "", .ink = Ink::kStrong};
    case EventKind::kProcessStart:
      if (event.parent_pid == 0) {
        return {.call = event.note, .change = fmt::format("process {}", event.pid)};
      }
      return {.call = event.note,
              .change = fmt::format("process {}, child of {}", event.pid, event.parent_pid)};
    case EventKind::kThreadExit:
      return {.call = "exit", .change = fmt::format("thread {} ends", event.tid)};
    case EventKind::kProcessExit: {
      const Ending ending = ending_of(static_cast<int>(event.result));
      return {.call = "exit",
              .change = ending.description,
              .where = "",
              .ink = ending.signal.empty() ? Ink::kStrong : Ink::kError};
    }
    case EventKind::kSystemCall:
      break;
  }
  return {};
}

}  // namespace

std::string format_change(std::int64_t bytes, const Glyphs& glyphs) {
  return fmt::format("{}{}", bytes < 0 ? glyphs.minus : "+", format_bytes_exact(magnitude(bytes)));
}

Headline headline_of(const Event& event, const Glyphs& glyphs) {
  if (event.kind != EventKind::kSystemCall) return process_headline(event);
  if (event.error_number != 0) return failed_headline(event);
  if (event.syscall == "brk") return brk_headline(event, glyphs);
  return range_headline(event, glyphs);
}

std::vector<std::string> details_of(const Event& event, const Glyphs& glyphs) {
  std::vector<std::string> details;
  if (event.kind == EventKind::kExec) {
    if (const Argument* argv = find_argument(event, "argv")) details.push_back(argv->text);
    return details;
  }
  if (event.error_number == 0) details.push_back(protection_change(event, glyphs));
  for (const Argument& argument : event.arguments) {
    if (said_by_range(event, argument) || says_nothing(event, argument)) continue;
    details.push_back(argument_text(argument));
  }
  const Bytes changed = magnitude(mapped_change(event));
  if (event.error_number == 0 && changed.count != 0 && changed != event.range.size() &&
      !event.range.empty() && event.syscall != "brk") {
    details.push_back("over " + format_bytes_exact(event.range.size()));
  }
  std::erase_if(details, [](const std::string& text) { return text.empty(); });
  return details;
}

std::string_view mapped_path(const Event& event) {
  const Argument* fd = find_argument(event, "fd");
  const Argument* offset = find_argument(event, "offset");
  if (fd == nullptr || (offset != nullptr && offset->value != 0)) return {};
  const std::string_view text = fd->text;  // "3</lib/libc.so.6>"
  const auto open = text.find('<');
  if (open == std::string_view::npos || !text.ends_with('>')) return {};
  return text.substr(open + 1, text.size() - open - 2);
}

}  // namespace mini::views
