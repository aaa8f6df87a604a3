// Compiled twice: with frame pointers and without.
#include "shapes.h"

#include <alloca.h>
#include <cstdarg>
#include <cstdint>
#include <cstring>

namespace mini::unwind::self::SHAPES {
namespace {

// Its result is not known to the compiler.
template <typename T>
[[gnu::always_inline]] inline T opaque(T value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}

[[gnu::noinline]] std::size_t plain(const Next& next, std::size_t size) {
  next.call(next.context);
  return opaque(size);
}

[[gnu::noinline]] std::size_t large(const Next& next, std::size_t size) {
  char block[100'000];
  std::memset(opaque(&block[0]), static_cast<int>(size), 64);
  next.call(next.context);
  return static_cast<std::size_t>(*opaque(&block[0]));
}

[[gnu::noinline]] std::size_t with_alloca(const Next& next, std::size_t size) {
  auto* const block = static_cast<char*>(alloca(16 + size * 16));
  block[0] = static_cast<char>(size);
  opaque(block);
  next.call(next.context);
  return static_cast<std::size_t>(*opaque(block));
}

[[gnu::noinline]] std::size_t variadic_part(const Next* next, ...) {
  va_list arguments;
  va_start(arguments, next);
  std::size_t sum = 0;
  for (int i = 0; i < 9; ++i) sum += va_arg(arguments, std::size_t);
  next->call(next->context);
  sum += va_arg(arguments, std::size_t);
  va_end(arguments);
  return sum;
}

[[gnu::noinline]] std::size_t variadic(const Next& next, std::size_t size) {
  return variadic_part(&next, size, size, size, size, size, size, size, size, size, size);
}

[[gnu::noinline]] std::size_t realigned(const Next& next, std::size_t size) {
  alignas(64) char block[128];
  std::memset(opaque(&block[0]), static_cast<int>(size), sizeof block);
  next.call(next.context);
  return static_cast<std::size_t>(*opaque(&block[0]));
}

// Arguments on the stack, behind a realigned frame: what GCC addresses through r10.
[[gnu::noinline]] std::size_t realigned_with_arguments(const Next& next, std::size_t size, long a,
                                                       long b, long c, long d, long e, long f) {
  alignas(64) char block[128];
  auto* const more = static_cast<char*>(alloca(16 + size * 16));
  std::memset(opaque(&block[0]), static_cast<int>(size), sizeof block);
  opaque(more);
  next.call(next.context);
  return static_cast<std::size_t>(*opaque(&block[0])) +
         static_cast<std::size_t>(a + b + c + d + e + f);
}

[[gnu::noinline]] std::size_t both(const Next& next, std::size_t size) {
  return realigned_with_arguments(next, size, 1, 2, 3, 4, 5, 6);
}

// All callee-saved registers hold something across the call.
[[gnu::noinline]] std::size_t saves_all(const Next& next, std::size_t size) {
  const std::size_t a = opaque(size + 1);
  const std::size_t b = opaque(size + 2);
  const std::size_t c = opaque(size + 3);
  const std::size_t d = opaque(size + 4);
  const std::size_t e = opaque(size + 5);
  const std::size_t f = opaque(size + 6);
  next.call(next.context);
  return a + b + c + d + e + f;
}

struct Bulky {
  std::size_t words[40];
};

[[gnu::noinline]] std::size_t by_value_part(Bulky bulky, const Next& next) {
  next.call(next.context);
  return bulky.words[opaque(3)];
}

[[gnu::noinline]] std::size_t by_value(const Next& next, std::size_t size) {
  Bulky bulky{};
  bulky.words[opaque(3)] = size;
  return by_value_part(bulky, next);
}

[[gnu::noinline]] void throw_through(const Next& next, std::size_t size) {
  next.call(next.context);
  if (opaque(size) + 1 != 0) throw size;
}

[[gnu::noinline]] std::size_t throws(const Next& next, std::size_t size) {
  try {
    throw_through(next, size);
  } catch (std::size_t caught) {
    next.call(next.context);
    return caught;
  }
  return 0;
}

// A frame of fixed size between two that are not: it hands its caller's bp on.
[[gnu::noinline]] std::size_t inner_bp(const Next& next, std::size_t size) {
  auto* const block = static_cast<char*>(alloca(16 + size * 16));
  opaque(block);
  return saves_all(next, size) + static_cast<std::size_t>(*opaque(block) & 0);
}

}  // namespace

extern const Shape kShapes[kShapeCount] = {plain, large,     with_alloca, variadic, realigned,
                                           both,  saves_all, by_value,    throws,   inner_bp};

}  // namespace mini::unwind::self::SHAPES
