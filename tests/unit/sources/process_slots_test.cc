// Processes found in the order in which they came, though slots are used again.
#include "sources/process_slots.h"

#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace mini::sources {
namespace {

class ProcessSlotsTest : public testing::Test {
 protected:
  /// As an agent does it.
  wire::SlotClaim come(std::uint32_t pid) {
    const wire::SlotClaim claim = wire::claim_slot(*claims_);
    const auto mapping = file_->map(wire::slot_offset(claim.slot), wire::kSlotBytes);
    wire::Slot& slot = wire::SlotView{mapping->begin()}.slot();
    slot.ticket = claim.ticket;
    slot.pid = pid;
    set(claim, wire::SlotState::kReady);
    return claim;
  }
  void set(const wire::SlotClaim& claim, wire::SlotState state) {
    claims_->words[claim.slot] = wire::slot_word(claim.uses, state);
  }
  std::vector<std::uint32_t> found() {
    std::vector<std::uint32_t> pids;
    for (const NewProcess& one : slots_.find_new()) pids.push_back(one.view().slot().pid);
    return pids;
  }
  using Pids = std::vector<std::uint32_t>;

  Result<kernel::SharedFile> file_ = kernel::SharedFile::create("test", wire::kFileBytes);
  std::unique_ptr<wire::SlotClaims> claims_ = std::make_unique<wire::SlotClaims>();
  ProcessSlots slots_{*claims_, *file_};
};

TEST_F(ProcessSlotsTest, EachIsFoundOnceWhenItIsReady) {
  const wire::SlotClaim first = come(1);
  const wire::SlotClaim second = come(2);
  set(second, wire::SlotState::kClaimed);
  EXPECT_EQ(found(), Pids{1});
  EXPECT_EQ(found(), Pids{});
  set(second, wire::SlotState::kReady);
  EXPECT_EQ(found(), Pids{2});
  EXPECT_NE(first.slot, second.slot);
}

TEST_F(ProcessSlotsTest, ASlotIsUsedAgainAndTheOrderIsThatOfTheirComing) {
  std::vector<wire::SlotClaim> claims;
  for (std::uint32_t i = 0; i < wire::kSlots; ++i) claims.push_back(come(i + 1));
  EXPECT_EQ(found().size(), wire::kSlots);
  slots_.release(claims.back().slot, true);
  slots_.release(claims.front().slot, true);
  slots_.release(claims[1].slot, false);
  EXPECT_EQ(found(), Pids{});
  // The search goes on behind the slot of the one before: at the first, then the last.
  const wire::SlotClaim parent = come(10'001);
  const wire::SlotClaim child = come(10'002);
  EXPECT_EQ(parent.slot, claims.front().slot);
  EXPECT_EQ(child.slot, claims.back().slot);
  EXPECT_EQ(found(), (Pids{10'001, 10'002}));
  EXPECT_EQ(slots_.unserved(), 0U);
  EXPECT_EQ(wire::claim_slot(*claims_).slot, wire::kSlots) << "one was not to be used again";
  EXPECT_EQ(slots_.unserved(), 1U);
}

TEST_F(ProcessSlotsTest, WhatTheNextOneFindsIsZeros) {
  const wire::SlotClaim claim = come(5);
  found();
  const auto mapping = file_->map(wire::slot_offset(claim.slot), wire::kSlotBytes);
  slots_.release(claim.slot, true);
  EXPECT_EQ(wire::SlotView{mapping->begin()}.slot().pid, 0U);
}

}  // namespace
}  // namespace mini::sources
