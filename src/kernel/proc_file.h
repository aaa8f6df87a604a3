// Reading the files of /proc/PID, which have no size to ask for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace mini::kernel {

/// The whole of /proc/PID/NAME. At most 1 GiB: a target cannot make us read without end.
Result<std::string> read_proc_file(pid_t pid, std::string_view name);

/// What a link of /proc/PID points to ("exe", "fd/3", "cwd"); nullopt where it cannot be read.
std::optional<std::string> read_proc_link(pid_t pid, std::string_view name);

/// What others open a file by that a process has open.
std::string descriptor_path(pid_t pid, int fd);

/// A target's open file, by its descriptor.
struct OpenFile {
  std::string path;  // as the kernel names it: "/lib/libc.so.6", "/memfd:x (deleted)", "pipe:[7]"
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool regular = false;
};
std::optional<OpenFile> read_open_file(pid_t pid, int fd);

/// Whether a process runs the program of that file by now, or has ended; so it is, too, where it
/// may not be looked at, as one that has got more rights.
bool has_become(pid_t pid, std::uint64_t device, std::uint64_t inode);

/// What to put before the paths of a process's maps to open them: "", since they are seen from our
/// root, or "/proc/PID/root" where its files are in a mount namespace of their own (a container).
std::string root_prefix(pid_t pid);

/// The kernel's own links to what a process has mapped there, which outlive the file's name: one
/// for root only, and one that leads to the process's program, which it may be.
std::vector<std::string> links_to_mapped(pid_t pid, AddressRange range);

/// Whether a descriptor of the process is a userfaultfd.
bool has_userfaultfd(pid_t pid);

/// The number by which we know the process that counts as `number` in a namespace of processes,
/// named by the inode of its ns/pid. 0: not known; then it is the one of all with that number, each
/// in its own namespace, for which is_it(pid). nullopt where there is none any more. Looks through
/// all processes where the namespace is not ours.
std::optional<pid_t> find_in_namespace(pid_t number, std::uint64_t pid_namespace,
                                       const std::function<bool(pid_t)>& is_it);

/// Whether numbers of processes and threads are the same in that namespace as here. False where it
/// is not known.
bool counts_as_we_do(std::uint64_t pid_namespace);

/// Whether there certainly is no thread of that number, of whichever process: what shares memory
/// need not be of one.
bool has_no_thread(pid_t tid);

/// All processes that we can see.
std::vector<pid_t> read_process_ids();

/// The numeric names in /proc/PID/task, which is read twice: the kernel's list is not whole where
/// threads end meanwhile.
std::vector<pid_t> read_thread_ids(pid_t pid);

}  // namespace mini::kernel
