#include "agent/exec_room.h"

#include "agent/thread_log.h"
#include "kernel/vm/vm.h"
#include "unwind/self/own_memory.h"

namespace mini::agent {
namespace {

struct Room {
  char* at = nullptr;
  std::size_t bytes = 0;
};
constinit thread_local Room t_room __attribute__((tls_model("initial-exec")));

}  // namespace

char* exec_room(std::size_t bytes) {
  if (bytes <= t_room.bytes) return t_room.at;
  const std::size_t mapped = unwind::self::in_map_steps(bytes);
  void* const at = unwind::self::map_zeroed(mapped);
  if (at == nullptr) return nullptr;
  give_back_exec_room();
  t_room = {.at = static_cast<char*>(at), .bytes = mapped};
  watch_end_of_thread();
  return t_room.at;
}

void give_back_exec_room() {
  if (t_room.at != nullptr) kernel::vm::unmap(t_room.at, t_room.bytes);
  t_room = {};
}

}  // namespace mini::agent
