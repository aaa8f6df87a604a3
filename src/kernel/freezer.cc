// Documentation/admin-guide/cgroup-v2.rst (cgroup.events) and cgroup-v1/freezer-subsystem.rst of
// Linux 6.12: both files say so of a group whose parent is frozen, too.
#include "kernel/freezer.h"

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "base/text.h"
#include "kernel/mount_table.h"
#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

/// The process's group in the hierarchy of that controller; "" for v2's. "" where it is in none.
std::string group_of(std::string_view groups, std::string_view controller) {
  while (!groups.empty()) {
    const std::string_view line = take_line(groups);
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);  // from 0 on where there was none
    if (second == std::string_view::npos) continue;
    if (line.substr(first + 1, second - first - 1) == controller) {
      return std::string(line.substr(second + 1));
    }
  }
  return "";
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Frozen read_frozen(pid_t pid) {
  const std::string groups = read_proc_file(pid, "cgroup").value_or("");
  const MountTable mounts = MountTable::read();
  const std::string freezer = mounts.folder_of("cgroup", "freezer");
  const std::string state = read_all(freezer + group_of(groups, "freezer") + "/freezer.state");
  if (!freezer.empty() && state.starts_with("FR")) return Frozen::kUnstoppable;  // FROZEN, FREEZING
  const std::string unified = mounts.folder_of("cgroup2", "");
  const std::string events = read_all(unified + group_of(groups, "") + "/cgroup.events");
  return !unified.empty() && events.find("frozen 1") != std::string::npos ? Frozen::kStoppable
                                                                          : Frozen::kNo;
}

}  // namespace mini::kernel
