#include "cli/app.h"

#include <fmt/format.h>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/cmd_diff.h"
#include "cli/cmd_inspect.h"
#include "cli/cmd_lab.h"
#include "cli/cmd_record.h"
#include "cli/cmd_report.h"
#include "cli/cmd_run.h"
#include "cli/cmd_trace.h"
#include "cli/diff_arguments.h"
#include "cli/help.h"
#include "cli/inspect_arguments.h"
#include "cli/lab_arguments.h"
#include "cli/likely_word.h"
#include "cli/output_file.h"
#include "cli/record_arguments.h"
#include "cli/report_arguments.h"
#include "cli/run_arguments.h"
#include "cli/terminal.h"
#include "cli/trace_arguments.h"
#include "kernel/own_limits.h"

namespace mini::cli {
namespace {

struct Command {
  std::string_view name;
  int (*run)(std::span<const std::string> words);
  std::string (*help)();
};

int show_help(std::span<const std::string> words);

constexpr Command kCommands[] = {{"trace", run_trace_command, trace_help},
                                 {"record", run_record_command, record_help},
                                 {"report", run_report_command, report_help},
                                 {"diff", run_diff_command, diff_help},
                                 {"inspect", run_inspect_command, inspect_help},
                                 {"run", run_run_command, run_help},
                                 {"lab", run_lab_command, lab_help},
                                 {"help", show_help, main_help}};

const Command* find_command(std::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string likely_command(std::string_view typed) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return likely_word(typed, names);
}

int refuse(std::string_view who, std::string_view message) {
  print_complaint(who, message);
  return kExitUsage;
}

int show_help(std::span<const std::string> words) {
  constexpr std::string_view kWho = "heapspy help";
  if (words.empty()) return show_text(kWho, main_help());
  const std::string& name = words.front();
  const Command* command = find_command(name);
  if (command == nullptr) {
    const std::string likely = likely_command(name);
    const std::string hint = likely.empty() ? "" : fmt::format("did you mean '{}'? ", likely);
    return refuse(kWho, fmt::format("no command '{}': {}'heapspy help' has all", name, hint));
  }
  if (words.size() == 1) return show_text(kWho, command->help());
  return refuse(kWho, fmt::format("one command at a time: leave out '{}'", words[1]));
}

int show_version(std::span<const std::string> words) {
  if (words.empty()) return show_text("heapspy", version_line());
  return refuse("heapspy", fmt::format("--version stands alone: leave out '{}'", words.front()));
}

int run_words(std::span<const std::string> words) {
  constexpr std::string_view kWho = "heapspy";
  if (words.empty() || words.front().empty()) {
    return refuse(kWho, "no command: type 'heapspy trace ls' or 'heapspy help'");
  }
  const std::span<const std::string> rest = words.subspan(1);
  const std::string& name = words.front();
  if (name == "-h" || name == "--help") return show_help(rest);
  if (name == "-V" || name == "--version") return show_version(rest);
  const Command* command = find_command(name);
  if (command != nullptr) return command->run(rest);
  if (name.starts_with('-')) {
    return refuse(kWho,
                  fmt::format("no option '{}' before the command: see 'heapspy --help'", name));
  }
  if (const std::string likely = likely_command(name); !likely.empty()) {
    return refuse(
        kWho, fmt::format("no command '{}': did you mean 'heapspy {}'? See 'heapspy help'", name,
                          likely));
  }
  return refuse(
      kWho, fmt::format("no command '{}': type 'heapspy trace {}' to trace it, or 'heapspy help'",
                        name, name));
}

int run_as_far_as_memory_goes(std::span<const std::string> words) {
  try {
    return run_words(words);
  } catch (const std::bad_alloc&) {  // what took the memory has given it back
    print_error(fmt::format("heapspy {}: memory is exhausted\n", words.front()));
    return kExitOutputError;
  } catch (const std::system_error& error) {  // a thread that may not be made, for one
    print_error(fmt::format("heapspy {}: {}\n", words.front(), error.what()));
    return kExitOutputError;
  }
}

}  // namespace

int run(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  outlive_full_files();
  return kernel::call_with_enough_stack([&] { return run_as_far_as_memory_goes(words); });
}

}  // namespace mini::cli
