// Whether a sanitizer's malloc stands before the C library's.
#pragma once

namespace mini::test {

// GCC has macros for what Clang has features for.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kHasSanitizersMalloc = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kHasSanitizersMalloc = true;
#else
inline constexpr bool kHasSanitizersMalloc = false;
#endif
#else
inline constexpr bool kHasSanitizersMalloc = false;
#endif

}  // namespace mini::test
