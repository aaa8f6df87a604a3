// The functions that the agent stands before: those of whichever library comes after it in the
// order of libraries, an allocator or libc.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <spawn.h>

namespace mini::agent {

using SpawnFunction = int(pid_t*, const char*, const posix_spawn_file_actions_t*,
                          const posix_spawnattr_t*, char* const*, char* const*);

struct RealFunctions {
  void* (*malloc)(std::size_t);
  void* (*calloc)(std::size_t, std::size_t);
  void* (*realloc)(void*, std::size_t);
  void* (*reallocarray)(void*, std::size_t, std::size_t);
  void (*free)(void*);
  void* (*aligned_alloc)(std::size_t, std::size_t);
  int (*posix_memalign)(void**, std::size_t, std::size_t);
  void* (*memalign)(std::size_t, std::size_t);
  void* (*valloc)(std::size_t);
  void* (*pvalloc)(std::size_t);
  void (*free_sized)(void*, std::size_t);                       // C23; null where there is none
  void (*free_aligned_sized)(void*, std::size_t, std::size_t);  // the same
  void* (*mallocx)(std::size_t, int);  // jemalloc's, these five; null where it is not there
  void* (*rallocx)(void*, std::size_t, int);
  std::size_t (*xallocx)(void*, std::size_t, std::size_t, int);
  void (*dallocx)(void*, int);
  void (*sdallocx)(void*, std::size_t, int);
  void* (*dlopen)(const char*, int);
  void* (*dlmopen)(long, const char*, int);
  int (*dlclose)(void*);
  void* (*mmap)(void*, std::size_t, int, int, int, std::int64_t);
  int (*munmap)(void*, std::size_t);
  void* (*mremap)(void*, std::size_t, std::size_t, int, ...);
  int (*madvise)(void*, std::size_t, int);
  int (*brk)(void*);
  void* (*sbrk)(std::intptr_t);
  int (*execve)(const char*, char* const*, char* const*);
  int (*execvpe)(const char*, char* const*, char* const*);
  int (*execveat)(int, const char*, char* const*, char* const*, int);
  int (*fexecve)(int, char* const*, char* const*);
  SpawnFunction* posix_spawn;
  SpawnFunction* posix_spawnp;
  int (*prctl)(int, ...);
  int (*fork_alone)();  // _Fork; null where there is none
  long (*syscall)(long, ...);
  int (*system)(const char*);
  std::FILE* (*popen)(const char*, const char*);
};

/// Null until they are found.
extern constinit std::atomic<const RealFunctions*> g_real_functions;
const RealFunctions& look_up_real_functions();

/// Finds them the first time, without a lock and without the heap: an allocator may come here that
/// is at its own beginning, for pages.
inline const RealFunctions& real_functions() {
  const RealFunctions* const known = g_real_functions.load(std::memory_order_acquire);
  return known != nullptr ? *known : look_up_real_functions();
}

/// Where the library begins that a function is in; 0 where it is in none.
std::uintptr_t library_of(const void* function);

/// Whether an address is in the library that the blocks are from.
bool is_allocators(const void* address);

/// Whether that library may call functions that the agent stands before: the C library's does not.
bool may_call_itself();

/// Whether malloc_usable_size() is of the library that the blocks are from: one that comes without
/// it must not be asked another's.
bool can_ask_usable();

/// Whether mallocx() and its kin are of that library: blocks that free() would know nothing of, and
/// malloc_usable_size() neither, are not told of.
bool has_flagged_malloc();

/// Finds operator new and delete of the libraries that the program begins with. To be called once,
/// before it can unload one; others are found when they are needed.
void look_up_real_operators();

/// Takes them from whoever knows better than the order of libraries; find() may give null.
void take_real_functions(void* (*find)(const char* name));
/// The same of operator new and delete; REQUIRES: those that it gives come with the real malloc.
void take_real_operators(void* (*find)(const char* name));

}  // namespace mini::agent
