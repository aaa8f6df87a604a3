// What one unwinding reads of a target's memory.
#include "unwind/stack_memory.h"

#include <algorithm>

namespace mini::unwind {
namespace {

constexpr std::uint64_t kSmallestRead = 1024;
constexpr std::uint64_t kLargestFirstRead = 64 * 1024;
constexpr std::uint64_t kOtherWindowBytes = 4096;
// A frame further away than this (a huge local array) gets a window of its own, so that the array
// is not read.
constexpr std::uint64_t kLargestGap = 64 * 1024;
constexpr std::size_t kMaxOtherWindows = 64;

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t step) {
  return (n + step - 1) / step * step;
}

}  // namespace

void StackMemory::reset(std::uint64_t stack_pointer, const MemoryReader& memory,
                        std::size_t budget_bytes) {
  if (memory_ != nullptr) {
    // Read next what this stack needed; shrink slowly, so that one shallow stack among deep ones
    // does not cost the next a second read.
    const std::uint64_t needed = round_up(deepest_ + 256, 512);
    first_read_bytes_ = std::clamp(std::max(needed, first_read_bytes_ - first_read_bytes_ / 16),
                                   kSmallestRead, kLargestFirstRead);
  }
  memory_ = &memory;
  budget_bytes_ = budget_bytes;
  deepest_ = 0;
  stack_.begin = stack_pointer;
  stack_.valid_bytes = 0;
  stack_.ended = false;
  others_used_ = 0;
}

bool StackMemory::extend(Window& window, std::uint64_t bytes) {
  if (window.ended) return false;
  bytes = std::min(round_up(bytes, 8), budget_bytes_ / 8 * 8);
  // The read must not wrap around the end of the address space.
  bytes = std::min(bytes, (~std::uint64_t{0} - window.begin - window.valid_bytes) / 8 * 8);
  if (bytes == 0) return false;
  const auto wanted = static_cast<std::size_t>(window.valid_bytes + bytes);
  if (window.words.size() * 8 < wanted) window.words.resize(wanted / 8 + 1);
  auto storage = std::as_writable_bytes(std::span(window.words));
  const std::size_t got =
      memory_->read(Address{window.begin + window.valid_bytes},
                    storage.subspan(static_cast<std::size_t>(window.valid_bytes),
                                    static_cast<std::size_t>(bytes)));
  const std::uint64_t whole = std::min<std::uint64_t>(got, bytes) / 8 * 8;
  window.valid_bytes += whole;
  budget_bytes_ -= whole;
  window.ended = whole < bytes;
  return whole > 0;
}

std::optional<std::uint64_t> StackMemory::word_elsewhere(std::uint64_t address) {
  if (memory_ == nullptr) return std::nullopt;
  const auto within = [address](const Window& window) {
    const std::uint64_t offset = address - window.begin;
    return offset < window.valid_bytes && window.valid_bytes - offset >= 8;
  };
  const auto load_from = [&](Window& window, std::uint64_t first_read) {
    const std::uint64_t offset = address - window.begin;
    if (offset > window.valid_bytes + kLargestGap) return false;
    if (!within(window)) {
      const std::uint64_t growth = std::max(window.valid_bytes, first_read);
      const std::uint64_t missing = offset + 8 - window.valid_bytes;
      extend(window, std::max(growth, missing));
    }
    return within(window);
  };
  if (load_from(stack_, first_read_bytes_)) {
    deepest_ = std::max(deepest_, address - stack_.begin);
    return stack_.load(address - stack_.begin);
  }
  for (std::size_t i = 0; i < others_used_; ++i) {
    if (load_from(others_[i], kOtherWindowBytes))
      return others_[i].load(address - others_[i].begin);
  }
  if (others_used_ == kMaxOtherWindows) return std::nullopt;
  if (others_used_ == others_.size()) others_.emplace_back();
  Window& window = others_[others_used_++];
  window.begin = address;
  window.valid_bytes = 0;
  window.ended = false;
  if (!load_from(window, kOtherWindowBytes)) {
    --others_used_;
    return std::nullopt;
  }
  return window.load(0);
}

}  // namespace mini::unwind
