// What one unwinding reads of a target's memory: the stack from its pointer on in one piece, grown
// only if the walk goes further; other places (an alternate signal stack) in small windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/memory_reader.h"

namespace mini::unwind {

class StackMemory {
 public:
  /// Starts a new unwinding. Nothing is read before the first word is asked for; then as much as
  /// recent unwindings needed. At most `budget_bytes` are read until the next reset.
  void reset(std::uint64_t stack_pointer, const MemoryReader& memory, std::size_t budget_bytes);

  /// The 8 bytes at any address, or nullopt where they are unreadable or past the budget.
  std::optional<std::uint64_t> word(std::uint64_t address) {
    const std::uint64_t offset = address - stack_.begin;
    if (offset < stack_.valid_bytes && stack_.valid_bytes - offset >= sizeof(std::uint64_t)) {
      deepest_ = deepest_ > offset ? deepest_ : offset;
      return stack_.load(offset);
    }
    return word_elsewhere(address);
  }

  /// The words read from the stack pointer on.
  std::span<const std::uint64_t> stack_words() const {
    return {stack_.words.data(), static_cast<std::size_t>(stack_.valid_bytes / 8)};
  }

 private:
  struct Window {
    std::uint64_t begin = 0;
    std::uint64_t valid_bytes = 0;
    bool ended = false;                // nothing readable beyond valid_bytes
    std::vector<std::uint64_t> words;  // capacity; the first valid_bytes are the target's

    std::uint64_t load(std::uint64_t offset) const {
      std::uint64_t value;
      std::memcpy(&value, reinterpret_cast<const char*>(words.data()) + offset, sizeof value);
      return value;
    }
  };

  std::optional<std::uint64_t> word_elsewhere(std::uint64_t address);
  bool extend(Window& window, std::uint64_t bytes);

  const MemoryReader* memory_ = nullptr;
  std::uint64_t budget_bytes_ = 0;
  std::uint64_t first_read_bytes_ = 4096;
  std::uint64_t deepest_ = 0;  // offset of the furthest stack word used
  Window stack_;
  std::vector<Window> others_;
  std::size_t others_used_ = 0;
};

}  // namespace mini::unwind
