#include "sources/try_trim.h"

#include <cerrno>
#include <fmt/format.h>

#include "inject/function_call.h"
#include "kernel/proc_smaps.h"
#include "sources/attach.h"

namespace mini::sources {

Result<model::TrimTrial> try_trim(pid_t pid, Bytes predicted) {
  // A function is called in the main thread.
  if (auto target = check_target(pid, TargetUse::kTrace); !target) {
    return std::unexpected(target.error());
  }
  model::TrimTrial trial{.before = {}, .after = {}, .predicted = predicted};
  const auto before = kernel::read_resident_figures(pid);
  if (!before) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  trial.before = before->resident;
  const auto returned = inject::call_function(pid, {.function = "malloc_trim", .argument = 0});
  if (!returned) return std::unexpected(returned.error());
  const auto after = kernel::read_resident_figures(pid);
  if (!after) return fail(fmt::format("process {} has ended after malloc_trim(0)", pid), ESRCH);
  trial.after = after->resident;
  trial.returned = *returned;
  return trial;
}

}  // namespace mini::sources
