// What the agent does once in a process and once in a thread.
#include <array>
#include <pthread.h>

#include "agent/code.h"
#include "agent/exec_room.h"
#include "agent/fork.h"
#include "agent/guard.h"
#include "agent/real.h"
#include "unwind/self/stack_bounds.h"

namespace mini::agent {
namespace {

constinit pthread_key_t g_key = 0;
constinit bool g_has_key = false;

// pthread keys below this have their values in the thread's own descriptor (glibc's
// PTHREAD_KEY_2NDLEVEL_SIZE, nptl/internaltypes.h): setting them allocates nothing.
constexpr pthread_key_t kKeysWithoutHeap = 32;

void end_thread(void*) {
  give_back_exec_room();
  with_log([](ThreadLog&) { ThreadLog::end_thread(); });
}

// Where blocks are sampled the first stack is walked late: in a sandbox, perhaps, that ends the
// program for opening files.
void find_own_stack() {
  std::array<char, 4096> buffer;
  unwind::self::StackBounds().locate(capture_caller().sp, buffer);
}

// Before most code of the program: a low key is most likely free, and the modules are known before
// the first stack is walked through them.
__attribute__((constructor(101))) void start() {
  real_functions();
  look_up_real_operators();
  if (pthread_key_create(&g_key, end_thread) == 0) {
    g_has_key = g_key < kKeysWithoutHeap;
    if (!g_has_key) pthread_key_delete(g_key);
  }
  watch_forks();
  code_table().refresh();
  find_own_stack();
  with_log([](ThreadLog&) {});  // one that allocates nothing has a recording, too
}

}  // namespace

void watch_end_of_thread() {
  // Any value but null has the key's destructor called.
  if (g_has_key) pthread_setspecific(g_key, &g_key);
}

}  // namespace mini::agent
