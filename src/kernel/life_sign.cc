#include "kernel/life_sign.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace mini::kernel {

LifeSign::LifeSign(std::uint64_t& link, std::atomic<std::uint32_t>& thread) : thread_(thread) {
  static_assert(sizeof(robust_list) == sizeof link);
  link = reinterpret_cast<std::uint64_t>(&list_.list);
  thread.store(static_cast<std::uint32_t>(::gettid()), std::memory_order_release);
  list_.list.next = reinterpret_cast<robust_list*>(&link);
  list_.futex_offset =
      reinterpret_cast<std::intptr_t>(&thread) - reinterpret_cast<std::intptr_t>(&link);
  ::syscall(SYS_set_robust_list, &list_, sizeof list_);
}

LifeSign::~LifeSign() {
  ::syscall(SYS_set_robust_list, nullptr, sizeof list_);
  thread_.store(0, std::memory_order_release);
}

}  // namespace mini::kernel
