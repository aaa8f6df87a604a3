#include "views/json_ledger.h"

#include "views/event_facts.h"
#include "views/json_writer.h"

namespace mini::views {
namespace {

using model::Ledger;

void write_causes(JsonWriter& json, const Ledger& ledger) {
  json.key("by_cause").begin_object();
  for (int i = 0; i < model::kCauseCount; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const model::LedgerRow& row = ledger.by_cause[index];
    json.key(model::cause_name(static_cast<model::Cause>(i))).begin_object();
    json.key("calls").number(row.calls_count);
    json.key("failed").number(row.failed_count);
    json.key("gained_bytes").bytes(row.gained);
    json.key("returned_bytes").bytes(row.returned);
    json.key("break_moves").number(row.break_moves_count);
    json.key("break_moved_bytes").signed_number(row.break_moved_bytes);
    json.key("mapped_now_bytes").bytes(ledger.mapped_by_cause[index]);
    json.end_object();
  }
  json.end_object();
}

void write_without_call(JsonWriter& json, const Ledger& ledger) {
  json.key("without_call").begin_object();
  json.key("gained_bytes").bytes(ledger.without_call.gained);
  json.key("returned_bytes").bytes(ledger.without_call.returned);
  json.end_object();
}

void write_phases(JsonWriter& json, const Ledger& ledger) {
  json.key("by_phase").begin_object();
  for (int i = 0; i < model::kPhaseCount; ++i) {
    const model::PhaseRow& row = ledger.by_phase[static_cast<std::size_t>(i)];
    json.key(model::phase_name(static_cast<model::Phase>(i))).begin_object();
    json.key("calls").number(row.calls_count);
    json.key("gained_bytes").bytes(row.gained);
    json.key("returned_bytes").bytes(row.returned);
    json.end_object();
  }
  json.end_object();
}

void write_ledger(JsonWriter& json, const Ledger& ledger) {
  json.begin_object();
  write_causes(json, ledger);
  write_without_call(json, ledger);
  write_phases(json, ledger);
  json.key("calls_by_syscall").begin_object();
  for (const auto& [name, count] : ledger.calls_by_syscall) json.key(name).number(count);
  json.end_object();
  json.key("mapped_by_role").begin_object();
  for (const auto& [role, bytes] : ledger.mapped_by_role) {
    json.key(model::role_name(role)).bytes(bytes);
  }
  json.end_object();
  json.key("mapped_at_exec_bytes").bytes(ledger.mapped_at_exec);
  json.key("mapped_now_bytes").bytes(ledger.mapped_now);
  json.key("peak_mapped_bytes").bytes(ledger.peak_mapped);
  json.key("heap_now_bytes").bytes(ledger.heap_now);
  json.key("peak_heap_bytes").bytes(ledger.peak_heap);
  json.key("peak_rss_bytes").bytes(ledger.peak_rss);
  json.key("peak_rss_is_whole").boolean(ledger.knows_whole_peak);
  json.key("events").number(ledger.events_count);
  json.key("unknown_stacks").number(ledger.unknown_stacks_count);
  json.key("truncated_stacks").number(ledger.truncated_stacks_count);
  json.end_object();
}

void write_layout(JsonWriter& json, const Layout& layout) {
  json.key("program_break").address_or_null(layout.program_break);
  json.key("layout").begin_array();
  for (const Band& band : layout.bands) {
    json.begin_object();
    json.key("begin").address(band.range.begin);
    json.key("end").address(band.range.end);
    json.key("mapped_bytes").bytes(band.mapped_bytes);
    json.key("label").string(band.label);
    json.key("role").string(model::role_name(band.role));
    json.key("cause").string(model::cause_name(band.cause));
    json.key("mappings").number(band.mappings_count);
    json.end_object();
  }
  json.end_array();
}

void write_process(JsonWriter& json, const ProcessSummary& process) {
  static constexpr std::string_view kEnds[] = {"exited", "replaced", "detached"};
  json.begin_object();
  json.key("pid").signed_number(process.pid);
  json.key("parent_pid").signed_number(process.parent_pid);
  json.key("executable").string_or_null(process.executable);
  json.key("end").string(kEnds[static_cast<std::size_t>(process.end)]);
  if (process.end == ProcessEnd::kExited) {
    const Ending ending = ending_of(process.wait_status);
    json.key("exit_status").signed_number(ending.exit_status);
    json.key("signal").string_or_null(ending.signal);
  } else {
    json.key("exit_status").null().key("signal").null();
  }
  json.key("ledger");
  write_ledger(json, process.ledger);
  write_layout(json, process.layout);
  json.end_object();
}

}  // namespace

void write_json_ledger(std::string& out, const TraceSummary& summary) {
  JsonWriter json(out);
  json.begin_object();
  json.key("type").string("ledger");
  json.key("duration_ns").number(summary.duration_ns);
  json.key("events").number(summary.events_count);
  json.key("hidden_events").number(summary.hidden_count);
  json.key("unread_events").number(summary.unread_count);
  json.key("lost_events").number(summary.lost_count);
  json.key("unreadable_modules").number(summary.unreadable_modules_count);
  json.key("verified").number(summary.verified_count);
  json.key("difference_count").number(summary.differences_count);
  json.key("differences").begin_array();
  for (const std::string& line : summary.differences) json.string(line);
  json.end_array();
  json.key("processes").begin_array();
  for (const ProcessSummary& process : summary.processes) write_process(json, process);
  json.end_array();
  json.key("further_processes").number(summary.further_processes_count);
  json.key("replaced_bytes").bytes(summary.replaced_bytes);
  json.key("total");
  write_ledger(json, summary.total);
  json.end_object();
}

}  // namespace mini::views
