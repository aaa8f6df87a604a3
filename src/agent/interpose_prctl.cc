// A thread that may not read the counter that times are from, nor in the strict mode of seccomp
// call the kernel: what it does from there on is not recorded.
#include <cstdarg>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/real.h"

namespace mini::agent {
namespace {

// A new thread has the setting of the one that made it.
constinit std::atomic<bool> g_is_forbidden_somewhere{false};

void fall_silent() {
  with_log([](ThreadLog& log) { log.fall_silent(); });
  t_is_silent = true;
}

bool forbids_counter(int option, unsigned long value) {
  return (option == PR_SET_TSC && value == PR_TSC_SIGSEGV) ||
         (option == PR_SET_SECCOMP && value == SECCOMP_MODE_STRICT);
}

}  // namespace

bool may_read_counter() {
  if (!g_is_forbidden_somewhere.load(std::memory_order_relaxed)) return true;
  int setting = PR_TSC_ENABLE;
  real_functions().prctl(PR_GET_TSC, &setting);
  t_is_silent = setting == PR_TSC_SIGSEGV;
  return !t_is_silent;
}

}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

MINI_EXPORT int prctl(int option, ...) {
  unsigned long words[4];
  std::va_list rest;
  va_start(rest, option);
  for (unsigned long& word : words) word = va_arg(rest, unsigned long);
  va_end(rest);
  const RealFunctions& real = real_functions();
  const bool forbids = forbids_counter(option, words[0]);
  if (forbids) {
    g_is_forbidden_somewhere.store(true, std::memory_order_relaxed);
    fall_silent();
  }
  const int result = real.prctl(option, words[0], words[1], words[2], words[3]);
  const bool allows = option == PR_SET_TSC && words[0] == PR_TSC_ENABLE && result == 0;
  if (allows || (forbids && result != 0)) t_is_silent = false;
  return result;
}
