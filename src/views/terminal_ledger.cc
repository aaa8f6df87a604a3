#include "views/terminal_ledger.h"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <utility>

#include "base/text.h"
#include "views/event_facts.h"
#include "views/event_headline.h"
#include "views/flow.h"
#include "views/terminal_event.h"
#include "views/terminal_heading.h"
#include "views/text_table.h"

namespace mini::views {
namespace {

using model::Cause;
using model::Ledger;
using Align = TextTable::Align;

constexpr std::uint32_t kBarColumns = 24;

/// Amounts of one table in one unit, so that a reader can add them up: KiB where all are whole.
class Amounts {
 public:
  Amounts(std::initializer_list<Bytes> all, const Glyphs& glyphs) : glyphs_(glyphs) {
    for (const Bytes bytes : all) include(bytes);
  }
  void include(Bytes bytes) { whole_ = whole_ && bytes.count % kKiB.count == 0; }

  std::string title(std::string_view name) const {
    return fmt::format("{} {}", name, whole_ ? "KiB" : "bytes");
  }
  std::string_view unit() const { return whole_ ? "KiB" : "bytes"; }
  std::string format(Bytes bytes) const {
    return format_count(whole_ ? bytes.count / kKiB.count : bytes.count);
  }
  /// a - b with its sign.
  std::string difference(Bytes a, Bytes b) const {
    if (a == b) return "0";
    return a > b ? "+" + format(a - b) : std::string(glyphs_.minus) + format(b - a);
  }

