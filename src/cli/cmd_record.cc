// The program's exit status is ours; what was written is said on standard error when all is over.
#include "cli/cmd_record.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <optional>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/cmd_trace.h"
#include "cli/output_file.h"
#include "cli/preload.h"
#include "cli/record_arguments.h"
#include "cli/terminal.h"
#include "kernel/proc_file.h"
#include "sources/launch.h"
#include "sources/recorder.h"
#include "sources/recording_file.h"
#include "sources/refusal.h"
#include "views/event_facts.h"
#include "views/report_text.h"
#include "views/terminal_heading.h"
#include "views/unrecorded_program.h"
#include "views/utf8.h"

namespace mini::cli {
namespace {

constexpr std::size_t kMostLines = 12;

int complain(int status, const std::string& message) {
  print_complaint("heapspy record", message);
  return status;
}

std::string output_for(const RecordArguments& arguments) {
  if (arguments.output_path) return *arguments.output_path;
  if (arguments.process) {
    const std::string program = kernel::read_proc_link(*arguments.process, "exe").value_or("pid");
    return fmt::format("{}.{}.heapspy", path_basename(program), *arguments.process);
  }
  return fmt::format("{}.{}.heapspy", path_basename(arguments.command.front()), ::getpid());
}

/// Fails before the program runs where its recording cannot be written; leaves nothing behind.
Result<void> check_writable(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return fail(fmt::format("cannot write '{}': it is a folder", path));
  }
  if (std::filesystem::exists(path, error)) {
    if (sources::is_being_recorded(path)) {
      return fail(fmt::format("cannot write '{}': {}", path, sources::kIsBeingRecorded));
    }
    if (::access(path.c_str(), W_OK) == 0) return {};
  } else if (const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
             made >= 0) {
    ::close(made);
    std::filesystem::remove(std::filesystem::canonical(path, error), error);
    return {};
  }
  const int number = errno;
  return fail(fmt::format("cannot write '{}': {}", path, views::errno_text(number)));
}

/// What programs chose, for a terminal.
std::string shown(const std::string& text) {
  const bool unicode =
      choose_style(look_around(STDERR_FILENO), ColorChoice::kAuto, std::nullopt).unicode;
  return views::printable(text, unicode);
}

/// Without folders, also of a program that has given itself a title ("nginx: master process
/// /usr/sbin/nginx"): of that only the program, where there is a path in it.
std::string_view program_name(std::string_view command) {
  const std::size_t title = command.find(": ");
  if (command.find('/', std::min(title, command.size())) != std::string_view::npos) {
    command = command.substr(0, title);
  }
  return path_basename(command);
}

/// "1 event was dropped".
std::string dropped_events(std::uint64_t count) {
  return fmt::format("{} {} dropped", counted(count, "event"), count == 1 ? "was" : "were");
}

std::string describe(const sources::RecordedResult& result) {
  const std::string name =
      result.command.empty() ? "" : fmt::format(" {}", program_name(result.command.front()));
  const std::string path = shown(result.path);
  std::string line =
      fmt::format("heapspy: {}: process {}{}, {}, {}\n", path, result.pid, shown(name),
                  counted(result.events, "event"), format_bytes(Bytes{result.bytes}));
  const std::uint64_t silent = std::min(result.silent_threads, result.losses.dropped_events);
  const std::uint64_t dropped = result.losses.dropped_events - silent;
  const std::uint64_t without_ring = std::min(result.events_without_ring, dropped);
  if (dropped != without_ring) {
    line += fmt::format("heapspy: {}: {}: the program was faster than heapspy\n", path,
                        dropped_events(dropped - without_ring));
  }
  if (without_ring != 0) {
    line += fmt::format(
        "heapspy: {}: {}: more than {} threads told of some, or a thread could "
        "get no memory to tell of them by, as in a sandbox, or a signal came while it told of "
        "one\n",
        path, dropped_events(without_ring), format_count(wire::kRings));
  }
  if (silent != 0) {
    line += fmt::format(
        "heapspy: {}: {} of its threads went on unrecorded: prctl forbade them to read the clock\n",
        path, format_count(silent));
  }
  return line;
}

/// Each reason once, of however many recordings, but for those that were told.
void report_errors(const std::vector<sources::RecordedResult>& all) {
  std::map<std::string, std::vector<std::string>> names;  // by message
  for (const sources::RecordedResult& result : all) {
    if (!result.error || result.is_error_told) continue;
    names[result.error->message].push_back(
        result.path.empty() ? fmt::format("process {}", result.pid) : shown(result.path));
  }
  for (const auto& [message, those] : names) {
    const std::size_t others = those.size() - 1;
    const std::string more = others == 0 ? "" : fmt::format(" and {}", counted(others, "other"));
    print_error(fmt::format("heapspy: {}{}: {}\n", those.front(), more, message));
  }
}

/// The first that there is anything in.
const sources::RecordedResult* find_readable(const std::vector<sources::RecordedResult>& all) {
  const auto found = std::ranges::find_if(all, [](const sources::RecordedResult& result) {
    std::error_code error;
    return std::filesystem::is_regular_file(result.path, error) && result.bytes != 0;
  });
  return found != all.end() ? &*found : nullptr;
}

/// What ran without being recorded, the most frequent first: it is missing in the figures.
void report_unrecorded(const sources::UnrecordedPrograms& unrecorded) {
  std::vector<recording::UnrecordedProgram> programs = unrecorded.all();
  std::ranges::stable_sort(programs, std::greater(), &recording::UnrecordedProgram::count);
  for (std::size_t i = 0; i < programs.size() && i < kMostLines; ++i) {
    const auto& [time_ns, obstacle, count, path] = programs[i];
    const std::string text = views::describe({.path = path, .obstacle = obstacle, .count = count});
    print_error(fmt::format("heapspy: not recorded: {}\n", views::printable(text, false)));
  }
  if (programs.size() > kMostLines) {
    print_error(fmt::format("heapspy: not recorded: {}, which 'heapspy report' names\n",
                            counted(programs.size() - kMostLines, "other program")));
  }
}

std::string counted_processes(std::uint64_t count) {
  return fmt::format("{} process{}", format_count(count), count == 1 ? "" : "es");
}

/// The processes that were to be recorded, and for which there was no place.
void report_missing(const sources::RecordOutcome& outcome) {
  if (outcome.unserved != 0) {
    print_error(
        fmt::format("heapspy: not recorded: {}, which came while {} others were being recorded\n",
                    counted_processes(outcome.unserved), format_count(wire::kSlots)));
  }
  if (outcome.roomless != 0) {
    print_error(
        fmt::format("heapspy: not recorded: {}, without the {} of address space that the agent "
                    "needs (ulimit -v)\n",
                    counted_processes(outcome.roomless), format_bytes(Bytes{wire::kSlotBytes})));
  }
}

/// What may have kept an agent from its memory, which a program that we start has the limits of.
std::string why_not_started() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  return fmt::format(", whose address space is limited to {} (ulimit -v): the agent needs {} of it",
                     format_bytes(Bytes{limit.rlim_cur}), format_bytes(Bytes{wire::kSlotBytes}));
}

