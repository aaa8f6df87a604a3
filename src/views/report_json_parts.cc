#include "views/report_json_parts.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "explain/memory_use.h"
#include "explain/profile_frames.h"

namespace mini::views {

using model::HeapProfile;

void write_process(JsonWriter& json, const HeapProfile& profile) {
  static constexpr std::string_view kEndings[] = {"unknown", "exited", "killed", "exec",
                                                  "detached"};
  const model::ProfileProcess& process = profile.process;
  json.key("process").begin_object();
  json.key("pid").number(process.pid);
  json.key("executable").string_or_null(process.executable);
  json.key("command").begin_array();
  for (const std::string& word : process.command) json.string(word);
  json.end_array();
  json.key("started_unix_ns").number(process.start_unix_ns);
  json.key("sample_bytes").number(process.sample_bytes);
  json.key("ending").string(kEndings[static_cast<std::size_t>(profile.ending.kind)]);
  const auto status_of = [&](model::ProfileEnding::Kind kind) -> JsonWriter& {
    return profile.ending.kind == kind ? json.number(profile.ending.status) : json.null();
  };
  json.key("exit_status");
  status_of(model::ProfileEnding::Kind::kExited);
  json.key("signal");
  status_of(model::ProfileEnding::Kind::kKilled);
  json.key("next_recording").string_or_null(profile.ending.next_recording);
  json.end_object();
}

void write_inheritance(Output& output, JsonWriter& json, const HeapProfile& profile,
                       std::optional<std::size_t> top) {
  const model::Inheritance& inherited = profile.inheritance;
  using State = model::Inheritance::State;
  json.key("inherited");
  if (inherited.state == State::kNone) {
    json.null();
    return;
  }
  const auto amounts = [&](model::Amount at_fork, model::Amount freed) {
    json.key("bytes").number(at_fork.bytes).key("count").number(at_fork.blocks);
    json.key("freed_bytes").number(freed.bytes).key("freed_count").number(freed.blocks);
  };
  json.begin_object();
  json.key("is_known").boolean(inherited.state == State::kKnown);
  json.key("recording").string(inherited.recording).key("fork").number(inherited.fork);
  json.key("parent_pid").number(inherited.parent_pid);
  amounts(inherited.at_fork, inherited.freed);
  write_stack_list(
      output, json, profile, "stacks", explain::list_inherited(profile, explain::list_limits(top)),
      [&](const model::InheritedProfile& stack) { amounts(stack.at_fork, stack.freed); });
  json.end_object();
}

void write_usable(JsonWriter& json, const HeapProfile& profile, std::size_t most_stacks) {
  json.key("usable");
  if (!profile.usable.is_known) {
    json.null();
    return;
  }
  const auto amounts = [&](const model::UsableProfile& one) {
    json.key("allocations").number(one.allocated.blocks);
    json.key("requested_bytes").number(one.allocated.bytes);
    json.key("usable_bytes").number(one.allocated_usable_bytes);
    json.key("peak_blocks").number(one.peak.blocks);
    json.key("peak_requested_bytes").number(one.peak.bytes);
    json.key("peak_usable_bytes").number(one.peak_usable_bytes);
  };
  json.begin_object();
  amounts(profile.usable.totals);
  json.key("classes").begin_array();
  for (const model::UsableProfile& one : profile.usable.classes) {
    json.begin_object();
    json.key("least_usable_bytes").number(one.least_usable_bytes);
    json.key("most_usable_bytes").number(one.most_usable_bytes);
    amounts(one);
    json.end_object();
  }
  json.end_array();
  json.key("stacks").begin_array();
  std::vector<model::StackUsable> rounded = explain::rounded_stacks(profile);
  rounded.resize(std::min(rounded.size(), most_stacks));
  for (const model::StackUsable& one : rounded) {
    json.begin_object();
    json.key("block_bytes");
    one.block_bytes == 0 ? json.null() : json.number(one.block_bytes);
    json.key("peak_blocks").number(one.peak.blocks);
    json.key("peak_requested_bytes").number(one.peak.bytes);
    json.key("peak_usable_bytes").number(one.peak_usable_bytes);
    write_frames(json, profile, one.node);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_first_touch(Output& output, JsonWriter& json, const HeapProfile& profile,
                       std::optional<std::size_t> top) {
  const model::FirstTouch& touch = profile.first_touch;
  using State = model::FirstTouch::State;
  json.key("first_touch");
  if (touch.state == State::kNotAsked) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("refusal").string_or_null(touch.refusal);
  json.key("in_blocks_bytes").number(touch.in_blocks.bytes);
  json.key("in_mappings_bytes").number(touch.in_mappings.bytes);
  json.key("elsewhere_bytes").number(touch.elsewhere.bytes);
  json.key("lost_faults").number(touch.lost);
  const auto list = [&](const char* name, const std::vector<model::TouchProfile>& stacks) {
    write_stack_list(output, json, profile, name,
                     explain::list_touches(profile, stacks, explain::list_limits(top)),
                     [&](const model::TouchProfile& stack) {
                       json.key("bytes").number(stack.touched.bytes);
                       json.key("pages").number(stack.touched.blocks);
                     });
  };
  list("owners", touch.owners);
  list("touchers", touch.touchers);
  json.end_object();
}

void write_unrecorded_programs(JsonWriter& json, const HeapProfile& profile) {
  static constexpr std::string_view kReasons[] = {"unknown",      "static",        "other-libc",
                                                  "32-bit",       "other-machine", "more-rights",
                                                  "out-of-reach", "own-malloc"};
  json.key("unrecorded_programs").begin_array();
  for (const model::UnrecordedProgram& program : profile.unrecorded_programs) {
    json.begin_object();
    json.key("path").string_or_null(program.path);
    json.key("reason").string(kReasons[static_cast<std::size_t>(program.obstacle)]);
    json.key("count").number(program.count);
    json.end_object();
  }
  json.end_array();
}

namespace {

void write_unnamed_modules(JsonWriter& json, const HeapProfile& profile) {
  static constexpr std::string_view kReasons[] = {"no-file", "other-file", "no-build-id",
                                                  "too-many"};
  json.key("unnamed_modules").begin_array();
  for (const model::UnnamedModule& module : profile.losses.unnamed_modules) {
    json.begin_object();
    json.key("path").string(profile.modules[module.module].path);
    json.key("reason").string(kReasons[static_cast<std::size_t>(module.reason)]);
    json.key("frames").number(module.frames);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_losses(JsonWriter& json, const HeapProfile& profile) {
  const model::ProfileLosses& losses = profile.losses;
  json.key("losses").begin_object();
  json.key("is_cut").boolean(losses.is_cut);
  json.key("skipped_file_blocks").number(losses.skipped_blocks);
  json.key("skipped_file_bytes").number(losses.skipped_bytes);
  json.key("dropped_events").number(losses.dropped_events);
  json.key("dropped_markers").number(losses.dropped_markers);
  json.key("truncated_stacks").number(losses.truncated_stacks);
  json.key("unknown_stacks").number(losses.unknown_stacks);
  json.key("frees_not_seen").number(losses.frees_not_seen);
  json.key("lost_blocks").number(profile.totals.lost.blocks);
  json.key("lost_bytes").number(profile.totals.lost.bytes);
  write_unnamed_modules(json, profile);
  json.end_object();
}

void write_findings(JsonWriter& json, std::span<const explain::Finding> findings) {
  json.key("findings").begin_array();
  for (const explain::Finding& finding : findings) {
    json.begin_object();
    json.key("kind").string(finding.kind);
    json.key("statement").string(finding.statement);
    json.key("evidence").string(finding.evidence);
    json.key("advice").string(finding.advice);
    json.end_object();
  }
  json.end_array();
}

namespace {

void write_frames_of(JsonWriter& json, const explain::ProfileStackView& stack) {
  json.key("place").string(explain::describe_place(stack));
  json.key("place_frame");
  if (stack.frames.empty()) {
    json.null();
  } else {
    json.number(stack.place);
  }
  json.key("frames").begin_array();
  for (const explain::ProfileFrameView& frame : stack.frames) {
    json.begin_object();
    json.key("function").string_or_null(frame.line != nullptr ? frame.line->function : "");
    json.key("file").string_or_null(frame.line != nullptr ? frame.line->file : "");
    json.key("line");
    if (frame.line == nullptr || frame.line->line == 0) {
      json.null();
    } else {
      json.number(frame.line->line);
    }
    json.key("inlined").boolean(frame.line != nullptr && frame.line->inlined);
    json.key("module").string_or_null(frame.module->path);
    json.key("address").address(Address{frame.frame->address});
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_frames(JsonWriter& json, const HeapProfile& profile, std::uint32_t node) {
  write_frames_of(json, explain::stack_view(profile, node));
}

void write_listed_frames(JsonWriter& json, const HeapProfile& profile, std::uint32_t node,
                         std::size_t merged_stacks) {
  const bool is_merged = merged_stacks != 0;
  json.key("merged_stacks");
  is_merged ? json.number(merged_stacks) : json.null();
  write_frames_of(
      json, is_merged ? explain::way_to_place(profile, node) : explain::stack_view(profile, node));
}

}  // namespace mini::views
