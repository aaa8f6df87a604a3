#include "explain/ledger_book.h"

#include <algorithm>

#include "explain/event_view.h"

namespace mini::explain {
namespace {

using model::EventKind;
using model::Ledger;

// Adds what was gained or returned to a row of either kind.
void book_change(auto& row, Bytes before, Bytes after) {
  if (after > before) row.gained += after - before;
  if (before > after) row.returned += before - after;
}

void book_call(Ledger& ledger, const model::Event& event) {
  model::LedgerRow& row = ledger.by_cause.at(static_cast<std::size_t>(event.cause));
  model::PhaseRow& phase = ledger.by_phase.at(static_cast<std::size_t>(event.phase));
  if (!event.syscall.empty()) {
    ++row.calls_count;
    ++phase.calls_count;
    auto it = ledger.calls_by_syscall.find(event.syscall);
    if (it == ledger.calls_by_syscall.end()) {
      it = ledger.calls_by_syscall.emplace(std::string(event.syscall), 0).first;
    }
    ++it->second;
  }
  if (event.error_number != 0 || is_break_refused(event)) ++row.failed_count;
  book_change(row, event.mapped_before, event.mapped_bytes);
  book_change(phase, event.mapped_before, event.mapped_bytes);
  if (const std::int64_t moved = break_move(event); moved != 0) {
    ++row.break_moves_count;
    row.break_moved_bytes += moved;
  }
}

void book_stack(Ledger& ledger, const model::Event& event) {
  if (event.kind != EventKind::kSystemCall) return;
  if (event.stack == nullptr || event.stack->frames.empty()) {
    ++ledger.unknown_stacks_count;
  } else if (event.stack->end != unwind::StackEnd::kComplete) {
    ++ledger.truncated_stacks_count;
  }
}

}  // namespace

void book_without_call(Ledger& ledger, model::Phase phase, Bytes now) {
  book_change(ledger.without_call, ledger.mapped_now, now);
  book_change(ledger.by_phase.at(static_cast<std::size_t>(phase)), ledger.mapped_now, now);
  ledger.mapped_now = now;
}

void open_ledger(const model::Event& event, model::Process& process) {
  process.ledger = Ledger();
  process.ledger.mapped_at_exec = event.mapped_bytes;
  process.ledger.mapped_now = event.mapped_bytes;
}

void book(const model::Event& event, model::Process& process) {
  Ledger& ledger = process.ledger;
  ++ledger.events_count;
  book_stack(ledger, event);
  if (event.kind == EventKind::kExec || event.kind == EventKind::kProcessStart) {
    if (!event.syscall.empty()) {
      ++ledger.by_cause.at(static_cast<std::size_t>(event.cause)).calls_count;
      ++ledger.by_phase.at(static_cast<std::size_t>(event.phase)).calls_count;
      ++ledger.calls_by_syscall[std::string(event.syscall)];
    }
  } else {
    book_without_call(ledger, event.phase, event.mapped_before);
    book_call(ledger, event);
  }
  ledger.mapped_now = event.mapped_bytes;
  ledger.heap_now = event.heap_bytes;
  ledger.peak_mapped = std::max(ledger.peak_mapped, event.mapped_bytes);
  ledger.peak_heap = std::max(ledger.peak_heap, event.heap_bytes);
  ledger.peak_rss = std::max(
      {ledger.peak_rss, event.rss_bytes.value_or(Bytes{}), event.peak_rss_bytes.value_or(Bytes{})});
  ledger.knows_whole_peak = event.peak_rss_bytes.has_value();
}

}  // namespace mini::explain
