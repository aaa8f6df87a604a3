// In how many pages blocks lie, those of each stack and all: a page that a few bytes are live in
// cannot be given back.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/units.h"

namespace mini::sources {

class LivePages {
 public:
  void add(Address address, std::uint64_t bytes, std::uint32_t stack);
  /// REQUIRES: once, after the last add().
  void finish();

  std::uint64_t all() const { return all_; }
  std::uint64_t of(std::uint32_t stack) const {
    const auto found = of_stack_.find(stack);
    return found == of_stack_.end() ? 0 : found->second.pages;
  }

 private:
  struct Range {
    std::uint64_t first = 0;  // page
    std::uint64_t last = 0;
    std::uint32_t stack = 0;
  };
  struct Stack {
    std::uint64_t pages = 0;
    std::uint64_t next = 0;  // behind the last page that counts
  };

  std::vector<Range> ranges_;
  std::unordered_map<std::uint32_t, Stack> of_stack_;
  std::uint64_t all_ = 0;
};

}  // namespace mini::sources
