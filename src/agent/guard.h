// The way from a function of the malloc family into the agent and out again.
#pragma once

#include <cerrno>
#include <cstddef>

#include "agent/thread_log.h"

namespace mini::agent {

/// Calls apply(log) if somebody records this thread and it is not in the agent already, as it is
/// where a signal interrupted the agent or where it looks something up.
template <typename Apply>
inline void with_log(Apply&& apply) {
  if (t_is_inside) return;
  t_is_inside = true;
  const int saved = errno;
  if (ThreadLog* const log = ThreadLog::current()) apply(*log);
  errno = saved;
  t_is_inside = false;
}

inline void note_allocation(const void* block, std::size_t bytes, wire::CallKind call,
                            const Caller& caller) {
  if (block == nullptr) return;
  with_log([&](ThreadLog& log) { log.add_allocation(block, bytes, call, caller); });
}

inline void note_free(const void* block, const Caller& caller) {
  if (block == nullptr) return;
  with_log([&](ThreadLog& log) { log.add_free(block, caller); });
}

}  // namespace mini::agent
