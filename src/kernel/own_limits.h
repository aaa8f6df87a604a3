// The limits of this process.
#pragma once

namespace mini::kernel {

/// As many open files as are permitted. What was started before keeps the limit that we were given.
void raise_file_limit();

}  // namespace mini::kernel