/// The recordings with the most events come first; of a crowd the rest is only counted.
int report(sources::RecordOutcome outcome, const RecordArguments& arguments) {
  std::vector<sources::RecordedResult>& all = outcome.recordings;
  if (all.empty()) {
    print_error(
        fmt::format("heapspy: nothing was recorded: the agent did not start in {}{}\n"
                    "  'heapspy trace' needs nothing in the program\n",
                    arguments.process ? fmt::format("process {}", *arguments.process)
                                      : shown(arguments.command.front()),
                    why_not_started()));
    return outcome.exit_status;
  }
  std::ranges::stable_sort(all, std::greater(), &sources::RecordedResult::events);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_trouble = all[i].losses.dropped_events != 0;
    const bool is_readable = !all[i].error || all[i].is_error_told;
    const bool is_wanted = !arguments.quiet && i < kMostLines && is_readable;
    if (is_trouble || is_wanted) print_error(describe(all[i]));
  }
  report_errors(all);
  report_unrecorded(outcome.unrecorded);
  report_missing(outcome);
  if (!arguments.quiet) {
    if (all.size() > kMostLines) {
      print_error(fmt::format("heapspy: and {} of other processes beside them\n",
                              counted(all.size() - kMostLines, "recording")));
    }
    if (const auto* readable = find_readable(all)) {
      print_error(fmt::format("heapspy: see {}\n", views::report_command(readable->path)));
    }
  }
  const bool failed = std::ranges::any_of(
      all, [](const sources::RecordedResult& result) { return result.error.has_value(); });
  return failed && outcome.exit_status == 0 ? kExitOutputError : outcome.exit_status;
}

