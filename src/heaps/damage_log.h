// What a decoder finds that cannot be so, in words.
#pragma once

#include <algorithm>
#include <iterator>
#include <ranges>
#include <string>
#include <utility>

#include "model/heap.h"

namespace mini::heaps {

/// Damage, the first of it in words and all of it counted.
class DamageLog {
 public:
  explicit DamageLog(model::Heap& heap) : heap_(heap) {}
  void add(Address where, std::string field, std::string found, std::string expected,
           model::DamageKind kind = model::DamageKind::kField, bool is_unwritten = false) {
    constexpr std::size_t kMostKept = 64;
    ++heap_.damages_count;
    if (heap_.damages.size() >= kMostKept) {
      // Instead of the last one of the kind that says least.
      const auto least = std::ranges::max_element(std::views::reverse(heap_.damages), {},
                                                  &model::HeapDamage::kind);
      if (least->kind <= kind) return;
      heap_.damages.erase(std::next(least).base());
    }
    heap_.damages.push_back(
        {where, std::move(field), std::move(found), std::move(expected), is_unwritten, kind});
  }

 private:
  model::Heap& heap_;
};

}  // namespace mini::heaps
