// Puts the parts together: who by the stack, what it is by who, why by both; then books it.
#include "explain/explainer.h"

#include <algorithm>
#include <fmt/format.h>

#include "explain/attribution.h"
#include "explain/event_view.h"
#include "explain/ledger_book.h"
#include "explain/mapping_role.h"
#include "explain/sentence.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::EventKind;
using model::Phase;

void append(std::string& list, std::string_view part) {
  if (part.empty()) return;
  if (!list.empty()) list += ", ";
  list += part;
}

std::string malloc_detail(const model::Event& event, const Attribution& who) {
  std::string entry(who.entry);
  const bool gives_back = event.syscall == "brk" && break_move(event) < 0;
  if (gives_back && entry == "free") entry = "free's trim";
  if (who.musl) entry = fmt::format("musl {}", entry.empty() ? "malloc" : entry);
  const bool plain = entry == "malloc" || entry == "calloc" || entry == "operator new";
  std::string text = who.constructor;
  append(text, who.service);
  if (who.service.empty() || !plain) append(text, entry);
  return text;
}

std::string program_detail(const model::Event& event, const Attribution& who) {
  std::string text = who.constructor;
  if (!who.service.empty()) {
    append(text, who.service);
  } else {
    const std::string_view call = who.wrapper.empty() ? event.syscall : who.wrapper;
    append(text, who.library.empty() ? fmt::format("its own {}", call)
                                     : fmt::format("{}'s own {}", who.library, call));
  }
  return text;
}

std::string detail_of(const model::Event& event, const Attribution& who) {
  switch (who.cause) {
    case Cause::kMalloc:
      return malloc_detail(event, who);
    case Cause::kProgram:
      return program_detail(event, who);
    case Cause::kRuntime:
      return fmt::format("{}{}", who.runtime, who.thread_stack ? ", pthread_create stack" : "");
    case Cause::kLoader:
      return std::string(who.service);
    case Cause::kLibcStartup:
      return "";
    case Cause::kUnknown:
      return std::string(who.unknown_reason);
  }
  return "";
}

// The loader's first steps, before it maps any file, still belong to the program's start.
std::optional<Phase> phase_of(const model::Event& event, const Attribution& who) {
  if (event.kind == EventKind::kProcessExit) return Phase::kExit;
  if (who.phase == Phase::kLibraryLoading && event.syscall != "mmap") return std::nullopt;
  if (who.phase == Phase::kLibraryLoading) {
    const model::Mapping* mapping = first_mapping(event);
    if (mapping == nullptr || !mapping->path.starts_with('/')) return std::nullopt;
  }
  return who.phase;
}

void advance_phase(model::Event& event, const Attribution& who, model::Process& process) {
  if (event.kind == EventKind::kExec) {
    process.phase = Phase::kProgramStart;
    process.attached = false;  // of this program the start is seen
  } else if (process.attached && process.phase < Phase::kProgram) {
    process.phase = Phase::kProgram;
  }
  if (const auto phase = phase_of(event, who); phase && event.kind != EventKind::kExec) {
    process.phase = std::max(process.phase, *phase);
  }
  event.phase = process.phase;
}

// What is mapped already when a program's story begins.
void label_image(model::Process& process) {
  const std::vector<model::Mapping> image = process.space->mappings();
  for (std::size_t i = 0; i < image.size(); ++i) {
    const model::Mapping* before = i == 0 ? nullptr : &image[i - 1];
    const model::Role role = role_at_start(image[i], before, process);
    AddressRange range = image[i].range;
    // The kernel shows a file's zeros and what is mapped behind them as one.
    if (role == model::Role::kBss && before != nullptr && before->data_end != Address{}) {
      range.end = std::min(range.end, before->data_end);
    }
    process.space->label(range, role, image[i].cause);
  }
}

// A moved mapping keeps its label; what it grew by gets the same.
void label_mappings(const model::Event& event, const MappingMeaning& meaning,
                    model::Process& process) {
  if (!meaning.labels) return;
  process.space->label(event.range, meaning.role, event.cause);
}

// Whatever the stack went through, execve is the program's own act; and its frames are those of a
// program that is gone, so nothing else is read from them.
Attribution own_act(const Attribution& who) {
  Attribution result;
  result.cause = Cause::kProgram;
  result.origin_frame = who.origin_frame;
  return result;
}

void begin_story(const model::Event& event, model::Process& process) {
  const bool new_image = event.kind == EventKind::kExec || process.attached;
  if (new_image) label_image(process);
  open_ledger(event, process);
}

}  // namespace

void explain(model::Event& event, model::Process& process) {
  Attribution who = attribute(event.stack.get(), process);
  if (event.kind == EventKind::kExec) who = own_act(who);
  event.cause = who.cause;
  if (event.kind == EventKind::kSystemCall) {
    event.cause_detail = detail_of(event, who);
  } else if (event.kind != EventKind::kExec) {
    event.cause_detail = who.service;
  }
  event.origin_frame = who.origin_frame;
  advance_phase(event, who, process);
  if (event.kind == EventKind::kExec || event.kind == EventKind::kProcessStart) {
    begin_story(event, process);
  }
  MappingMeaning meaning;
  if (event.kind == EventKind::kSystemCall && event.error_number == 0) {
    meaning = describe_mapping(event, who, process);
    label_mappings(event, meaning, process);
  }
  event.role = meaning.role;
  event.explanation = explain_call(event, who, meaning, process);
  event.mapping_text = std::move(meaning.text);
  if (event.kind == EventKind::kSystemCall && who.cause == Cause::kMalloc) {
    process.break_refused = is_break_refused(event);
  }
  book(event, process);
}

void settle(model::Process& process) {
  model::Ledger& ledger = process.ledger;
  ledger.mapped_by_role.clear();
  ledger.mapped_by_cause.fill({});
  for (const model::Mapping& mapping : process.space->mappings()) {
    ledger.mapped_by_role[mapping.role] += mapping.range.size();
    ledger.mapped_by_cause.at(static_cast<std::size_t>(mapping.cause)) += mapping.range.size();
  }
  book_without_call(ledger, process.phase, process.space->mapped_bytes());
}

}  // namespace mini::explain
