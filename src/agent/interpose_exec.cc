// A program that becomes another, or starts one, takes the agent along even where it clears or
// replaces the environment; and tells of one that can have no agent.
//
// All of this may run in a child of vfork, on its parent's stack and in its parent's memory: it
// allocates nothing and changes nothing, what is made is on the stack or in the thread's own room.
#include <alloca.h>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "agent/end.h"
#include "agent/exec_environment.h"
#include "agent/exec_room.h"
#include "agent/export.h"
#include "agent/program_notice.h"
#include "agent/real.h"
#include "agent/session.h"

namespace mini::agent {
namespace {

// The smallest stack that there may be has 16 KiB (PTHREAD_STACK_MIN).
constexpr std::size_t kMostBytesOnStack = 2048;

/// Calls `call(environment)` with one that leads to the recorder, if there is one and the program
/// can be recorded.
template <typename Call>
int with_environment(const NextProgram& program, Words environment, Call&& call) {
  const EnvironmentPlan plan = plan_environment(environment, program.obstacle());
  if (plan.change == EnvironmentPlan::Change::kNone) return call(environment);
  const std::size_t words_bytes = (plan.words_count + 3) * sizeof(char*);
  const std::size_t bytes = words_bytes + variables_bytes(plan);
  char* const room =
      bytes <= kMostBytesOnStack ? static_cast<char*>(alloca(bytes)) : exec_room(bytes);
  if (room == nullptr) return call(environment);
  return call(
      write_environment(environment, plan, reinterpret_cast<char**>(room), room + words_bytes));
}

/// Calls `call(environment)`, which becomes `program`, or fails.
template <typename Call>
int become(NextProgram program, Words environment, Call&& call) {
  program.announce();
  announce_child();  // where this is one of vfork
  await_last_sample();
  const bool was_roomless = take_back_roomless();
  const int result = with_environment(program, environment, call);
  if (was_roomless) count_roomless();
  program.take_back();
  return result;
}

int become(const char* path, Words arguments, Words environment) {
  const RealFunctions& real = real_functions();
  return become(NextProgram(AT_FDCWD, path), environment,
                [&](Words whole) { return real.execve(path, arguments, whole); });
}

int become_found(const char* file, Words arguments, Words environment) {
  const RealFunctions& real = real_functions();
  return become(NextProgram(file), environment,
                [&](Words whole) { return real.execvpe(file, arguments, whole); });
}

/// The same of a program that is started as another process, by `call(pid, environment)`.
template <typename Call>
int start(const NextProgram& program, pid_t* pid, Words environment, Call&& call) {
  pid_t child = 0;
  pid_t* const place = pid != nullptr ? pid : &child;
  announce_child();
  const int result =
      with_environment(program, environment, [&](Words whole) { return call(place, whole); });
  if (result == 0) program.tell_started(static_cast<std::uint32_t>(*place));
  return result;
}

std::size_t count_arguments(std::va_list rest) {
  std::size_t count = 1;
  while (va_arg(rest, const char*) != nullptr) ++count;
  return count;
}

void copy_arguments(char** out, const char* first, std::va_list rest) {
  *out++ = const_cast<char*>(first);
  while ((*out++ = va_arg(rest, char*)) != nullptr) {
  }
}

}  // namespace
}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

// The list of arguments, of which there is one at least, as an array `list` on this function's own
// stack; then `rest` is behind it.
#define MINI_LIST_ARGUMENTS(first)                                              \
  std::va_list rest;                                                            \
  va_start(rest, first);                                                        \
  const std::size_t count = count_arguments(rest);                              \
  va_end(rest);                                                                 \
  auto** const list = static_cast<char**>(alloca((count + 1) * sizeof(char*))); \
  va_start(rest, first);                                                        \
  copy_arguments(list, first, rest);                                            \
  static_assert(true)

MINI_EXPORT int execve(const char* path, char* const* argv, char* const* envp) {
  return become(path, argv, envp);
}

MINI_EXPORT int execv(const char* path, char* const* argv) {
  return become(path, argv, environ);
}

MINI_EXPORT int execvp(const char* file, char* const* argv) {
  return become_found(file, argv, environ);
}

MINI_EXPORT int execvpe(const char* file, char* const* argv, char* const* envp) {
  return become_found(file, argv, envp);
}

MINI_EXPORT int execl(const char* path, const char* arg, ...) {
  MINI_LIST_ARGUMENTS(arg);
  va_end(rest);
  return become(path, list, environ);
}

MINI_EXPORT int execlp(const char* file, const char* arg, ...) {
  MINI_LIST_ARGUMENTS(arg);
  va_end(rest);
  return become_found(file, list, environ);
}

MINI_EXPORT int execle(const char* path, const char* arg, ...) {
  MINI_LIST_ARGUMENTS(arg);
  auto* const environment = va_arg(rest, char* const*);
  va_end(rest);
  return become(path, list, environment);
}

MINI_EXPORT int execveat(int fd, const char* path, char* const* argv, char* const* envp,
                         int flags) {
  const RealFunctions& real = real_functions();
  if (real.execveat == nullptr) return errno = ENOSYS, -1;
  return become(NextProgram(fd, path), envp,
                [&](Words whole) { return real.execveat(fd, path, argv, whole, flags); });
}

MINI_EXPORT int fexecve(int fd, char* const* argv, char* const* envp) {
  const RealFunctions& real = real_functions();
  return become(NextProgram(fd, ""), envp,
                [&](Words whole) { return real.fexecve(fd, argv, whole); });
}

MINI_EXPORT int posix_spawn(pid_t* pid, const char* path,
                            const posix_spawn_file_actions_t* file_actions,
                            const posix_spawnattr_t* attrp, char* const* argv, char* const* envp) {
  const RealFunctions& real = real_functions();
  return start(NextProgram(AT_FDCWD, path), pid, envp, [&](pid_t* child, Words whole) {
    return real.posix_spawn(child, path, file_actions, attrp, argv, whole);
  });
}

MINI_EXPORT int posix_spawnp(pid_t* pid, const char* file,
                             const posix_spawn_file_actions_t* file_actions,
                             const posix_spawnattr_t* attrp, char* const* argv, char* const* envp) {
  const RealFunctions& real = real_functions();
  return start(NextProgram(file), pid, envp, [&](pid_t* child, Words whole) {
    return real.posix_spawnp(child, file, file_actions, attrp, argv, whole);
  });
}
