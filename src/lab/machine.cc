#include "lab/machine.h"

#include <algorithm>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <string_view>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/text.h"
#include "kernel/proc_status.h"

namespace mini::lab {
namespace {

// GLIBC_TUNABLES says many things; of malloc it alters something only by glibc.malloc.*.
bool alters_malloc(std::string_view variable) {
  if (variable.starts_with("LD_PRELOAD=")) return variable.size() > sizeof "LD_PRELOAD";
  if (variable.starts_with("GLIBC_TUNABLES=")) {
    return variable.find("glibc.malloc.") != std::string_view::npos;
  }
  constexpr std::string_view kSettings[] = {
      "MALLOC_TOP_PAD_=",  "MALLOC_MMAP_THRESHOLD_=", "MALLOC_TRIM_THRESHOLD_=",
      "MALLOC_MMAP_MAX_=", "MALLOC_ARENA_MAX=",       "MALLOC_ARENA_TEST=",
      "MALLOC_PERTURB_=",  "MALLOC_CHECK_="};
  return std::ranges::any_of(kSettings, [&](auto name) { return variable.starts_with(name); });
}

rlim_t limit_of(__rlimit_resource what) {
  rlimit limit{};
  return ::getrlimit(what, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/// As a shell sets them.
std::vector<std::string> limits_of_memory() {
  constexpr std::pair<__rlimit_resource, char> kLimits[] = {{RLIMIT_AS, 'v'}, {RLIMIT_DATA, 'd'}};
  std::vector<std::string> limits;
  for (const auto& [what, letter] : kLimits) {
    const rlim_t most = limit_of(what);
    if (most == RLIM_INFINITY) continue;
    limits.push_back(fmt::format("ulimit -{} {}", letter, most / kKiB.count));
  }
  return limits;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.glibc_version = ::gnu_get_libc_version();
  machine.page_size = kernel::page_size();
  machine.processors = std::max(1U, std::thread::hardware_concurrency());
  machine.is_stack_unlimited = limit_of(RLIMIT_STACK) == RLIM_INFINITY;
  machine.altered_by = limits_of_memory();
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (alters_malloc(*variable)) machine.altered_by.emplace_back(*variable);
  }
  return machine;
}

std::string describe(const Machine& machine) {
  return fmt::format("glibc {}, pages of {}", machine.glibc_version,
                     format_bytes(machine.page_size));
}

}  // namespace mini::lab
