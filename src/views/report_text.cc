#include "views/report_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "explain/heap_findings.h"
#include "views/terminal_heading.h"
#include "views/utf8.h"

namespace mini::views {

using explain::Measure;

std::string report_bytes(std::uint64_t n) {
  return format_bytes(Bytes{n});
}

std::string report_time(std::uint64_t ns) {
  return ns == 0 ? "0 s" : explain::format_duration(static_cast<double>(ns));
}

std::string amount_text(model::Amount amount, std::string_view noun) {
  return fmt::format("{} in {}", report_bytes(amount.bytes), counted(amount.blocks, noun));
}

std::string shown_of(std::uint64_t shown, std::uint64_t all, std::string_view noun) {
  return fmt::format("{} of {}", format_count(shown), counted(all, noun));
}

std::string share_of(std::uint64_t part, std::uint64_t whole) {
  return format_percent(static_cast<double>(part), static_cast<double>(whole));
}

std::string_view measure_title(Measure measure, bool ends_early) {
  switch (measure) {
    case Measure::kPeak:
      return "peak live";
    case Measure::kLeaked:
      return ends_early ? "not freed yet" : "never freed";
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

std::string_view why_nothing(const model::HeapProfile& profile, Measure measure) {
  return explain::is_known(profile, measure) ? "no stack has any" : kNotSampled;
}

std::string measure_amount(Measure measure, std::uint64_t amount) {
  const bool is_count = measure == Measure::kCalls || measure == Measure::kTemporary;
  return is_count ? format_count(amount) : report_bytes(amount);
}

namespace {

std::string with_each(std::string text, char what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, 1, by);
  }
  return text;
}

}  // namespace

std::string report_command(const std::string& path) {
  constexpr std::string_view kSpecial = " !\"#$&'()*;<>?[\\]^`{|}~";
  const std::string shown = printable(path, true);
  if (shown != path) {
    return fmt::format("heapspy report $'{}'", with_each(shown, '\'', "\\'"));
  }
  if (path.find_first_of(kSpecial) == std::string::npos) {
    return fmt::format("'heapspy report {}'", path);
  }
  return fmt::format("heapspy report '{}'", with_each(path, '\'', "'\\''"));
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
