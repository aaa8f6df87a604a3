#include "cli/trace_story.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/terminal.h"
#include "explain/explainer.h"
#include "views/event_facts.h"
#include "views/layout.h"

namespace mini::cli {
namespace {

using model::EventKind;

constexpr std::size_t kMostSummaries = 1000;   // of processes; the rest is counted in the total
constexpr std::size_t kMostDifferences = 100;  // kept in words; all are counted

}  // namespace

void add_ledger(model::Ledger& total, const model::Ledger& more) {
  for (std::size_t i = 0; i < total.by_cause.size(); ++i) {
    model::LedgerRow& row = total.by_cause[i];
    row.calls_count += more.by_cause[i].calls_count;
    row.failed_count += more.by_cause[i].failed_count;
    row.gained += more.by_cause[i].gained;
    row.returned += more.by_cause[i].returned;
    row.break_moves_count += more.by_cause[i].break_moves_count;
    row.break_moved_bytes += more.by_cause[i].break_moved_bytes;
    total.mapped_by_cause[i] += more.mapped_by_cause[i];
  }
  total.without_call.gained += more.without_call.gained;
  total.without_call.returned += more.without_call.returned;
  for (std::size_t i = 0; i < total.by_phase.size(); ++i) {
    total.by_phase[i].calls_count += more.by_phase[i].calls_count;
    total.by_phase[i].gained += more.by_phase[i].gained;
    total.by_phase[i].returned += more.by_phase[i].returned;
  }
  for (const auto& [name, count] : more.calls_by_syscall) total.calls_by_syscall[name] += count;
  for (const auto& [role, bytes] : more.mapped_by_role) total.mapped_by_role[role] += bytes;
  total.mapped_at_exec += more.mapped_at_exec;
  total.mapped_now += more.mapped_now;
  total.heap_now += more.heap_now;
  total.peak_mapped = std::max(total.peak_mapped, more.peak_mapped);
  total.peak_heap = std::max(total.peak_heap, more.peak_heap);
  total.peak_rss = std::max(total.peak_rss, more.peak_rss);
  total.knows_whole_peak =
      more.knows_whole_peak && (total.events_count == 0 || total.knows_whole_peak);
  total.events_count += more.events_count;
  total.unknown_stacks_count += more.unknown_stacks_count;
  total.truncated_stacks_count += more.truncated_stacks_count;
}

TraceStory::TraceStory(const EventFilter& filter, std::vector<ViewSlot> views)
    : filter_(filter), views_(std::move(views)) {}

void TraceStory::on_event(model::Event& event, model::Process& process) {
  const auto [at, is_new] = running_.try_emplace(event.pid);
  if (is_new) at->second = {process.executable, started_count_++, process.attached};
  if (event.kind == EventKind::kExec) {
    // The ledger is still the old program's: explain() begins the new one.
    if (at->second.acted) end_program(process, views::ProcessEnd::kReplaced, 0);
    running_[event.pid] = {process.executable, started_count_++, true};
  } else if (event.kind != EventKind::kProcessStart) {
    at->second.acted = true;
  }
  explain::explain(event, process);
  const bool shown = filter_.shows(event);
  ++summary_.events_count;
  summary_.hidden_count += shown ? 0 : 1;
  summary_.duration_ns = std::max(summary_.duration_ns, event.time_ns);
  for (ViewSlot& slot : views_) {
    slot.view->on_event(event, process, shown && takes_event(slot));
  }
  if (event.kind == EventKind::kProcessExit) {
    end_program(process, views::ProcessEnd::kExited, static_cast<int>(event.result));
  }
  report_failures();
}

void TraceStory::end_program(model::Process& process, views::ProcessEnd end, int wait_status) {
  const auto at = running_.find(process.pid);
  const bool replaced = end == views::ProcessEnd::kReplaced;
  if (!replaced) explain::settle(process);
  add_ledger(summary_.total, process.ledger);
  if (replaced) summary_.replaced_bytes += process.ledger.mapped_now;
  if (ended_.size() >= kMostSummaries) {
    ++summary_.further_processes_count;
  } else {
    views::ProcessSummary summary;
    summary.pid = process.pid;
    summary.parent_pid = process.parent_pid;
    summary.executable = at != running_.end() ? at->second.executable : process.executable;
    summary.end = end;
    summary.wait_status = wait_status;
    summary.ledger = process.ledger;
    if (!replaced && process.space != nullptr) {
      summary.layout =
          views::make_layout(process.space->mappings(), process.space->program_break());
    }
    ended_.emplace_back(at != running_.end() ? at->second.order : started_count_,
                        std::move(summary));
  }
  if (at != running_.end()) running_.erase(at);
}

void TraceStory::on_detach(model::Process& process) {
  end_program(process, views::ProcessEnd::kDetached, 0);
}

void TraceStory::on_notice(const std::string& line) {
  for (const ViewSlot& slot : views_) slot.view->on_notice(line);
  report_failures();
}

void TraceStory::on_difference(const model::Process& process, const std::string& line) {
  ++summary_.differences_count;
  if (summary_.differences.size() < kMostDifferences) {
    summary_.differences.push_back(fmt::format("process {}: {}", process.pid, line));
  }
}

void TraceStory::finish(const sources::TraceOutcome& outcome) {
  std::sort(ended_.begin(), ended_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [order, summary] : ended_) summary_.processes.push_back(std::move(summary));
  ended_.clear();
  summary_.lost_count = outcome.lost_count;
  summary_.unreadable_modules_count = outcome.unwinder.rejected_modules_count;
  summary_.verified_count = outcome.verified_count;
  for (ViewSlot& slot : views_) {
    say_what_is_missing(slot);
    summary_.unread_count = slot.unread_count;
    slot.view->on_end(summary_);
  }
  report_failures();
}

// What was kept until now goes out once somebody reads it.
void TraceStory::on_tick() {
  for (ViewSlot& slot : views_) {
    if (slot.output == nullptr) continue;
    slot.output->end_record();
    if (slot.output->takes_more()) say_what_is_missing(slot);
  }
  report_failures();
}

bool TraceStory::takes_event(ViewSlot& slot) {
  if (slot.output == nullptr) return true;
  if (!slot.output->takes_more()) {
    ++slot.missing_count;
    return false;
  }
  say_what_is_missing(slot);
  return true;
}

void TraceStory::say_what_is_missing(ViewSlot& slot) {
  const std::uint64_t count = std::exchange(slot.missing_count, 0);
  if (count == 0) return;
  slot.unread_count += count;
  slot.view->on_notice(
      fmt::format("{} left out here: nobody read what was written before, and the "
                  "process was not to wait",
                  count == 1 ? "1 event is" : fmt::format("{} events are", count)));
}

void TraceStory::report_failures() {
  for (ViewSlot& slot : views_) {
    if (slot.reported || slot.view->healthy()) continue;
    slot.reported = true;
    print_complaint("heapspy trace",
                    fmt::format("cannot write {}: {}; what follows is not recorded there",
                                slot.name, views::errno_text(slot.output->error_number())));
  }
}

}  // namespace mini::cli
