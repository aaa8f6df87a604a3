// Slots claimed by several agents at once.
#include "wire/slot_claim.h"

#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace mini::wire {
namespace {

void release(SlotClaims& claims, const SlotClaim& claim) {
  claims.words[claim.slot].store(slot_word(claim.uses, SlotState::kFree),
                                 std::memory_order_release);
}

TEST(SlotClaimTest, ASlotIsOneClaimsAtATime) {
  const auto claims = std::make_unique<SlotClaims>();
  std::vector<std::thread> threads;
  std::vector<std::vector<SlotClaim>> found(4);
  for (std::vector<SlotClaim>& mine : found) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        mine.push_back(claim_slot(*claims));
        if (i % 3 == 0) {
          release(*claims, mine.back());
          mine.pop_back();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::uint32_t> slots;
  std::set<std::uint64_t> tickets;
  for (const std::vector<SlotClaim>& mine : found) {
    for (const SlotClaim& claim : mine) {
      EXPECT_LT(claim.slot, kSlots);
      EXPECT_TRUE(slots.insert(claim.slot).second);
      EXPECT_TRUE(tickets.insert(claim.ticket).second);
      EXPECT_EQ(slot_state(claims->words[claim.slot]), SlotState::kClaimed);
    }
  }
  EXPECT_EQ(claims->unserved, 0U);
}

TEST(SlotClaimTest, WhoFindsNoneIsCountedAndOneThatIsFreeIsFound) {
  const auto claims = std::make_unique<SlotClaims>();
  std::vector<SlotClaim> all;
  for (std::uint32_t i = 0; i < kSlots; ++i) all.push_back(claim_slot(*claims));
  EXPECT_EQ(claim_slot(*claims).slot, kSlots);
  EXPECT_EQ(claims->unserved, 1U);
  release(*claims, all[77]);
  const SlotClaim again = claim_slot(*claims);
  EXPECT_EQ(again.slot, all[77].slot);
  EXPECT_NE(slot_serial(again.slot, again.uses), slot_serial(all[77].slot, all[77].uses));
  EXPECT_GT(again.ticket, all.back().ticket);
  EXPECT_NE(slot_serial(all[0].slot, all[0].uses), 0U);
}

}  // namespace
}  // namespace mini::wire
