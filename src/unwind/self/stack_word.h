// Reads a word of a stack that may belong to any frame.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/byte_cursor.h"

namespace mini::unwind::self {

/// REQUIRES: [address, address + 8) is readable. Alignment does not matter.
///
/// Under AddressSanitizer the words between two functions' variables are out of bounds for C++, but
/// there is no C++ in saying where a return address is: an instruction of its own goes unnoticed.
/// It names no memory, so the compiler may order it freely with stores; what a walk reads was
/// stored before the walk was called, but for variables of functions, which it does not read.
inline std::uintptr_t stack_word(std::uintptr_t address) {
  std::uintptr_t word = 0;
#if defined(__x86_64__)
  asm volatile("movq (%1), %0" : "=r"(word) : "r"(address));
#elif defined(__aarch64__)
  asm volatile("ldr %0, [%1]" : "=r"(word) : "r"(address));
#else
  std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
#endif
  return word;
}

/// Whether a whole word is there. REQUIRES: `stack` holds one.
inline bool holds_word(ByteRange stack, std::uintptr_t address) {
  return address - stack.begin <= stack.end - stack.begin - sizeof(std::uintptr_t);
}
inline bool holds_word(ByteRange stack, std::uintptr_t address, std::uintptr_t word) {
  return holds_word(stack, address) && stack_word(address) == word;
}

}  // namespace mini::unwind::self
