#include "cli/cmd_inspect.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/cmd_trace.h"
#include "cli/inspect_arguments.h"
#include "cli/output_file.h"
#include "cli/terminal.h"
#include "explain/memory_findings.h"
#include "explain/memory_ledger.h"
#include "sources/inspect_core.h"
#include "sources/inspect_process.h"
#include "views/event_facts.h"
#include "views/inspect_view.h"
#include "views/output.h"

namespace mini::cli {
namespace {

int complain(int status, const std::string& message) {
  print_error(fmt::format("heapspy inspect: {}\n", message));
  return status;
}

Result<model::Inspection> inspect(const InspectArguments& arguments, model::PieceQuery& query) {
  const sources::InspectOptions options{
      .stop = arguments.stop, .pieces = arguments.chunks || arguments.around ? &query : nullptr};
  auto inspection = arguments.pid
                        ? sources::inspect_process(*arguments.pid, options)
                        : sources::inspect_core(arguments.core, arguments.executable, options);
  if (inspection) explain::make_memory_ledgers(*inspection);
  return inspection;
}

int show(const InspectArguments& arguments) {
  model::PieceQuery query(arguments.chunks, arguments.around);
  const auto inspection = inspect(arguments, query);
  if (!inspection) return complain(kExitOutputError, inspection.error().message);
  if (arguments.chunks && !inspection->heap) {
    return complain(kExitOutputError, inspection->no_heap_because);
  }
  auto file = arguments.output_path
                  ? open_output(*arguments.output_path)
                  : Result<OutputFile>(OutputFile(STDOUT_FILENO, "standard output"));
  if (!file) return complain(kExitOutputError, file.error().message);
  views::Output output(file->fd(), views::Output::Flush::kBatched);
  const views::InspectOptions options{
      .style = choose_style(look_around(file->fd()), arguments.color, arguments.width),
      .top = arguments.top,
      .show_pieces = arguments.chunks.has_value(),
      .around = arguments.around};
  const auto findings = explain::find_in_inspection(*inspection);
  if (arguments.json) {
    views::write_inspection_json(output.buffer(), *inspection, findings, query, options,
                                 MINI_VERSION);
  } else {
    views::write_inspection(output.buffer(), *inspection, findings, query, options);
  }
  output.flush();
  if (output.healthy()) return 0;
  return complain(kExitOutputError, fmt::format("cannot write {}: {}", file->name(),
                                                views::errno_text(output.error_number())));
}

}  // namespace

int run_inspect_command(std::span<const std::string> words) {
  const auto arguments = parse_inspect_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return print(inspect_help()) ? 0 : kExitOutputError;
  return show(*arguments);
}

}  // namespace mini::cli
