// The whole of heapspy behind main(): finds the command and runs it.
#pragma once

namespace mini::cli {

/// Returns the exit status.
int run(int argc, const char* const* argv);

}  // namespace mini::cli
