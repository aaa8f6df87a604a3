// The seccomp filter that stops a target at its memory system calls and nowhere else.
#pragma once

#include <linux/filter.h>
#include <vector>

namespace mini::kernel {

/// SECCOMP_RET_TRACE for memory_syscalls() of the native architecture (of some only where an
/// argument is of interest), SECCOMP_RET_ALLOW for all else. A search tree over the numbers, so a
/// call costs few steps; and the kernel (5.11 on) skips the filter where its answer depends on the
/// number alone.
std::vector<sock_filter> build_memory_filter();

/// Installs the filter for the calling thread and all it starts. Sets no_new_privs only where the
/// kernel demands it (no CAP_SYS_ADMIN). Returns 0 or errno. Async-signal-safe.
int install_filter(const std::vector<sock_filter>& filter);

}  // namespace mini::kernel
