#include "cli/trace_arguments.h"

#include <charconv>
#include <fmt/format.h>

#include "cli/duration.h"
#include "cli/help.h"
#include "cli/own_words.h"
#include "cli/size.h"

namespace mini::cli {
namespace {

constexpr std::uint64_t kVerifyEveryDefault = 1;

/// What CLI11 fills in, before it is checked.
struct RawArguments {
  TraceArguments parsed;
  bool no_follow = false;
  bool no_stacks = false;
  bool no_seccomp = false;
  bool no_debug_files = false;
  bool events = false;
  bool summary = false;
  bool layout = false;
  std::vector<std::string> filters;
  std::vector<std::string> causes;
  std::string duration;
  std::string minimum;
  std::string verify;
  std::string json_path;
  std::string output_path;
  RawLook look;
};

void add_show_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kShow =
      "What to show (all events, the ledger and the layout if nothing is chosen)";
  app.add_flag("--events", raw.events, "the system calls, one by one")->group(kShow);
  app.add_flag("--summary", raw.summary, "the ledger: bytes by cause and by kind")->group(kShow);
  app.add_flag("--layout", raw.layout, "the address space as a picture")->group(kShow);
  app.add_option("--filter", raw.filters, "only these system calls: brk,mmap,...")
      ->option_text("CALL,...")
      ->group(kShow);
  app.add_option("--cause", raw.causes,
                 "only what these caused: loader, libc-startup, malloc, program, runtime, unknown")
      ->option_text("CAUSE,...")
      ->group(kShow);
  app.add_option("--min", raw.minimum, "only calls about at least this much: 64K, 1.5M")
      ->option_text("SIZE")
      ->group(kShow);
  app.add_flag("--stack", raw.parsed.full_stacks, "the whole call stack of each call")
      ->group(kShow);
}

void add_how_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kHow = "How it is traced";
  app.add_flag("--no-stacks", raw.no_stacks, "take no call stacks: faster, and every cause unknown")
      ->group(kHow);
  app.add_option("--max-frames", raw.parsed.max_frames, "frames of a stack at most (256)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(kHow);
  app.add_flag("--no-debug-files", raw.no_debug_files, "ignore separate debug files")->group(kHow);
  app.add_option("--verify", raw.verify,
                 "compare the model with the kernel's list of mappings after every N events (1) "
                 "and at each exit")
      ->option_text("[=N]")
      ->expected(0, 1)
      ->group(kHow);
  app.add_flag("--no-seccomp", raw.no_seccomp, "stop at every system call: slow, to compare with")
      ->group(kHow);
}

void add_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kTarget = "What to trace";
  app.add_option("-p,--pid", raw.parsed.attach_pid,
                 "trace the running process PID until it ends or Ctrl-C")
      ->option_text("PID")
      ->group(kTarget);
  app.add_option("--duration", raw.duration, "with --pid: for this long at most (10s, 5m)")
      ->option_text("TIME")
      ->group(kTarget);
  app.add_flag("--no-follow", raw.no_follow, "stay with the first process, leave its children")
      ->group(kTarget);

  add_show_options(app, raw);
  constexpr auto kOutput = "Where it goes";
  app.add_option("-o,--output", raw.output_path,
                 "write the text to FILE (default: standard error; -: standard output)")
      ->option_text("FILE")
      ->group(kOutput);
  app.add_option("--json", raw.json_path, "also write JSON, an object a line; - is standard output")
      ->option_text("FILE")
      ->group(kOutput);
  app.add_flag("-q,--quiet", raw.parsed.quiet, "no text at all")->group(kOutput);
  add_look_options(app, raw.look, kOutput);

  add_how_options(app, raw);
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

Result<void> check_verify(const std::string& text, std::size_t given_count, TraceArguments& out) {
  if (given_count == 0) return {};
  out.verify_every = kVerifyEveryDefault;
  if (text.empty()) return {};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out.verify_every);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (whole && out.verify_every != 0) return {};
  return fail(
      fmt::format("--verify={} is no number of events: type --verify or --verify=100", text));
}

Result<void> check_color(const std::string& text, TraceArguments& out) {
  const auto choice = parse_color_choice(text);
  if (!choice) return std::unexpected(choice.error());
  out.color = *choice;
  return {};
}

Result<void> check_filters(const RawArguments& raw, TraceArguments& out) {
  for (const std::string& names : raw.filters) {
    if (auto added = out.filter.add_syscalls(names); !added) return added;
  }
  for (const std::string& names : raw.causes) {
    if (auto added = out.filter.add_causes(names); !added) return added;
  }
  if (raw.minimum.empty()) return {};
  const auto minimum = parse_size(raw.minimum);
  if (!minimum) return fail("--min: " + minimum.error().message);
  out.filter.set_minimum(*minimum);
  return {};
}

Result<void> check_target(const RawArguments& raw, bool pid_given, TraceArguments& out) {
  if (pid_given && out.attach_pid <= 0) {
    return fail(fmt::format("-p {}: no process has this number", out.attach_pid));
  }
  if (pid_given && !out.command.empty()) {
    return fail("both -p PID and a command are given: choose one");
  }
  if (!pid_given && out.command.empty()) {
    return fail("nothing to trace: type 'heapspy trace ls' or 'heapspy trace -p PID'");
  }
  if (raw.duration.empty()) return {};
  const auto time = check_duration(raw.duration, pid_given);
  if (!time) return std::unexpected(time.error());
  out.duration_ns = *time;
  return {};
}

Result<void> check_numbers(const TraceArguments& out) {
  if (auto width = check_width(out.width); !width) return width;
  if (out.max_frames < 1 || out.max_frames > 65536) {
    return fail(fmt::format("--max-frames {}: type a number from 1 to 65536", out.max_frames));
  }
  return {};
}

Result<TraceArguments> check(RawArguments& raw, const CLI::App& app) {
  TraceArguments& out = raw.parsed;
  out.follow = !raw.no_follow;
  out.stacks = !raw.no_stacks;
  out.seccomp = !raw.no_seccomp;
  out.debug_files = !raw.no_debug_files;
  if (raw.events || raw.summary || raw.layout) {
    out.events = raw.events;
    out.summary = raw.summary;
    out.layout = raw.layout;
  }
  if (app.count("--json") != 0) out.json_path = raw.json_path;
  if (app.count("--output") != 0) out.output_path = raw.output_path;
  if (app.count("--width") != 0) out.width = raw.look.width;
  if (out.help) return out;
  if (!out.stacks && out.full_stacks) return fail("--stack and --no-stacks contradict each other");
  for (auto checked : {check_verify(raw.verify, app.count("--verify"), out),
                       check_color(raw.look.color, out), check_filters(raw, out),
                       check_target(raw, app.count("--pid") != 0, out), check_numbers(out)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  return out;
}

}  // namespace

Result<TraceArguments> parse_trace_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  auto command = parse_own_words(app, words, "trace");
  if (!command) return std::unexpected(command.error());
  raw.parsed.command = std::move(*command);
  return check(raw, app);
}

std::string trace_help() {
  return with_options(add_options, format_trace_help);
}

std::vector<std::string> trace_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
