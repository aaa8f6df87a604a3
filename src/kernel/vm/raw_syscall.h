// A system call without libc: no errno, no cancellation point, no interposed wrapper.
#pragma once

#include <type_traits>

namespace mini::kernel::vm {

namespace detail {

#if defined(__x86_64__)

inline long raw(long number, long a, long b, long c, long d, long e, long f) {
  long result = number;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

inline long raw(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
}

#else
#error "libminimalloc knows the system calls of x86-64 and aarch64 only"
#endif

template <typename T>
long word(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

}  // namespace detail

/// What the kernel returned: -errno where it failed.
template <typename A = long, typename B = long, typename C = long, typename D = long,
          typename E = long, typename F = long>
long raw_syscall(long number, A a = {}, B b = {}, C c = {}, D d = {}, E e = {}, F f = {}) {
  using detail::word;
  return detail::raw(number, word(a), word(b), word(c), word(d), word(e), word(f));
}

/// Whether a raw result is an error: the last 4095 values are.
inline bool is_error(long result) {
  return static_cast<unsigned long>(result) > static_cast<unsigned long>(-4096L);
}

}  // namespace mini::kernel::vm
