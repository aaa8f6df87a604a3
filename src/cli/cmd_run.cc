// heapspy sets the environment and becomes the program: nothing of it is left.
#include "cli/cmd_run.h"

#include <cerrno>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/cmd_trace.h"
#include "cli/output_file.h"
#include "cli/preload.h"
#include "cli/run_arguments.h"
#include "cli/terminal.h"
#include "kernel/elf_class.h"
#include "sources/launch.h"
#include "views/event_facts.h"

namespace mini::cli {
namespace {

int complain(int status, const std::string& message) {
  print_complaint("heapspy run", message);
  return status;
}

void set_environment(const RunArguments& arguments, const std::string& preload) {
  ::setenv("LD_PRELOAD", preload.c_str(), 1);
  for (const auto& [name, value] : arguments.settings) {
    ::setenv(("MINIMALLOC_" + name).c_str(), value.c_str(), 1);
  }
}

/// Returns execve's errno.
int become(const std::string& path, const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<char*> pointers;
  const auto collect = [&] {
    pointers.clear();
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
  };
  collect();
  ::execv(path.c_str(), pointers.data());
  const int error = errno;
  // As shells have it: text without "#!" is theirs to run.
  if (error != ENOEXEC || kernel::classify_file(path) != kernel::FileKind::kOther) return error;
  words.front() = path;
  words.insert(words.begin(), "/bin/sh");
  collect();
  ::execv("/bin/sh", pointers.data());
  return error;
}

}  // namespace

int run_run_command(std::span<const std::string> words) {
  const auto arguments = parse_run_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy run", run_help());
  const auto path = sources::resolve_command(arguments->command.front());
  if (!path) {
    const bool not_found = path.error().error_number == ENOENT;
    return complain(not_found ? kExitNotFound : kExitCannotRun, path.error().message);
  }
  const std::string& name = arguments->command.front();
  if (const auto why = why_not_preloaded(*path, kMinimalloc)) {
    return complain(kExitCannotRun, fmt::format("{} {}", name, *why));
  }
  const MallocChoice its = look_at_malloc(*path);
  if (its.sanitizer) {
    return complain(kExitCannotRun,
                    fmt::format("{} is built with {}, which works with its own malloc alone", name,
                                *its.sanitizer));
  }
  const auto library = choose_preloaded_library(kMinimalloc, arguments->library);
  if (!library) return complain(kExitCannotRun, library.error().message);
  if (its.has_own) {
    print_complaint("heapspy run",
                    fmt::format("{} has a malloc of its own, and does not use this one", name));
  }
  set_environment(*arguments, preload_list(std::getenv("LD_PRELOAD"), *library));
  const int error = become(*path, arguments->command);
  return complain(kExitCannotRun, fmt::format("cannot run {}: {}", name, views::errno_text(error)));
}

}  // namespace mini::cli