sources::RecordOptions options_for(const RecordArguments& arguments, const std::string& agent) {
  sources::RecordOptions options;
  options.command = arguments.command;
  options.agent = agent;
  options.output = output_for(arguments);
  options.most_frames = arguments.most_frames;
  options.free_stacks = arguments.free_stacks;
  options.sample = arguments.sample;
  options.finds_leaks = arguments.finds_leaks;
  options.first_touch = arguments.first_touch;
  options.overflow = arguments.overflow;
  options.on_failure = [](const std::string& path, const Error& why) {
    print_error(
        fmt::format("heapspy: {}: {}; the program goes on unrecorded\n", shown(path), why.message));
  };
  return options;
}

int record_running_process(const RecordArguments& arguments, pid_t process) {
  const auto agent = choose_library(kAgent, arguments.agent);
  if (!agent) return complain(kExitCannotRun, agent.error().message);
  sources::RecordOptions options = options_for(arguments, *agent);
  options.process = process;
  options.most_ns = arguments.duration_ns;
  if (!arguments.quiet) {
    options.on_joined = [process] {
      print_error(fmt::format("heapspy: process {} is being recorded; Ctrl-C ends it\n", process));
    };
  }
  if (auto writable = check_writable(options.output); !writable) {
    return complain(kExitOutputError, writable.error().message);
  }
  auto outcome = sources::record_process(options);
  if (!outcome) return complain(kExitCannotRun, outcome.error().message);
  return report(std::move(*outcome), arguments);
}

}  // namespace

int run_record_command(std::span<const std::string> words) {
  const auto arguments = parse_record_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy record", record_help());
  outlive_failed_writes();
  if (!sources::sees_processes()) {
    return complain(kExitCannotRun, std::string(sources::kNoProc));
  }
  if (const auto process = arguments->process) return record_running_process(*arguments, *process);
  const std::string& name = arguments->command.front();
  const auto path = sources::resolve_command(name);
  if (!path) {
    const bool not_found = path.error().error_number == ENOENT;
    return complain(not_found ? kExitNotFound : kExitCannotRun, path.error().message);
  }
  if (const auto other = check_not_input(arguments->output_path, {{*path}}); !other) {
    return complain(kExitUsage, other.error().message);
  }
  if (const auto why = why_not_preloaded(*path, kAgent)) {
    std::string advice;
    if (is_traceable(*path)) {
      advice = "; 'heapspy trace' works without it, and 'heapspy inspect PID' while it runs";
    }
    return complain(kExitCannotRun, fmt::format("{} {}{}", name, *why, advice));
  }
  const auto agent = choose_preloaded_library(kAgent, arguments->agent);
  if (!agent) return complain(kExitCannotRun, agent.error().message);
  sources::RecordOptions options = options_for(*arguments, *agent);
  options.program = *path;
  if (auto writable = check_writable(options.output); !writable) {
    return complain(kExitOutputError, writable.error().message);
  }
  auto outcome = sources::record_command(options);
  if (!outcome) return complain(kExitCannotRun, outcome.error().message);
  return report(std::move(*outcome), *arguments);
}

}  // namespace mini::cli
