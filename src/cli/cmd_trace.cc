#include "cli/cmd_trace.h"

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/output_file.h"
#include "cli/terminal.h"
#include "cli/trace_arguments.h"
#include "cli/trace_story.h"
#include "sources/own_signals.h"
#include "sources/trace.h"
#include "views/event_facts.h"
#include "views/json_view.h"
#include "views/output.h"
#include "views/terminal_view.h"

namespace mini::cli {
namespace {

sources::TraceOptions source_options(const TraceArguments& arguments) {
  sources::TraceOptions options;
  options.command = arguments.command;
  options.attach_pid = arguments.attach_pid;
  options.most_ns = arguments.duration_ns;
  options.follow = arguments.follow;
  options.stacks = arguments.stacks;
  options.use_seccomp = arguments.seccomp;
  options.unwinder.max_frames = arguments.max_frames;
  options.unwinder.use_debug_files = arguments.debug_files;
  // Without whole stacks a line is shown of the program's own code only.
  options.unwinder.libc_source_lines = arguments.full_stacks || arguments.json_path.has_value();
  options.verify_every = arguments.verify_every;
  return options;
}

views::TraceHeader json_header(const TraceArguments& arguments) {
  views::TraceHeader header;
  header.version = MINI_VERSION;
  utsname system{};
  if (uname(&system) == 0) {
    header.machine = system.machine;
    header.kernel = system.release;
  }
  header.command = arguments.command;
  header.attached_pid = arguments.attach_pid;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  header.started_unix_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
                           static_cast<std::uint64_t>(now.tv_nsec);
  header.stacks = arguments.stacks;
  header.filters = arguments.filter.describe();
  return header;
}

/// What waits for a reader here holds a process that we have joined; one that we want to let go is
/// not held at all, and one that we have started may be: nothing is left out of its story.
std::uint64_t most_wait_ns() {
  constexpr std::uint64_t kShort = 1'000'000'000;
  if (sources::OwnSignals::is_leaving()) return 0;
  return sources::OwnSignals::has_joined() ? kShort : views::Output::kForever;
}

/// Everything that a trace writes to, opened before the target runs.
class Outputs {
 public:
  Result<void> open(const TraceArguments& arguments) {
    if (arguments.json_path) {
      auto file = open_output_or_stdout(output_path_of(*arguments.json_path));
      if (!file) return std::unexpected(file.error());
      add_json(std::move(*file), arguments);
    }
    if (arguments.quiet) return {};
    auto file = arguments.output_path
                    ? open_output_or_stdout(output_path_of(*arguments.output_path))
                    : Result<OutputFile>(OutputFile(STDERR_FILENO, "standard error"));
    if (!file) return std::unexpected(file.error());
    add_text(std::move(*file), arguments);
    return {};
  }

  const std::vector<ViewSlot>& slots() const { return slots_; }

 private:
  views::Output& add(OutputFile file, views::Output::Flush flush) {
    files_.push_back(std::move(file));
    outputs_.push_back(std::make_unique<views::Output>(files_.back().fd(), flush, most_wait_ns));
    return *outputs_.back();
  }
  void add_view(std::unique_ptr<views::TraceView> view, views::Output& output) {
    views_.push_back(std::move(view));
    slots_.push_back(
        {.view = views_.back().get(), .output = &output, .name = files_.back().name()});
  }
  void add_json(OutputFile file, const TraceArguments& arguments) {
    auto& output = add(std::move(file), views::Output::Flush::kBatched);
    add_view(std::make_unique<views::JsonTraceView>(output, json_header(arguments)), output);
  }
  void add_text(OutputFile file, const TraceArguments& arguments) {
    // On standard error each event belongs in its place among the target's own lines.
    const auto flush =
        arguments.output_path ? views::Output::Flush::kBatched : views::Output::Flush::kEachRecord;
    views::TerminalOptions options;
    options.style = choose_style(look_around(file.fd()), arguments.color, arguments.width);
    options.events = arguments.events;
    options.summary = arguments.summary;
    options.layout = arguments.layout;
    options.full_stacks = arguments.full_stacks;
    auto& output = add(std::move(file), flush);
    add_view(std::make_unique<views::TerminalTraceView>(output, options), output);
  }

  // In this order: a view writes to an output when it ends, an output to a file.
  std::vector<OutputFile> files_;
  std::vector<std::unique_ptr<views::Output>> outputs_;
  std::vector<std::unique_ptr<views::TraceView>> views_;
  std::vector<ViewSlot> slots_;
};

/// Whether each output is a file of its own, and not the program.
Result<void> check_outputs(const TraceArguments& arguments) {
  const auto text = arguments.output_path.and_then(output_path_of);
  const auto json = arguments.json_path.and_then(output_path_of);
  const std::string word = arguments.command.empty() ? "" : arguments.command.front();
  const std::string program = word.contains('/') ? word : "";
  if (arguments.output_path && !text && arguments.json_path && !json) {
    return fail("-o and --json are both standard output: type a name for one of them");
  }
  if (const auto other = check_not_input(text, {{program}}); !other) return other;
  if (!json) return {};
  if (!program.empty() && is_same_file(*json, program)) {
    return fail(fmt::format("--json {} is the program: type another name", *json));
  }
  if (text && is_same_file(*json, *text)) {
    return fail(fmt::format("-o and --json are both {}: type two names", *text));
  }
  return {};
}

int complain(int status, const std::string& message) {
  print_complaint("heapspy trace", message);
  return status;
}

}  // namespace

int run_trace_command(std::span<const std::string> words) {
  const auto arguments = parse_trace_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy trace", trace_help());
  if (const auto sound = check_outputs(*arguments); !sound) {
    return complain(kExitUsage, sound.error().message);
  }
  outlive_failed_writes();
  Outputs outputs;
  if (const auto opened = outputs.open(*arguments); !opened) {
    return complain(kExitOutputError, opened.error().message);
  }
  TraceStory story(arguments->filter, outputs.slots());
  const auto outcome = sources::run_trace(source_options(*arguments), story);
  if (!outcome) {
    const bool not_found = outcome.error().error_number == ENOENT;
    return complain(not_found ? kExitNotFound : kExitCannotRun, outcome.error().message);
  }
  story.finish(*outcome);
  return outcome->exit_status;
}

}  // namespace mini::cli
