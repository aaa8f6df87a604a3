// The process's code, for the unwinder: one table for all threads.
#pragma once

#include <cstdint>

#include "unwind/self/code_table.h"
#include "wire/channel.h"

namespace mini::agent {

extern constinit unwind::self::CodeTable g_code;

/// In a child of fork as it was in the parent: the same modules are where they were.
inline unwind::self::CodeTable& code_table() {
  return g_code;
}

/// Gives back what the table has read of the program's files, if that is due. `now`: in ticks;
/// `slot`: this process's.
void discard_read_pages(std::uint64_t now, const wire::Slot& slot);

}  // namespace mini::agent
