// The table of MINIMALLOC_STATS=1 and malloc_stats().
#pragma once

namespace mini::api {

/// Writes it to a file descriptor. `moment`: "now", "at exit". Allocates nothing.
void write_report(int fd, const char* moment);

}  // namespace mini::api
