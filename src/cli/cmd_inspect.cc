#include "cli/cmd_inspect.h"

#include <cerrno>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/cmd_trace.h"
#include "cli/inspect_arguments.h"
#include "cli/inspect_watch.h"
#include "cli/output_file.h"
#include "cli/read_progress.h"
#include "cli/terminal.h"
#include "explain/memory_findings.h"
#include "explain/memory_ledger.h"
#include "model/piece_fan.h"
#include "sources/attach.h"
#include "sources/inspect_core.h"
#include "sources/inspect_process.h"
#include "sources/recorded_stacks.h"
#include "sources/try_trim.h"
#include "views/inspect_view.h"

namespace mini::cli {
namespace {

int complain(int status, const std::string& message) {
  print_complaint("heapspy inspect", message);
  return status;
}

/// Who wants to see the pieces of the heap.
struct Onlookers {
  explicit Onlookers(const InspectArguments& arguments)
      : query(arguments.chunks, arguments.around), map(arguments.extras.range) {
    if (arguments.chunks || arguments.around) all.add(&query);
    if (arguments.extras.map) all.add(&map);
    if (arguments.json) all.add(&block_sizes);
  }
  model::PieceQuery query;
  model::HeapMap map;
  model::BlockSizes block_sizes;
  model::PieceFan all;
};

/// A program's name, as it is easily typed here.
Result<void> check_there(const std::string& core) {
  if (core.contains('/') || ::access(core.c_str(), F_OK) == 0 || errno != ENOENT) return {};
  return fail(fmt::format(
      "'{}' is neither a process id nor a file: try heapspy inspect $(pidof {})", core, core));
}

/// A watch has the screen for itself.
sources::InspectProgress progress_on(ReadProgressLine& line, const InspectArguments& arguments) {
  if (!line.is_wanted() || arguments.extras.watch_ns) return {};
  return [&line](std::string_view step, std::uint64_t done, std::uint64_t all) {
    line.update(step, done, all);
  };
}

Result<model::Inspection> inspect(const InspectArguments& arguments, Onlookers& onlookers) {
  if (!arguments.pid) {
    if (const auto there = check_there(arguments.core); !there) {
      return std::unexpected(there.error());
    }
  }
  ReadProgressLine line;
  const sources::InspectOptions options{.stop = arguments.stop,
                                        .most_pause_ns = arguments.most_pause_ns,
                                        .most_copied = arguments.most_copied,
                                        .find_lost = arguments.extras.leaks,
                                        .pieces = onlookers.all.or_null(),
                                        .progress = progress_on(line, arguments)};
  auto inspection = arguments.pid
                        ? sources::inspect_process(*arguments.pid, options)
                        : sources::inspect_core(arguments.core, arguments.executable, options);
  if (inspection) explain::make_memory_ledgers(*inspection);
  return inspection;
}

Result<void> check_arena(const InspectArguments& arguments, const model::Heap& heap) {
  const auto arena = arguments.chunks ? arguments.chunks->arena : std::nullopt;
  if (!arena || *arena == model::kNoArena || *arena < heap.arenas.size()) return {};
  return fail(fmt::format("--arena {}: there is none, but {} from 0 (main) on", *arena,
                          heap.arenas.size()));
}

/// One view of the process or core, as it goes to `fd`.
Result<std::string> view(const InspectArguments& arguments, int fd) {
  const InspectExtras& extras = arguments.extras;
  Onlookers onlookers(arguments);
  auto inspection = inspect(arguments, onlookers);
  if (!inspection) return std::unexpected(inspection.error());
  const bool is_about_heap = arguments.chunks || extras.leaks || extras.map || extras.try_trim;
  if (is_about_heap && !inspection->heap) return fail(inspection->no_heap_because);
  if (const auto& heap = inspection->heap; heap) {
    if (auto known = check_arena(arguments, *heap); !known) return std::unexpected(known.error());
  }
  views::InspectOptions options{
      .style = choose_style(look_around(fd), arguments.color, arguments.width),
      .top = arguments.top,
      .show_pieces = arguments.chunks.has_value(),
      .show_lost = extras.leaks,
      .map = extras.map ? &onlookers.map : nullptr,
      .block_sizes = &onlookers.block_sizes,
      .trim = {},
      .around = arguments.around};
  if (extras.try_trim) {
    const auto trial =
        sources::try_trim(static_cast<pid_t>(inspection->pid), inspection->account.returnable);
    if (!trial) return std::unexpected(trial.error());
    options.trim = *trial;
  }
  if (!extras.recording.empty()) {
    const auto added = sources::add_recorded_stacks(extras.recording, *inspection);
    if (!added) return std::unexpected(added.error());
  }
  const auto findings = explain::find_in_inspection(*inspection);
  std::string text;
  if (arguments.json) {
    views::write_inspection_json(text, *inspection, findings, onlookers.query, options,
                                 MINI_VERSION);
  } else {
    views::write_inspection(text, *inspection, findings, onlookers.query, options);
  }
  return text;
}

/// Whether it cannot be inspected because it is not there any more.
bool has_ended(pid_t pid, const Error& error) {
  if (error.error_number == ESRCH) return true;
  const auto status = sources::check_target(pid, sources::TargetUse::kReadOnly);
  return !status && status.error().error_number == ESRCH;
}

int show_again_and_again(const InspectArguments& arguments, std::uint64_t interval_ns) {
  const auto file = open_output_or_stdout(arguments.output_path);
  if (!file) return complain(kExitOutputError, file.error().message);
  const auto watched = watch(
      *file, interval_ns, [&] { return view(arguments, file->fd()); },
      [&](const Error& error) { return has_ended(*arguments.pid, error); });
  return watched ? 0 : complain(kExitOutputError, watched.error().message);
}

int show(const InspectArguments& arguments) {
  constexpr int kNoTerminal = -1;
  const auto text = view(arguments, arguments.output_path ? kNoTerminal : STDOUT_FILENO);
  if (!text) return complain(kExitOutputError, text.error().message);
  auto file = open_whole_output(arguments.output_path);
  if (!file) return complain(kExitOutputError, file.error().message);
  const auto written = write_whole(*file, *text);
  return written ? 0 : complain(kExitOutputError, written.error().message);
}

}  // namespace

int run_inspect_command(std::span<const std::string> words) {
  const auto arguments = parse_inspect_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy inspect", inspect_help());
  if (const auto other =
          check_not_input(arguments->output_path,
                          {{arguments->core, arguments->executable, arguments->extras.recording}});
      !other) {
    return complain(kExitUsage, other.error().message);
  }
  const std::uint64_t interval_ns = arguments->extras.watch_ns.value_or(0);
  return interval_ns != 0 ? show_again_and_again(*arguments, interval_ns) : show(*arguments);
}

}  // namespace mini::cli
