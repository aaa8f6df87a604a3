#include "agent/sampled_blocks.h"

#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"

namespace mini::agent {

namespace vm = kernel::vm;

constinit SampledBlocks g_no_sampled_blocks{};
constinit std::atomic<SampledBlocks*> g_sampled_blocks{&g_no_sampled_blocks};

// Makes it where it is not there yet; of two threads that do, one throws its own away.
SampledBlocks::Slot* SampledBlocks::level(unsigned number) {
  Slot* there = levels_[number].load(std::memory_order_acquire);
  if (there != nullptr) return there;
  const std::size_t bytes = sizeof(Slot) << (kLeastLevelBits + number);
  auto* const fresh = static_cast<Slot*>(vm::map_wiped_on_fork(bytes));
  if (fresh == nullptr) return nullptr;
  if (levels_[number].compare_exchange_strong(there, fresh, std::memory_order_acq_rel)) {
    return fresh;
  }
  vm::unmap(fresh, bytes);
  return there;
}

bool SampledBlocks::add(const void* block) {
  const std::uint64_t number = hash(block);
  std::atomic<std::uint16_t>& count = counts_[part_of(block)];
  if (count.load(std::memory_order_relaxed) == UINT16_MAX) return false;  // S1 must hold
  for (unsigned i = 0; i < kLevels; ++i) {
    Slot* const slots = level(i);
    if (slots == nullptr) return false;
    Slot* const window = slots + window_of(number, i);
    for (std::size_t at = 0; at < kWindow; ++at) {
      std::uintptr_t none = 0;
      if (!window[at].compare_exchange_strong(none, reinterpret_cast<std::uintptr_t>(block),
                                              std::memory_order_relaxed)) {
        continue;
      }
      count.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

bool SampledBlocks::take(const void* block) {
  const std::uint64_t number = hash(block);
  for (unsigned i = 0; i < kLevels; ++i) {
    Slot* const slots = levels_[i].load(std::memory_order_acquire);
    if (slots == nullptr) return false;
    Slot* const window = slots + window_of(number, i);
    for (std::size_t at = 0; at < kWindow; ++at) {
      if (window[at].load(std::memory_order_relaxed) != reinterpret_cast<std::uintptr_t>(block)) {
        continue;
      }
      window[at].store(0, std::memory_order_relaxed);
      counts_[part_of(block)].fetch_sub(1, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

}  // namespace mini::agent
