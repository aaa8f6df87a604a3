// Small readers of an event's parts, shared by roles and sentences.
#pragma once

#include <optional>
#include <string_view>

#include "base/units.h"
#include "model/event.h"

namespace mini::explain {

inline constexpr Bytes kPageSize{4096};  // x86-64; only sentences depend on it, never the model

// Values of <sys/mman.h> on Linux, as the target's registers hold them.
inline constexpr std::uint64_t kProtWrite = 2;
inline constexpr std::uint64_t kMapFixed = 0x10;
inline constexpr std::uint64_t kMapHugePages = 0x40000;  // MAP_HUGETLB

/// The raw value of a parameter by its name; nullopt where the call has none.
inline std::optional<std::uint64_t> argument(const model::Event& event, std::string_view name) {
  for (const model::Argument& one : event.arguments) {
    if (one.name == name) return one.value;
  }
  return std::nullopt;
}

inline bool has_flag(const model::Event& event, std::uint64_t flag) {
  return (argument(event, "flags").value_or(0) & flag) != 0;
}

/// The text of a flags parameter, "MADV_DONTNEED"; "" where the call has none.
inline std::string_view argument_text(const model::Event& event, std::string_view name) {
  for (const model::Argument& one : event.arguments) {
    if (one.name == name) return one.text;
  }
  return {};
}

/// brk moved the break upwards or downwards; 0 where it did not, or one end is unknown.
inline std::int64_t break_move(const model::Event& event) {
  if (event.syscall != "brk" || !event.break_before || !event.break_after) return 0;
  return static_cast<std::int64_t>(event.break_after->value - event.break_before->value);
}

/// brk(NULL), or any that asks for where the break is already.
inline bool is_break_question(const model::Event& event) {
  return event.syscall == "brk" && argument(event, "addr").value_or(0) == 0;
}

/// brk reports a refusal by the unchanged break.
inline bool is_break_refused(const model::Event& event) {
  const auto wanted = argument(event, "addr");
  return event.syscall == "brk" && wanted && *wanted != 0 && event.break_after &&
         *wanted != event.break_after->value;
}

/// Whether there is anything that may be done with memory. What is to be a guard begins without.
inline bool has_access(model::Protection protection) {
  return protection.read || protection.write || protection.execute;
}

inline const model::Mapping* first_mapping(const model::Event& event) {
  return event.mappings_before.empty() ? nullptr : &event.mappings_before.front();
}

}  // namespace mini::explain
