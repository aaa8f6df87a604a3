#include "views/json_view.h"

#include "views/event_facts.h"
#include "views/json_ledger.h"
#include "views/json_writer.h"

namespace mini::views {
namespace {

using model::Argument;
using model::Event;
using model::EventKind;

void write_argument(JsonWriter& json, const Argument& argument) {
  json.key(argument.name);
  if (argument.name == "fd") {  // its text names the file, as `mapping` does
    json.signed_number(signed_value(argument));
    return;
  }
  switch (argument.form) {
    case Argument::Form::kNumber:
      json.signed_number(signed_value(argument));
      break;
    case Argument::Form::kBytes:
      json.number(argument.value);
      break;
    case Argument::Form::kAddress:
      json.address(Address{argument.value});
      break;
    case Argument::Form::kText:
      json.string(argument.text);
      break;
  }
}

void write_arguments(JsonWriter& json, const Event& event) {
  json.key("args").begin_object();
  for (const Argument& argument : event.arguments) write_argument(json, argument);
  json.end_object();
}

void write_result(JsonWriter& json, const Event& event) {
  json.key("result");
  if (event.kind != EventKind::kSystemCall && event.kind != EventKind::kExec) {
    json.null();
  } else if (event.error_number != 0) {
    json.signed_number(-1);
  } else if (returns_address(event.syscall)) {
    json.address(Address{static_cast<std::uint64_t>(event.result)});
  } else {
    json.signed_number(event.result);
  }
  json.key("errno");
  event.error_number != 0 ? json.string(errno_name(event.error_number)) : json.null();
}

void write_frame(JsonWriter& json, const unwind::Frame& frame) {
  json.begin_object();
  json.key("function").string_or_null(frame.function);
  json.key("module").string_or_null(frame.module);
  json.key("offset").address(Address{frame.module_offset});
  json.key("address").address(frame.pc);
  json.key("file").string_or_null(frame.file);
  json.key("line");
  frame.line != 0 ? json.number(frame.line) : json.null();
  json.key("inlined").boolean(frame.inlined);
  json.end_object();
}

void write_stack(JsonWriter& json, const Event& event) {
  if (event.stack == nullptr) {
    json.key("frames").null().key("stack_end").null().key("origin_frame").null();
    return;
  }
  json.key("frames").begin_array();
  for (const unwind::Frame& frame : event.stack->frames) write_frame(json, frame);
  json.end_array();
  json.key("stack_end").string(stack_end_name(event.stack->end));
  json.key("origin_frame").number_or_null(event.origin_frame);
}

void write_part(JsonWriter& json, const model::Mapping& mapping) {
  json.begin_object();
  json.key("begin").address(mapping.range.begin);
  json.key("end").address(mapping.range.end);
  json.key("protection").string(model::format_protection(mapping.protection));
  json.key("shared").boolean(mapping.shared);
  json.key("path").string_or_null(mapping.path);
  json.key("file_offset").number(mapping.file_offset);
  json.end_object();
}

void write_mapping(JsonWriter& json, const Event& event) {
  json.key("mapping");
  if (event.range.empty() && event.mapping_text.empty()) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("description").string_or_null(event.mapping_text);
  json.key("role").string(model::role_name(event.role));
  json.key("begin").address(event.range.begin);
  json.key("end").address(event.range.end);
  json.key("bytes").bytes(event.range.size());
  json.key("parts").begin_array();
  for (const model::Mapping& part : event.mappings_before) write_part(json, part);
  json.end_array().end_object();
}

void write_malloc(JsonWriter& json, const Event& event) {
  json.key("malloc");
  if (!event.malloc_state && !event.malloc_request) {
    json.null();
    return;
  }
  json.begin_object();
  if (const auto& request = event.malloc_request) {
    json.key("requested_bytes").bytes(request->requested);
    json.key("chunk_bytes").bytes(request->chunk);
  }
  if (const auto& state = event.malloc_state) {
    json.key("glibc_version").string_or_null(state->glibc_version);
    json.key("top").address_or_null(state->top);
    json.key("top_bytes").bytes_or_null(state->top_bytes);
    json.key("top_pad_bytes").bytes(state->top_pad);
    json.key("mmap_threshold_bytes").bytes(state->mmap_threshold);
    json.key("trim_threshold_bytes").bytes(state->trim_threshold);
    json.key("contiguous").boolean(state->contiguous);
  }
  json.end_object();
}

void write_kind_fields(JsonWriter& json, const Event& event) {
  if (event.kind == EventKind::kProcessStart) {
    json.key("parent_pid").signed_number(event.parent_pid);
    json.key("how").string_or_null(event.note);
  } else if (event.kind == EventKind::kExec) {
    json.key("executable").string_or_null(event.note);
  } else if (event.kind == EventKind::kProcessExit) {
    const Ending ending = ending_of(static_cast<int>(event.result));
    json.key("exit_status").signed_number(ending.exit_status);
    json.key("signal").string_or_null(ending.signal);
    json.key("peak_rss_bytes").bytes_or_null(event.peak_rss_bytes);
  }
}

}  // namespace

JsonTraceView::JsonTraceView(Output& output, const TraceHeader& header) : output_(output) {
  JsonWriter json(output_.buffer());
  json.begin_object();
  json.key("type").string("header");
  json.key("schema").number(kJsonSchema);
  json.key("heapspy").string(header.version);
  json.key("machine").string(header.machine);
  json.key("kernel").string(header.kernel);
  json.key("command").begin_array();
  for (const std::string& word : header.command) json.string(word);
  json.end_array();
  json.key("attached_pid");
  header.attached_pid != 0 ? json.signed_number(header.attached_pid) : json.null();
  json.key("started_unix_ns").number(header.started_unix_ns);
  json.key("stacks").boolean(header.stacks);
  json.key("filters").begin_array();
  for (const std::string& filter : header.filters) json.string(filter);
  json.end_array().end_object();
  output_.write("\n");
  output_.end_record();
}

void JsonTraceView::on_event(const Event& event, const model::Process&, bool shown) {
  if (!shown || !healthy()) return;
  JsonWriter json(output_.buffer());
  json.begin_object();
  json.key("type").string(event_type_name(event.kind));
  json.key("sequence").number(event.sequence);
  json.key("pid").signed_number(event.pid);
  json.key("tid").signed_number(event.tid);
  json.key("time_ns").number(event.time_ns);
  json.key("phase").string(model::phase_name(event.phase));
  write_kind_fields(json, event);
  json.key("syscall").string_or_null(event.syscall);
  write_arguments(json, event);
  write_result(json, event);
  json.key("cause").string(model::cause_name(event.cause));
  json.key("cause_detail").string_or_null(event.cause_detail);
  write_stack(json, event);
  write_mapping(json, event);
  json.key("break_before").address_or_null(event.break_before);
  json.key("break_after").address_or_null(event.break_after);
  json.key("heap_bytes").bytes(event.heap_bytes);
  json.key("mapped_bytes").bytes(event.mapped_bytes);
  json.key("mapped_before_bytes").bytes(event.mapped_before);
  json.key("stack_growth_bytes").bytes(event.stack_growth);
  json.key("rss_bytes").bytes_or_null(event.rss_bytes);
  write_malloc(json, event);
  json.key("explanation").string_or_null(event.explanation);
  json.end_object();
  output_.write("\n");
  output_.end_record();
}

void JsonTraceView::on_notice(const std::string& line) {
  JsonWriter json(output_.buffer());
  json.begin_object().key("type").string("notice").key("text").string(line).end_object();
  output_.write("\n");
  output_.end_record();
}

void JsonTraceView::on_end(const TraceSummary& summary) {
  write_json_ledger(output_.buffer(), summary);
  output_.write("\n");
  output_.flush();
}

}  // namespace mini::views
