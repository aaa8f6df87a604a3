// The process's code, for the unwinder: one table for all threads.
#pragma once

#include "unwind/self/code_table.h"

namespace mini::agent {

/// In a child of fork as it was in the parent: the same modules are where they were.
unwind::self::CodeTable& code_table();

}  // namespace mini::agent
