#include "kernel/own_limits.h"

#include <csignal>
#include <initializer_list>
#include <pthread.h>
#include <sys/resource.h>

namespace mini::kernel {
namespace {

constexpr std::size_t kLeastBytes = std::size_t{1} << 20;   // libdw alone takes some 200 KiB
constexpr std::size_t kEnoughBytes = std::size_t{8} << 20;  // as programs have it mostly

struct Call {
  const std::function<int()>& work;
  sigset_t signals{};  // that are blocked in it
  int result = 0;
};

void* run(void* argument) {
  Call& call = *static_cast<Call*>(argument);
  ::pthread_sigmask(SIG_SETMASK, &call.signals, nullptr);
  call.result = call.work();
  return nullptr;
}

/// False where there is no such thread.
bool run_on_thread(Call& call) {
  pthread_attr_t attributes;
  pthread_t thread{};
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kEnoughBytes);
  const bool runs = ::pthread_create(&thread, &attributes, run, &call) == 0;
  ::pthread_attr_destroy(&attributes);
  return runs && ::pthread_join(thread, nullptr) == 0;
}

}  // namespace

void raise_limits() {
  for (const auto what : {RLIMIT_NOFILE, RLIMIT_STACK}) {
    rlimit limit{};
    if (::getrlimit(what, &limit) != 0) continue;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(what, &limit);
  }
}

int call_with_enough_stack(const std::function<int()>& work) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_max >= kLeastBytes) return work();
  Call call{.work = work};
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &call.signals);
  const bool has_run = run_on_thread(call);
  ::pthread_sigmask(SIG_SETMASK, &call.signals, nullptr);
  return has_run ? call.result : work();
}

}  // namespace mini::kernel