 private:
  const Glyphs& glyphs_;
  bool whole_ = true;
};

void write_sentence(std::string& out, const TextStyle& style, std::string_view text,
                    Ink ink = Ink::kPlain) {
  Flow flow(out, style, 4);
  flow.column(2).put(ink, text).end_line();
}

Amounts cause_amounts(const Ledger& ledger, const Glyphs& glyphs) {
  Amounts amounts({ledger.mapped_at_exec, ledger.mapped_now}, glyphs);
  for (const model::LedgerRow& row : ledger.by_cause) {
    amounts.include(row.gained);
    amounts.include(row.returned);
  }
  amounts.include(ledger.without_call.gained);
  amounts.include(ledger.without_call.returned);
  return amounts;
}

void add_row(TextTable& table, const Amounts& amounts, TextTable::Cell label,
             const model::LedgerRow& row) {
  const auto count = [](std::uint64_t n) { return n == 0 ? "-" : format_count(n); };
  table.add_row({std::move(label), count(row.calls_count), count(row.failed_count),
                 amounts.format(row.gained), amounts.format(row.returned),
                 amounts.difference(row.gained, row.returned)});
}

/// From what was mapped at the start to what is mapped now, and whether that is all.
void write_balance(std::string& out, const TextStyle& style, const Amounts& amounts,
                   const Ledger& ledger, const model::LedgerRow& total) {
  const bool grown = total.gained >= total.returned;
  const Bytes sum = ledger.mapped_at_exec + total.gained - total.returned;
  std::string text = fmt::format(
      "at the start {} {} {} = {} {} at the end", amounts.format(ledger.mapped_at_exec),
      grown ? "+" : style.glyphs().minus,
      amounts.format(grown ? total.gained - total.returned : total.returned - total.gained),
      amounts.format(sum), amounts.unit());
  if (sum != ledger.mapped_now) {
    text +=
        fmt::format("; the model has {}, so {} are not accounted for",
                    amounts.format(ledger.mapped_now), amounts.difference(ledger.mapped_now, sum));
  }
  write_sentence(out, style, text);
}

void write_by_cause(std::string& out, const TextStyle& style, const Ledger& ledger) {
  const Amounts amounts = cause_amounts(ledger, style.glyphs());
  TextTable table;
  table.add_column("by cause", Align::kLeft);
  table.add_column("calls", Align::kRight);
  table.add_column("failed", Align::kRight);
  table.add_column(amounts.title("gained"), Align::kRight);
  table.add_column(amounts.title("returned"), Align::kRight);
  table.add_column("change", Align::kRight);
  model::LedgerRow other;
  other.gained = ledger.without_call.gained;
  other.returned = ledger.without_call.returned;
  model::LedgerRow total = other;
  for (std::size_t i = 0; i < ledger.by_cause.size(); ++i) {
    const model::LedgerRow& row = ledger.by_cause[i];
    total.calls_count += row.calls_count;
    total.failed_count += row.failed_count;
    total.gained += row.gained;
    total.returned += row.returned;
    if (row.calls_count == 0) continue;
    const auto cause = static_cast<Cause>(i);
    add_row(table, amounts, {std::string(cause_title(cause)), ink_of(cause)}, row);
  }
  const bool has_other = other.gained.count != 0 || other.returned.count != 0;
  if (has_other) add_row(table, amounts, "without a call", other);
  table.add_rule();
  add_row(table, amounts, has_other ? "all" : "all calls", total);
  table.write(out, style);
  write_balance(out, style, amounts, ledger, total);
}

std::string percent(Bytes part, Bytes whole) {
  return format_percent(static_cast<double>(part.count), static_cast<double>(whole.count));
}

void write_by_kind(std::string& out, const TextStyle& style, const TraceSummary& summary) {
  const Ledger& ledger = summary.total;
  std::vector<std::pair<std::string, Bytes>> rows;
  Bytes sum = summary.replaced_bytes;
  Amounts amounts({ledger.mapped_now}, style.glyphs());
  for (const auto& [role, bytes] : ledger.mapped_by_role) {
    sum += bytes;
    amounts.include(bytes);
    if (bytes.count != 0) rows.emplace_back(model::role_name(role), bytes);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (summary.replaced_bytes.count != 0) {
    rows.emplace_back("given up by execve", summary.replaced_bytes);
    amounts.include(summary.replaced_bytes);
  }
  TextTable table;
  table.add_column("by kind, at the end", Align::kLeft);
  table.add_column(std::string(amounts.unit()), Align::kRight);
  table.add_column("share", Align::kRight);
  table.add_column("", Align::kLeft);
  for (const auto& [name, bytes] : rows) {
    table.add_row({name,
                   amounts.format(bytes),
                   percent(bytes, ledger.mapped_now),
                   {bar(bytes.count, ledger.mapped_now.count, kBarColumns, style), Ink::kDim}});
  }
  if (sum != ledger.mapped_now) {
    table.add_row({"not classified", sum < ledger.mapped_now
                                         ? amounts.format(ledger.mapped_now - sum)
                                         : amounts.difference(ledger.mapped_now, sum)});
  }
  table.add_rule();
  table.add_row({"all mappings", amounts.format(ledger.mapped_now), "100.0%"});
  out += '\n';
  table.write(out, style);
}

/// Whether malloc has moved the break far, and it stands where it was at its highest.
bool has_only_grown(const Ledger& ledger) {
  const model::LedgerRow& malloc = ledger.by_cause.at(static_cast<std::size_t>(Cause::kMalloc));
  return malloc.break_moved_bytes >= static_cast<std::int64_t>(kMiB.count) &&
         ledger.heap_now == ledger.peak_heap;
}

void write_break(std::string& out, const TextStyle& style, const Ledger& ledger, bool several) {
  std::uint64_t moves_count = 0;
  std::string by;
  for (std::size_t i = 0; i < ledger.by_cause.size(); ++i) {
    const model::LedgerRow& row = ledger.by_cause[i];
    if (row.break_moves_count == 0) continue;
    moves_count += row.break_moves_count;
    by += fmt::format("{} {} by {}, {}", by.empty() ? ":" : ";",
                      counted(row.break_moves_count, "time"), cause_title(static_cast<Cause>(i)),
                      format_change(row.break_moved_bytes, style.glyphs()));
  }
  write_sentence(out, style,
                 moves_count == 0 ? "The program break never moved."
                                  : fmt::format("The program break moved{}.", by));
  if (several || !has_only_grown(ledger)) return;
  write_sentence(out, style,
                 "It is as high as it ever was: only what is free at the heap's end goes back with "
                 "it. heapspy inspect PID says, while the program runs, what is free, and what "
                 "keeps it.");
}

void write_peaks(std::string& out, const TextStyle& style, const Ledger& ledger, bool several) {
  const std::string_view dot = style.glyphs().dot;
  write_sentence(
      out, style,
      fmt::format("Peak{}: mapped {} {} heap {} (derived) {} RSS {}{}",
                  several ? " of the largest process" : "", format_bytes(ledger.peak_mapped), dot,
                  format_bytes(ledger.peak_heap), dot, format_bytes(ledger.peak_rss),
                  ledger.knows_whole_peak ? "" : " (at calls)"));
}

void write_calls(std::string& out, const TextStyle& style, const Ledger& ledger) {
  std::string text;
  for (const auto& [name, count] : ledger.calls_by_syscall) {
    if (!text.empty()) text += fmt::format(" {} ", style.glyphs().dot);
    text += fmt::format("{} {}", name, format_count(count));
  }
  if (!text.empty()) write_sentence(out, style, "Calls: " + text);
}

std::string ending_text(const ProcessSummary& process) {
  switch (process.end) {
    case ProcessEnd::kExited:
      return ending_of(process.wait_status).description;
    case ProcessEnd::kReplaced:
      return "became another program";
    case ProcessEnd::kDetached:
      return "left running";
  }
  return {};
}

void write_processes(std::string& out, const TextStyle& style, const TraceSummary& summary) {
  TextTable table;
  table.add_column("process", Align::kRight);
  table.add_column("program", Align::kLeft);
  table.add_column("end", Align::kLeft);
  table.add_column("calls", Align::kRight);
  table.add_column("peak mapped", Align::kRight);
  table.add_column("peak RSS", Align::kRight);
  table.add_column("peak heap", Align::kRight);
  std::uint64_t shown_calls = 0;
  std::uint64_t all_calls = 0;
  const auto calls_of = [](const Ledger& ledger) {
    std::uint64_t calls = 0;
    for (const model::LedgerRow& row : ledger.by_cause) calls += row.calls_count;
    return calls;
  };
  for (const ProcessSummary& process : summary.processes) {
    shown_calls += calls_of(process.ledger);
    std::string end = process.end == ProcessEnd::kExited
                          ? ending_of(process.wait_status).signal
                          : std::string(process.end == ProcessEnd::kReplaced ? "exec" : "runs on");
    if (end.empty()) end = fmt::format("{}", ending_of(process.wait_status).exit_status);
    table.add_row({fmt::format("{}", process.pid), std::string(path_basename(process.executable)),
                   end, format_count(calls_of(process.ledger)),
                   format_bytes(process.ledger.peak_mapped), format_bytes(process.ledger.peak_rss),
                   format_bytes(process.ledger.peak_heap)});
  }
  all_calls = calls_of(summary.total);
  if (summary.further_processes_count != 0) {
    table.add_row({"", fmt::format("{} more", format_count(summary.further_processes_count)), "",
                   format_count(all_calls - shown_calls)});
  }
  table.add_rule();
  table.add_row({"", "all", "", format_count(all_calls)});
  table.write(out, style);
  out += '\n';
}

void write_losses(std::string& out, const TextStyle& style, const TraceSummary& summary) {
  const auto say = [&](std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    write_sentence(out, style, fmt::format("{}: {}", what, format_count(count)), Ink::kError);
  };
  say(summary.lost_count, "Lost, in no sum: stops whose details could not be read");
  say(summary.unread_count, "Events left out above since nobody read it, but counted here");
  say(summary.total.unknown_stacks_count, "Events without a stack, their cause unknown");
  say(summary.total.truncated_stacks_count, "Stacks that end early, their cause perhaps unknown");
  say(summary.unreadable_modules_count,
      "Files whose code could not be looked up (gone, malformed, or no ELF), so no names from "
      "there");
  if (summary.hidden_count != 0) {
    write_sentence(out, style,
                   fmt::format("Hidden by filters but counted here: {}.",
                               counted(summary.hidden_count, "event")));
  }
  if (summary.verified_count == 0 && summary.differences_count == 0) return;
  write_sentence(out, style,
                 fmt::format("Reconciled with the kernel's own list of mappings {}: {}.",
                             counted(summary.verified_count, "time"),
                             counted(summary.differences_count, "difference")),
                 summary.differences_count == 0 ? Ink::kPlain : Ink::kError);
  for (const std::string& line : summary.differences) write_sentence(out, style, line);
}

}  // namespace

std::string describe_process(const ProcessSummary& process) {
  return fmt::format("{} ({}), {}", path_basename(process.executable), process.pid,
                     ending_text(process));
}

void write_ledger(std::string& out, const TextStyle& style, const TraceSummary& summary) {
  const bool several = summary.processes.size() + summary.further_processes_count > 1;
  const std::string who =
      summary.processes.empty() ? "nothing was traced"
      : several ? counted(summary.processes.size() + summary.further_processes_count, "program") +
                      " in all"
                : describe_process(summary.processes.front());
  write_heading(out, style, "Ledger", who);
  if (several) write_processes(out, style, summary);
  write_by_cause(out, style, summary.total);
  write_by_kind(out, style, summary);
  out += '\n';
  write_break(out, style, summary.total, several);
  write_peaks(out, style, summary.total, several);
  write_calls(out, style, summary.total);
  write_sentence(out, style,
                 "Measured: addresses, results, RSS. Derived from them: causes, kinds, sums.",
                 Ink::kDim);
  write_losses(out, style, summary);
}

}  // namespace mini::views
