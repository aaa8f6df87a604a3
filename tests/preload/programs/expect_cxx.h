// expect.h for the programs that are C++: the same messages, the same exit statuses.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <unistd.h>

inline void say(int fd, const char* text) {
  // Nobody is left to be told that it could not be said.
  [[maybe_unused]] const ssize_t written = write(fd, text, std::strlen(text));
}

[[noreturn]] inline void fail_at(const char* file, int line, const char* condition,
                                 long long value = 0) {
  const char* name = std::strrchr(file, '/');
  char text[512];
  std::snprintf(text, sizeof text, "%s:%d: not so: %s  (%lld)\n", name != nullptr ? name + 1 : file,
                line, condition, value);
  say(STDERR_FILENO, text);
  _exit(1);
}

#define EXPECT(...)                                                \
  do {                                                             \
    if (!(__VA_ARGS__)) fail_at(__FILE__, __LINE__, #__VA_ARGS__); \
  } while (false)

// With a number that helps to understand the message.
#define EXPECT_WITH(value, ...)                                           \
  do {                                                                    \
    if (!(__VA_ARGS__)) fail_at(__FILE__, __LINE__, #__VA_ARGS__, value); \
  } while (false)

// The last statement of main.
inline int ok() {
  say(STDOUT_FILENO, "ok\n");
  return 0;
}

template <typename T>
T opaque(T value) {
  volatile T hidden = value;
  return hidden;
}

inline bool is_aligned(const void* block, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}
