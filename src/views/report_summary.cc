// What a heap profile's figures are in all.
#include <cmath>
#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"
#include "views/unrecorded_program.h"

namespace mini::views {
namespace {

using model::HeapProfile;

constexpr std::size_t kLabelColumn = 2;
constexpr std::size_t kValueColumn = 19;

/// "  peak live        45 MiB in 120 blocks, at 3.2 s               derived".
class SummaryLines {
 public:
  SummaryLines(std::string& out, const TextStyle& style, bool is_estimate)
      : out_(out), style_(style), is_estimate_(is_estimate) {}

  void line(std::string_view label, std::string_view value, std::string_view tag) {
    Flow flow(out_, style_, kValueColumn);
    flow.column(kLabelColumn).put(Ink::kStrong, label).column(kValueColumn).put(value);
    if (!tag.empty()) flow.right(Ink::kDim, tag);
    flow.end_line();
  }
  /// A figure that sampling makes an estimate of.
  void counted_line(std::string_view label, std::string_view value, std::string_view tag) {
    line(label, value, is_estimate_ ? "estimated" : tag);
  }

 private:
  std::string& out_;
  const TextStyle& style_;
  bool is_estimate_;
};

/// What part of the recording the figures are of.
std::string time_text(const HeapProfile& profile) {
  std::string until = report_time(profile.duration_ns);
  if (profile.span == model::TimeSpan{}) return until;
  if (profile.span.from_ns != 0) {
    return fmt::format("from {} to {}{}; blocks from before do not count",
                       report_time(profile.span.from_ns),
                       profile.span_ends_early() ? "" : "the end, at ", until);
  }
  if (profile.span_ends_early())
    return fmt::format("as of {}: what comes later does not count", until);
  return fmt::format("{}: all of it, since the recording ends before {}", until,
                     report_time(profile.span.until_ns));
}

void write_program_lines(SummaryLines& lines, const HeapProfile& profile) {
  std::string command;
  for (const std::string& word : profile.process.command) {
    command += command.empty() ? "" : " ";
    command += word;
  }
  if (!command.empty()) lines.line("command", command, "");
  lines.line("time", time_text(profile), "measured");
  const model::ProfileEnding& ending = profile.ending;
  if (ending.next_recording.empty()) return;
  lines.line("became",
             fmt::format("{}: see {}", path_basename(ending.next_executable),
                         report_command(ending.next_recording)),
             "");
}

/// "± 3.1%", "+-" without Unicode: nineteen of twenty estimates are within it (twice the standard
/// error); "" of figures that are none.
std::string error_text(const model::BlockTotals& totals, const TextStyle& style) {
  if (totals.allocated_variance == 0 || totals.allocated.bytes == 0) return "";
  return fmt::format("{} {}", style.unicode ? "±" : "+-",
                     format_percent(2 * std::sqrt(totals.allocated_variance),
                                    static_cast<double>(totals.allocated.bytes)));
}

void write_block_lines(SummaryLines& lines, const HeapProfile& profile, const TextStyle& style) {
  if (profile.has_empty_sample()) {
    lines.line("allocated", "not known: no block was recorded", "unknown");
    return;
  }
  const model::BlockTotals& totals = profile.totals;
  const std::string error = error_text(totals, style);
  if (totals.allocated.blocks == 0) {
    lines.counted_line("allocated", "nothing", "measured");
    return;
  }
  lines.counted_line(
      "allocated",
      fmt::format("{}{}{} in {}", report_bytes(totals.allocated.bytes), error.empty() ? "" : " ",
                  error, counted(totals.allocated.blocks, "call")),
      "measured");
  lines.counted_line("freed",
                     totals.freed.blocks == 0 ? "nothing" : amount_text(totals.freed, "block"),
                     "measured");
  if (!explain::is_known(profile, explain::Measure::kTemporary)) {
    lines.line("temporary", kNotSampled, "unknown");
  } else if (totals.temporary.blocks == 0) {
    lines.counted_line("temporary", "none", "derived");
  } else {
    lines.counted_line("temporary",
                       fmt::format("{}, {} of all: freed before their thread allocated again",
                                   counted(totals.temporary.blocks, "block"),
                                   share_of(totals.temporary.blocks, totals.allocated.blocks)),
                       "derived");
  }
  lines.counted_line("peak live",
                     fmt::format("{}, at {}", amount_text(totals.peak, "block"),
                                 report_time(profile.peak_time_ns)),
                     "derived");
  std::string live =
      profile.is_estimate ? "nothing: all recorded blocks were freed" : "nothing: all was freed";
  if (totals.live.blocks != 0) {
    live = fmt::format("{}: {}", amount_text(totals.live, "block"),
                       profile.ends_early() ? "not freed by then" : "never freed");
  }
  lines.counted_line(profile.ends_early() ? "live then" : "live at the end", live, "derived");
}

/// "'foo' (line 3), 'bar' (line 7) and 5 more".
std::string list_unused(const std::vector<model::LeakSuppression>& suppressions) {
  constexpr std::size_t kMostNamed = 10;
  std::string list;
  std::size_t unused = 0;
  for (const model::LeakSuppression& suppression : suppressions) {
    if (suppression.stacks != 0 || ++unused > kMostNamed) continue;
    list += list.empty() ? "" : ", ";
    list += fmt::format("'{}' (line {})", suppression.pattern, suppression.line);
  }
  return unused > kMostNamed
             ? fmt::format("{} and {} more", list, format_count(unused - kMostNamed))
             : list;
}

void write_suppression_lines(SummaryLines& lines, const HeapProfile& profile) {
  if (profile.suppressions.empty()) return;
  std::size_t stacks = 0;
  std::size_t used = 0;
  for (const model::LeakSuppression& suppression : profile.suppressions) {
    stacks += suppression.stacks;
    used += suppression.stacks != 0 ? 1 : 0;
  }
  lines.counted_line("suppressed",
                     stacks == 0 ? "nothing: no suppression matches a leak"
                                 : fmt::format("{} of these, from {}: known leaks, not listed",
                                               amount_text(profile.totals.suppressed, "block"),
                                               counted(stacks, "stack")),
                     "derived");
  if (stacks != 0 && used < profile.suppressions.size()) {
    lines.line("", fmt::format("matching no leak: {}", list_unused(profile.suppressions)), "");
  }
}

std::string_view why_not_searched(const model::ProfileEnding& ending) {
  using Kind = model::ProfileEnding::Kind;
  switch (ending.kind) {
    case Kind::kDetached:
      return "the program was left before it ended";
    case Kind::kExec:
      return "the program became another one before it ended";
    case Kind::kUnknown:
      return "the recording has no end, at which it is searched";
    case Kind::kExited:
    case Kind::kKilled:
      break;
  }
  return "the program ended before it could be searched";
}

void write_leak_scan_lines(SummaryLines& lines, const HeapProfile& profile) {
  const model::BlockTotals& totals = profile.totals;
  if (profile.leak_scan.state == model::LeakScan::State::kMissing) {
    lines.line("of that, lost", fmt::format("not known: {}", why_not_searched(profile.ending)),
               "unknown");
  }
  if (profile.leak_scan.state == model::LeakScan::State::kRefused) {
    lines.line("of that, lost", "not known: the program may not be looked at by heapspy's user",
               "unknown");
  }
  if (profile.leak_scan.state != model::LeakScan::State::kDone || totals.live.blocks == 0) return;
  lines.counted_line(
      "of that, kept",
      totals.reachable.blocks == 0
          ? "nothing"
          : fmt::format("{}: pointers lead to them", amount_text(totals.reachable, "block")),
      "derived");
  std::string lost =
      totals.unreachable().blocks == 0
          ? "nothing"
          : fmt::format("{}: no pointer leads to them", amount_text(totals.unreachable(), "block"));
  if (totals.lost_indirectly.blocks != 0) {
    lost += fmt::format(", or ({}) only from others that are lost",
                        amount_text(totals.lost_indirectly, "block"));
  }
  lines.counted_line("of that, lost", lost, "derived");
}

void write_inheritance_lines(SummaryLines& lines, const model::Inheritance& inherited) {
  using State = model::Inheritance::State;
  if (inherited.state == State::kNone) return;
  if (inherited.state == State::kMissing) {
    lines.line("inherited",
               fmt::format("not known: '{}', its parent's recording, cannot be read here up to the "
                           "fork",
                           inherited.recording),
               "unknown");
    return;
  }
  lines.line(
      "inherited",
      fmt::format("{} at its fork from process {}, in no other figure here; of these it "
                  "freed {}",
                  amount_text(inherited.at_fork, "block"), inherited.parent_pid,
                  inherited.freed.blocks == 0 ? "none" : amount_text(inherited.freed, "block")),
      "derived");
}

void write_kernel_lines(SummaryLines& lines, const HeapProfile& profile) {
  const model::KernelFigures& kernel = profile.kernel;
  if (kernel.samples == 0) {
    lines.line("peak RSS", profile.span_ends_early() ? "not sampled by then" : "not recorded",
               "unknown");
    return;
  }
  lines.line("peak RSS",
             fmt::format("{}, of that some {} heapspy's records",
                         format_bytes(kernel.peak_resident), format_bytes(kernel.agent_resident)),
             "measured");
  if (kernel.most_break.count != 0) {
    lines.line(
        "program break",
        fmt::format("[heap] was {} at most, {} {}", format_bytes(kernel.most_break),
                    format_bytes(kernel.last_break), profile.ends_early() ? "then" : "at the end"),
        "measured");
  }
  if (kernel.most_proportional.count != 0) {
    lines.line(
        "peak PSS",
        fmt::format("{}, asked for in some samples only", format_bytes(kernel.most_proportional)),
        "measured");
  }
  const Bytes live{profile.totals.peak.bytes};
  if (kernel.peak_resident >= live) {
    lines.counted_line("RSS beyond live",
                       fmt::format("{} more than the peak of live blocks",
                                   format_bytes(kernel.peak_resident - live)),
                       "derived");
  } else {
    lines.counted_line("RSS beyond live",
                       fmt::format("none: {} of the peak were never in RAM at once",
                                   format_bytes(live - kernel.peak_resident)),
                       "derived");
  }
}

/// Of the moment when live bytes were the most, as near to it as the kernel was asked.
void write_kernel_at_peak(SummaryLines& lines, const HeapProfile& profile) {
  const model::KernelFigures& kernel = profile.kernel;
  if (kernel.resident_at_peak.count == 0 || profile.totals.peak.bytes == 0) return;
  const bool is_before = kernel.at_peak_time_ns < profile.peak_time_ns;
  const std::uint64_t apart = is_before ? profile.peak_time_ns - kernel.at_peak_time_ns
                                        : kernel.at_peak_time_ns - profile.peak_time_ns;
  lines.line("RSS at the peak",
             fmt::format("{} with {} live, sampled {}", format_bytes(kernel.resident_at_peak),
                         report_bytes(profile.totals.peak.bytes),
                         apart == 0 ? "at that moment"
                                    : fmt::format("{} {}", report_time(apart),
                                                  is_before ? "before" : "after")),
             "measured");
}

void write_usable_line(SummaryLines& lines, const HeapProfile& profile) {
  const model::UsableSizes& usable = profile.usable;
  if (!usable.is_known || usable.totals.peak.blocks == 0) return;
  const model::UsableProfile& totals = usable.totals;
  const std::uint64_t beyond = totals.peak_overhead_bytes();
  const std::string share =
      totals.peak.bytes == 0
          ? ""
          : fmt::format(", {} of what was asked for", share_of(beyond, totals.peak.bytes));
  const std::uint64_t blocks = profile.totals.peak.blocks;
  const std::string unknown =
      blocks <= totals.peak.blocks
          ? ""
          : fmt::format("; not known of {}", counted(blocks - totals.peak.blocks, "block"));
  lines.line(
      "overallocated",
      fmt::format("{}{} at the peak: the allocator gave {} for {}{}", report_bytes(beyond), share,
                  report_bytes(totals.peak_usable_bytes), report_bytes(totals.peak.bytes), unknown),
      "measured");
}

void write_touch_lines(SummaryLines& lines, const HeapProfile& profile) {
  const model::FirstTouch& touch = profile.first_touch;
  using State = model::FirstTouch::State;
  if (touch.state == State::kNotAsked) return;
  if (touch.state == State::kRefused) {
    lines.line("first touched", "not recorded: " + touch.refusal, "unknown");
    return;
  }
  lines.line(
      "first touched",
      fmt::format(
          "{} in {}blocks, {} in mappings of the program's own, {} elsewhere{}{}",
          report_bytes(touch.in_blocks.bytes), profile.is_estimate ? "recorded " : "",
          report_bytes(touch.in_mappings.bytes), report_bytes(touch.elsewhere.bytes),
          profile.is_estimate ? ", also in blocks that were not recorded" : "",
          touch.lost == 0 ? "" : fmt::format("; {} missed", counted(touch.lost, "page fault"))),
      "measured");
  const std::uint64_t touched =
      touch.in_blocks.bytes + touch.in_mappings.bytes + touch.elsewhere.bytes;
  const std::uint64_t resident = profile.kernel.peak_resident.count;
  if (profile.span != model::TimeSpan{} || resident <= touched) return;
  lines.line("",
             fmt::format("{} more of the peak RSS came by system calls, or with other pages",
                         report_bytes(resident - touched)),
             "derived");
}

void write_unrecorded_lines(SummaryLines& lines,
                            const std::vector<model::UnrecordedProgram>& programs) {
  constexpr std::size_t kMostNamed = 8;
  for (std::size_t i = 0; i < programs.size() && i < kMostNamed; ++i) {
    lines.line(i == 0 ? "not recorded" : "", describe(programs[i]), "");
  }
  if (programs.size() > kMostNamed) {
    lines.line("",
               fmt::format("and {}; --json names them",
                           counted(programs.size() - kMostNamed, "other program")),
               "");
  }
}

}  // namespace

void write_report_summary(std::string& out, const HeapProfile& profile, const TextStyle& style) {
  write_heading(out, style, "Report", describe_profile(profile));
  SummaryLines lines(out, style, profile.is_estimate);
  write_program_lines(lines, profile);
  write_block_lines(lines, profile, style);
  write_leak_scan_lines(lines, profile);
  write_suppression_lines(lines, profile);
  write_inheritance_lines(lines, profile.inheritance);
  write_usable_line(lines, profile);
  write_kernel_lines(lines, profile);
  write_kernel_at_peak(lines, profile);
  write_touch_lines(lines, profile);
  write_unrecorded_lines(lines, profile.unrecorded_programs);
  if (profile.is_estimate) {
    Flow(out, style, 4)
        .column(2)
        .put(Ink::kDim,
             fmt::format("Sampled, about one block for each {} that were allocated: sizes and "
                         "counts of blocks, here and below, are estimates. Nineteen of twenty "
                         "figures that 100 recorded "
                         "blocks stand behind are within 20% of the truth; with 10,000, within 2%.",
                         report_bytes(profile.process.sample_bytes)))
        .end_line();
  }
  write_report_losses(out, profile, style);
}

}  // namespace mini::views
