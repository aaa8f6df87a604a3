// The slots of the channel as the recorder sees them: who has come, and who is gone.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel/shared_file.h"
#include "wire/channel.h"

namespace mini::sources {

/// A process that told of itself.
struct NewProcess {
  std::uint32_t slot = 0;
  std::uint32_t serial = 0;  // of its claim
  std::uint64_t ticket = 0;
  kernel::SharedMapping mapping;  // of the slot

  wire::SlotView view() const { return {mapping.begin()}; }
};

/// Not thread-safe. `claims` is written by targets: any slot may seem to be anything.
class ProcessSlots {
 public:
  ProcessSlots(wire::SlotClaims& claims, const kernel::SharedFile& file)
      : claims_(claims), file_(file), is_known_(wire::kSlots) {}

  /// Those that have come since, in the order in which they claimed their slots: a process before
  /// its copies.
  std::vector<NewProcess> find_new();
  /// Gives the slot's memory back. `can_be_reused`: nobody can write there any more.
  void release(std::uint32_t slot, bool can_be_reused);
  /// How many processes found no slot.
  std::uint32_t unserved() const { return claims_.unserved.load(std::memory_order_relaxed); }
  std::uint32_t roomless() const { return claims_.roomless.load(std::memory_order_relaxed); }

 private:
  wire::SlotClaims& claims_;
  const kernel::SharedFile& file_;
  std::vector<bool> is_known_;  // by slot: its process was found, and is not released
};

}  // namespace mini::sources
