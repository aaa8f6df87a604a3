#include "kernel/own_limits.h"

#include <initializer_list>
#include <sys/resource.h>

namespace mini::kernel {

void raise_limits() {
  for (const auto what : {RLIMIT_NOFILE, RLIMIT_STACK}) {
    rlimit limit{};
    if (::getrlimit(what, &limit) != 0) continue;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(what, &limit);
  }
}

}  // namespace mini::kernel
