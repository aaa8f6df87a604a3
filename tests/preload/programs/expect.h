// What every program of this folder says, and how: nothing but a last line "ok" where all was as
// expected, else one message that names the expression, its place and its values, and exit
// status 1. Nothing here allocates: a broken allocator must not keep its test from speaking.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

static inline void say(int fd, const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t written = write(fd, text, left);
    if (written <= 0) return;
    text += written;
    left -= (size_t)written;
  }
}

// `condition` is NULL where there is nothing but the message.
__attribute__((format(printf, 4, 5), noreturn)) static inline void fail_at(
    const char* file, int line, const char* condition, const char* format, ...) {
  char text[1024];
  const char* name = strrchr(file, '/');
  int length = snprintf(text, sizeof text - 256, "%s:%d: %s%s%s", name != NULL ? name + 1 : file,
                        line, condition != NULL ? "not so: " : "",
                        condition != NULL ? condition : "", condition != NULL ? "  " : "");
  if (length > (int)sizeof text - 257) length = (int)sizeof text - 257;
  va_list values;
  va_start(values, format);
  length += vsnprintf(text + length, 254, format, values);
  va_end(values);
  if (length > (int)sizeof text - 2) length = (int)sizeof text - 2;
  text[length] = '\n';
  text[length + 1] = '\0';
  say(STDERR_FILENO, text);
  _exit(1);
}

#define FAIL(...) fail_at(__FILE__, __LINE__, NULL, __VA_ARGS__)

#define EXPECT(condition) EXPECT_SAYING(condition, "%s", "")

// With a format and values to show: EXPECT_SAYING(block != NULL, "size %zu", size).
#define EXPECT_SAYING(condition, ...)                                       \
  do {                                                                      \
    if (!(condition)) fail_at(__FILE__, __LINE__, #condition, __VA_ARGS__); \
  } while (0)

// Two whole numbers, compared and shown as such: EXPECT_NUMBERS(errno, ==, ENOMEM).
#define EXPECT_NUMBERS(left, relation, right)                                                    \
  do {                                                                                           \
    const long long left_value = (long long)(left), right_value = (long long)(right);            \
    if (!(left_value relation right_value)) {                                                    \
      fail_at(__FILE__, __LINE__, #left " " #relation " " #right, "(%lld and %lld)", left_value, \
              right_value);                                                                      \
    }                                                                                            \
  } while (0)

__attribute__((noreturn)) static inline void skip(const char* reason) {
  say(STDOUT_FILENO, "skip: ");
  say(STDOUT_FILENO, reason);
  say(STDOUT_FILENO, "\n");
  _exit(EXIT_SKIPPED);
}

// The last statement of main.
static inline int ok(void) {
  say(STDOUT_FILENO, "ok\n");
  return 0;
}

// A value that the compiler cannot reason about.
static inline size_t opaque(size_t value) {
  volatile size_t hidden = value;
  return hidden;
}
