#include "views/report_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "explain/heap_findings.h"

namespace mini::views {

using explain::Measure;

std::string report_percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f}%", 100 * part / whole) : "-";
}

std::string report_bytes(std::uint64_t n) {
  return format_bytes(Bytes{n});
}

std::string report_time(std::uint64_t ns) {
  return explain::format_duration(static_cast<double>(ns));
}

std::string_view measure_title(Measure measure) {
  switch (measure) {
    case Measure::kPeak:
      return "peak live";
    case Measure::kLeaked:
      return "never freed";
    case Measure::kAllocated:
      return "allocated bytes";
    case Measure::kCalls:
      return "calls";
    case Measure::kTemporary:
      return "temporary allocations";
    case Measure::kLifetime:
      return "bytes and lifetime";
  }
  return {};
}

std::string measure_amount(Measure measure, std::uint64_t amount) {
  const bool is_count = measure == Measure::kCalls || measure == Measure::kTemporary;
  return is_count ? format_count(amount) : report_bytes(amount);
}

std::vector<std::string> callers_of(const explain::ProfileStackView& stack, std::size_t most) {
  std::vector<std::string> callers;
  if (stack.frames.empty()) return callers;
  for (std::size_t i = stack.place + 1; i < stack.frames.size(); ++i) {
    if (callers.size() == most) {
      callers.push_back(fmt::format("{} more", stack.frames.size() - i));
      break;
    }
    callers.push_back(explain::describe(stack.frames[i]));
  }
  return callers;
}

std::string describe_ending(const model::HeapProfile& profile) {
  using Kind = model::ProfileEnding::Kind;
  switch (profile.ending.kind) {
    case Kind::kExited:
      return fmt::format("exit status {}", profile.ending.status);
    case Kind::kKilled:
      return fmt::format("killed by signal {}", profile.ending.status);
    case Kind::kExec:
      return "became another program";
    case Kind::kDetached:
      return "left running";
    case Kind::kUnknown:
      return profile.losses.is_cut ? "end not recorded" : "";
  }
  return {};
}

std::string describe_process(const model::HeapProfile& profile) {
  const model::ProfileProcess& process = profile.process;
  std::string_view name = path_basename(process.executable);
  if (name.empty() && !process.command.empty()) name = path_basename(process.command.front());
  if (name.empty()) name = "unknown program";
  return fmt::format("{} ({})", name, process.pid);
}

std::string describe_profile(const model::HeapProfile& profile) {
  const std::string ending = describe_ending(profile);
  return describe_process(profile) + (ending.empty() ? "" : ", ") + ending;
}

}  // namespace mini::views
