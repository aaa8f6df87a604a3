// Whose a slot of the channel is: a word in the channel's head for each.
//
//   word:  [ uses: 30 ][ state: 2 ]
//
//   S1  a slot goes kFree -> kClaimed -> kReady by an agent, and kReady -> kFree by the recorder,
//       when the process has ended, all that it told was read, and the slot is zeros again
//   S2  `uses` counts the claims of a slot: together with its number it names what one process told
//
// Where to look for a free one goes round: a slot is used again as late as can be.
#pragma once

#include <atomic>
#include <cstdint>

namespace mini::wire {

inline constexpr std::uint32_t kSlots = 4096;  // processes at once

enum class SlotState : std::uint32_t { kFree, kClaimed, kReady };

constexpr std::uint32_t slot_word(std::uint32_t uses, SlotState state) {
  return uses << 2 | static_cast<std::uint32_t>(state);
}
constexpr SlotState slot_state(std::uint32_t word) {
  return static_cast<SlotState>(word & 3U);
}
constexpr std::uint32_t slot_uses(std::uint32_t word) {
  return word >> 2;
}

/// A claim by a number of its own, until a slot was used a million times; never 0.
constexpr std::uint32_t slot_serial(std::uint32_t slot, std::uint32_t uses) {
  return uses * kSlots + slot;
}

struct SlotClaims {
  std::atomic<std::uint64_t> tickets;   // claims so far, which says in what order processes began
  std::atomic<std::uint32_t> unserved;  // claims that found no slot
  std::atomic<std::uint32_t> roomless;  // processes without address space for what they need
  std::atomic<std::uint32_t> words[kSlots];
};

struct SlotClaim {
  std::uint32_t slot = kSlots;  // kSlots: all were taken
  std::uint32_t uses = 0;
  std::uint64_t ticket = 0;
};

/// For an agent. What the recorder did to the slot before it was free is seen after.
inline SlotClaim claim_slot(SlotClaims& claims) {
  const std::uint64_t ticket = claims.tickets.fetch_add(1, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < kSlots; ++i) {
    const auto slot = static_cast<std::uint32_t>((ticket + i) % kSlots);
    std::uint32_t word = claims.words[slot].load(std::memory_order_relaxed);
    if (slot_state(word) != SlotState::kFree) continue;
    const std::uint32_t uses = slot_uses(word) + 1;
    if (claims.words[slot].compare_exchange_strong(word, slot_word(uses, SlotState::kClaimed),
                                                   std::memory_order_acquire)) {
      return {.slot = slot, .uses = uses, .ticket = ticket};
    }
  }
  claims.unserved.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace mini::wire
