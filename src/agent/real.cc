#include "agent/real.h"

#include <malloc.h>
#include <unistd.h>

#include "agent/library_order.h"
#include "unwind/self/loader_index.h"

namespace mini::agent {
namespace {

constinit RealFunctions g_real{};

struct Name {
  const char* name;
  void** place;
};

enum class Answer : std::uint8_t { kUnknown, kNo, kYes };

/// Whether a function is in the library that the blocks are from. Whoever asks first, and whoever
/// asks at once, finds the same.
bool is_beside_malloc(std::atomic<Answer>& known, const void* function) {
  Answer answer = known.load(std::memory_order_relaxed);
  if (answer == Answer::kUnknown) {
    answer = is_allocators(function) ? Answer::kYes : Answer::kNo;
    known.store(answer, std::memory_order_relaxed);
  }
  return answer == Answer::kYes;
}

template <typename Function>
void** place_of(Function& function) {
  return reinterpret_cast<void**>(&function);
}

}  // namespace

constinit std::atomic<const RealFunctions*> g_real_functions{nullptr};

void take_real_functions(void* (*find)(const char* name)) {
  const Name names[] = {
      {"malloc", place_of(g_real.malloc)},
      {"calloc", place_of(g_real.calloc)},
      {"realloc", place_of(g_real.realloc)},
      {"reallocarray", place_of(g_real.reallocarray)},
      {"free", place_of(g_real.free)},
      {"aligned_alloc", place_of(g_real.aligned_alloc)},
      {"posix_memalign", place_of(g_real.posix_memalign)},
      {"memalign", place_of(g_real.memalign)},
      {"valloc", place_of(g_real.valloc)},
      {"pvalloc", place_of(g_real.pvalloc)},
      {"free_sized", place_of(g_real.free_sized)},
      {"free_aligned_sized", place_of(g_real.free_aligned_sized)},
      {"mallocx", place_of(g_real.mallocx)},
      {"rallocx", place_of(g_real.rallocx)},
      {"xallocx", place_of(g_real.xallocx)},
      {"dallocx", place_of(g_real.dallocx)},
      {"sdallocx", place_of(g_real.sdallocx)},
      {"dlopen", place_of(g_real.dlopen)},
      {"dlmopen", place_of(g_real.dlmopen)},
      {"dlclose", place_of(g_real.dlclose)},
      {"mmap", place_of(g_real.mmap)},
      {"munmap", place_of(g_real.munmap)},
      {"mremap", place_of(g_real.mremap)},
      {"madvise", place_of(g_real.madvise)},
      {"brk", place_of(g_real.brk)},
      {"sbrk", place_of(g_real.sbrk)},
      {"execve", place_of(g_real.execve)},
      {"execvpe", place_of(g_real.execvpe)},
      {"execveat", place_of(g_real.execveat)},
      {"fexecve", place_of(g_real.fexecve)},
      {"posix_spawn", place_of(g_real.posix_spawn)},
      {"posix_spawnp", place_of(g_real.posix_spawnp)},
      {"prctl", place_of(g_real.prctl)},
      {"_Fork", place_of(g_real.fork_alone)},
      {"syscall", place_of(g_real.syscall)},
      {"system", place_of(g_real.system)},
      {"popen", place_of(g_real.popen)},
  };
  for (const Name& name : names) *name.place = find(name.name);
  g_real_functions.store(&g_real, std::memory_order_release);
}

std::uintptr_t library_of(const void* function) {
  unwind::self::LoaderObject object;
  const auto answer =
      unwind::self::ask_loader_index(reinterpret_cast<std::uintptr_t>(function), &object);
  return answer == unwind::self::LoaderAnswer::kModule ? object.map_begin : 0;
}

bool is_allocators(const void* address) {
  const std::uintptr_t library = library_of(address);
  return library != 0 && library == library_of(reinterpret_cast<const void*>(g_real.malloc));
}

bool may_call_itself() {
  static constinit std::atomic<Answer> g_answer{Answer::kUnknown};
  return !is_beside_malloc(g_answer, reinterpret_cast<const void*>(&sysconf));
}

bool can_ask_usable() {
  static constinit std::atomic<Answer> g_answer{Answer::kUnknown};
  return is_beside_malloc(g_answer, reinterpret_cast<const void*>(&malloc_usable_size));
}

bool has_flagged_malloc() {
  static constinit std::atomic<Answer> g_answer{Answer::kUnknown};
  return is_beside_malloc(g_answer, reinterpret_cast<const void*>(g_real.mallocx));
}

const RealFunctions& look_up_real_functions() {
  take_real_functions(next_function);  // two threads may look at once: both write the same
  return g_real;
}

}  // namespace mini::agent
