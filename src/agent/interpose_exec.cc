// A program that becomes another, or starts one, takes the agent along even where it clears or
// replaces the environment.
//
// All of this may run in a child of vfork, on its parent's stack and in its parent's memory: it
// allocates nothing and changes nothing, what is made is on the stack.
#include <alloca.h>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <spawn.h>
#include <unistd.h>

#include "agent/export.h"
#include "agent/real.h"
#include "agent/session.h"

namespace mini::agent {
namespace {

using Words = char* const*;

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr std::size_t kPreloadBytes = sizeof kPreload - 1;
constexpr std::size_t kChannelBytes = sizeof wire::kChannelVariable - 1;

/// What an environment lacks.
struct Missing {
  std::size_t words = 0;          // of the environment
  const char* preload = nullptr;  // its LD_PRELOAD's value, without the agent; null: none
  bool agent = true;
  bool channel = true;
};

bool is_channel(const char* word) {
  return std::strncmp(word, wire::kChannelVariable, kChannelBytes) == 0 &&
         word[kChannelBytes] == '=';
}

Missing look(Words environment, const char* agent) {
  Missing missing;
  for (; environment != nullptr && environment[missing.words] != nullptr; ++missing.words) {
    const char* const word = environment[missing.words];
    if (is_channel(word)) missing.channel = false;
    if (std::strncmp(word, kPreload, kPreloadBytes) != 0) continue;
    missing.preload = word + kPreloadBytes;
    missing.agent = std::strstr(missing.preload, agent) == nullptr;
  }
  return missing;
}

/// The environment in `room`, which has two words more, with the two variables made in `text`.
Words complete(Words environment, const Missing& missing, const Carried& carried, char** room,
               char* text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < missing.words; ++i) {
    if (missing.agent && std::strncmp(environment[i], kPreload, kPreloadBytes) == 0) continue;
    room[count++] = environment[i];
  }
  if (missing.agent) {
    room[count++] = text;
    text = stpcpy(stpcpy(text, kPreload), carried.agent);
    if (missing.preload != nullptr && *missing.preload != '\0') {
      text = stpcpy(stpcpy(text, ":"), missing.preload);
    }
    ++text;
  }
  if (missing.channel) {
    room[count++] = text;
    stpcpy(stpcpy(stpcpy(text, wire::kChannelVariable), "="), carried.channel);
  }
  room[count] = nullptr;
  return room;
}

// A limit for what is taken of the stack: beyond, the environment stays as it is.
constexpr std::size_t kMostWords = 16384;

std::size_t text_bytes(const Missing& missing, const Carried& carried) {
  return kPreloadBytes + std::strlen(carried.agent) + 1 +
         (missing.preload != nullptr ? std::strlen(missing.preload) : 0) + 1 + kChannelBytes + 1 +
         std::strlen(carried.channel) + 1;
}

/// Calls `call(environment)` with one that leads to the recorder.
template <typename Call>
int with_environment(Words environment, Call&& call) {
  const Carried carried = carried_environment();
  if (carried.agent == nullptr) return call(environment);
  const Missing missing = look(environment, carried.agent);
  if ((!missing.agent && !missing.channel) || missing.words > kMostWords) return call(environment);
  auto** const room = static_cast<char**>(alloca((missing.words + 3) * sizeof(char*)));
  auto* const text = static_cast<char*>(alloca(text_bytes(missing, carried)));
  return call(complete(environment, missing, carried, room, text));
}

const RealFunctions* real_or_fail() {
  const RealFunctions* const real = find_real_functions();
  if (real == nullptr) errno = ENOSYS;
  return real;
}

int become(const char* path, Words arguments, Words environment) {
  const RealFunctions* const real = real_or_fail();
  if (real == nullptr) return -1;
  return with_environment(environment,
                          [&](Words whole) { return real->execve(path, arguments, whole); });
}

int become_found(const char* file, Words arguments, Words environment) {
  const RealFunctions* const real = real_or_fail();
  if (real == nullptr) return -1;
  return with_environment(environment,
                          [&](Words whole) { return real->execvpe(file, arguments, whole); });
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
  const RealFunctions* const real = real_or_fail();
  if (real == nullptr || real->execveat == nullptr) return errno = ENOSYS, -1;
  return with_environment(
      envp, [&](Words whole) { return real->execveat(fd, path, argv, whole, flags); });
}

MINI_EXPORT int fexecve(int fd, char* const* argv, char* const* envp) {
  const RealFunctions* const real = real_or_fail();
  if (real == nullptr) return -1;
  return with_environment(envp, [&](Words whole) { return real->fexecve(fd, argv, whole); });
}

MINI_EXPORT int posix_spawn(pid_t* pid, const char* path,
                            const posix_spawn_file_actions_t* file_actions,
                            const posix_spawnattr_t* attrp, char* const* argv, char* const* envp) {
  const RealFunctions* const real = find_real_functions();
  if (real == nullptr) return ENOSYS;
  return with_environment(envp, [&](Words whole) {
    return real->posix_spawn(pid, path, file_actions, attrp, argv, whole);
  });
}

MINI_EXPORT int posix_spawnp(pid_t* pid, const char* file,
                             const posix_spawn_file_actions_t* file_actions,
                             const posix_spawnattr_t* attrp, char* const* argv, char* const* envp) {
  const RealFunctions* const real = find_real_functions();
  if (real == nullptr) return ENOSYS;
  return with_environment(envp, [&](Words whole) {
    return real->posix_spawnp(pid, file, file_actions, attrp, argv, whole);
  });
}
