// What stays from reading to reading is damage, what does not is motion, and what stays as long as
// a thread is at the same place may be either.
#include "sources/heap_readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mini::sources {
namespace {

using model::HeapDamage;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr std::uint64_t kTop = 0x5000;
constexpr std::uint64_t kBlock = 0x4000;

HeapDamage damage(std::uint64_t at, std::string found = "0x0") {
  return {Address{at}, "size", std::move(found), "more"};
}

model::InspectedThread thread(std::int64_t id, std::uint64_t code, bool waits = false) {
  return {.id = id, .registers = {code}, .code = Address{code}, .waits = waits};
}

class HeapReadingsTest : public testing::Test {
 protected:
  HeapReadingsTest() { inspection_.heap.emplace().allocator = "glibc"; }

  model::Heap& heap() { return *inspection_.heap; }
  void read(std::vector<HeapDamage> damages, std::vector<model::InspectedThread> threads) {
    heap().damages_count = damages.size();
    heap().damages = std::move(damages);
    readings_.add(heap(), threads);
  }
  /// By one thread, at that place in its code.
  void read(std::vector<HeapDamage> damages, std::uint64_t code) {
    read(std::move(damages), {thread(1, code)});
  }
  void count(std::uint64_t counted, std::uint64_t found, std::uint64_t code) {
    heap().counters = {{.name = "slabs", .counted = counted, .found = found}};
    read({}, code);
  }
  const model::Inspection& conclude() {
    readings_.conclude(inspection_);
    return inspection_;
  }
  auto at(std::uint64_t address) { return Field(&HeapDamage::where, Address{address}); }

  model::Inspection inspection_;
  HeapReadings readings_;
};

TEST_F(HeapReadingsTest, WhatFitsTogetherNeedsNoOther) {
  read({}, 0x10);
  EXPECT_TRUE(readings_.is_settled());
  EXPECT_FALSE(conclude().may_be_motion);
}

TEST_F(HeapReadingsTest, NorDoesAProcessThatWaits) {
  read({damage(kBlock)}, {thread(1, 0x10, true), thread(2, 0x20, true)});
  EXPECT_TRUE(readings_.is_settled());
  EXPECT_FALSE(conclude().may_be_motion);
  EXPECT_THAT(heap().damages, ElementsAre(at(kBlock)));
}

TEST_F(HeapReadingsTest, OneReadingAloneProvesNothing) {
  read({damage(kTop)}, {thread(1, 0x10), thread(2, 0x20, true)});
  EXPECT_FALSE(readings_.is_settled());
  EXPECT_TRUE(conclude().may_be_motion);
  EXPECT_THAT(heap().damages, ElementsAre(at(kTop)));
}

TEST_F(HeapReadingsTest, WhatIsGoneWasMotion) {
  read({damage(kTop)}, 0x10);
  read({}, 0x20);
  EXPECT_TRUE(readings_.is_settled());
  EXPECT_FALSE(conclude().may_be_motion);
  EXPECT_EQ(inspection_.places_in_motion, 0);
}

TEST_F(HeapReadingsTest, WhatIsNewEachTimeIsMotionToo) {
  for (std::uint64_t i = 0; i < 4; ++i) read({damage(kTop + i * 0x1000)}, 0x10 + i);
  EXPECT_FALSE(readings_.is_settled());
  EXPECT_FALSE(readings_.has_suspects());
  conclude();
  EXPECT_THAT(heap().damages, IsEmpty());
  EXPECT_EQ(heap().damages_count, 0);
  EXPECT_EQ(inspection_.places_in_motion, 1);
}

TEST_F(HeapReadingsTest, WhatComesNowAndThenIsNoDamage) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    read({damage(i % 2 == 0 ? kTop : kBlock)}, 0x10 + i);
    EXPECT_FALSE(readings_.is_settled());
  }
  EXPECT_FALSE(readings_.has_suspects());
  EXPECT_THAT(conclude().heap->damages, IsEmpty());
}

TEST_F(HeapReadingsTest, ATopThatIsNotWrittenYetIsAnotherOneTheNextTime) {
  HeapDamage top = damage(kTop);
  top.is_unwritten = true;
  read({top}, 0x10);
  EXPECT_FALSE(readings_.is_settled());
  top.where = Address{kTop + 0x1000};
  read({top}, 0x11);
  EXPECT_TRUE(readings_.is_settled());
  EXPECT_EQ(conclude().heap->damages_count, 0);
  EXPECT_EQ(inspection_.places_in_motion, 0);
}

TEST_F(HeapReadingsTest, SoIsOtherContentAtTheSamePlace) {
  read({damage(kTop, "0x0")}, 0x10);
  read({damage(kTop, "0x21")}, 0x20);
  EXPECT_FALSE(readings_.has_suspects());
}

TEST_F(HeapReadingsTest, WhatStaysIsDamageAndTheRestIsNot) {
  read({damage(kBlock), damage(kTop)}, 0x10);
  read({damage(kBlock)}, 0x20);
  EXPECT_TRUE(readings_.has_suspects());
  EXPECT_FALSE(readings_.is_settled());
  read({damage(kBlock)}, 0x30);
  read({damage(kBlock)}, 0x40);
  EXPECT_FALSE(readings_.is_settled());
  read({damage(0x6000), damage(kBlock)}, 0x50);
  EXPECT_TRUE(readings_.is_settled());
  EXPECT_FALSE(conclude().may_be_motion);
  EXPECT_THAT(heap().damages, ElementsAre(at(kBlock)));
  EXPECT_EQ(heap().damages_count, 1);
  EXPECT_EQ(inspection_.places_in_motion, 1);
}

TEST_F(HeapReadingsTest, DamageMayBeHiddenByMotionOnce) {
  for (std::uint64_t i = 0; i < 4; ++i) read({damage(kBlock)}, 0x10 + i);
  read({damage(kTop)}, 0x20);
  EXPECT_TRUE(readings_.has_suspects());
  EXPECT_FALSE(readings_.is_settled());
  read({damage(kBlock)}, 0x30);
  EXPECT_TRUE(readings_.is_settled());
  conclude();
  EXPECT_THAT(heap().damages, ElementsAre(at(kBlock)));
}

TEST_F(HeapReadingsTest, ALoopMayLeaveTheSamePlaceAtTheSameInstruction) {
  // Other registers each time: it goes on.
  for (std::uint64_t i = 0; i < HeapReadings::kMost; ++i) {
    model::InspectedThread same = thread(1, 0x10);
    same.registers.push_back(i);
    read({damage(kTop)}, {same});
  }
  EXPECT_FALSE(readings_.is_settled());
  EXPECT_TRUE(conclude().may_be_motion);
  EXPECT_THAT(heap().damages, ElementsAre(at(kTop)));
}

TEST_F(HeapReadingsTest, AnArenaThatNobodyHadLockedWasNotBeingChanged) {
  model::HeapArena& arena = heap().arenas.emplace_back();
  arena.address = Address{0x1000};
  arena.regions = {{Address{0x3000}, Address{0x8000}}};
  arena.is_locked = true;
  for (std::uint64_t i = 0; i < 5; ++i) {
    model::InspectedThread same = thread(1, 0x10);
    same.registers.push_back(i);
    arena.is_locked = i != 2;
    read({damage(kBlock)}, {same, thread(2, 0x20, true)});
    EXPECT_EQ(readings_.is_settled(), i == 4);
  }
}

TEST_F(HeapReadingsTest, AProcessThatStandsStillIsReadOnce) {
  for (int i = 0; i < 5; ++i) read({damage(kTop)}, 0x10);
  EXPECT_EQ(readings_.count(), 1);
  EXPECT_FALSE(readings_.is_settled());
  EXPECT_TRUE(conclude().may_be_motion);
  EXPECT_THAT(heap().damages, ElementsAre(at(kTop)));
}

TEST_F(HeapReadingsTest, OfWhatIsOnlyCountedNothingIsKnown) {
  read({damage(kTop)}, 0x10);
  read({damage(kTop + 16)}, 0x20);
  heap().damages_count = 100;
  EXPECT_EQ(conclude().heap->damages_count, 0);
  EXPECT_EQ(inspection_.places_in_motion, 100);
}

TEST_F(HeapReadingsTest, ACounterThatDiffersOtherwiseEachTime) {
  count(10, 9, 0x10);
  count(12, 10, 0x20);
  EXPECT_FALSE(readings_.is_settled());
  EXPECT_FALSE(readings_.has_suspects());
  conclude();
  EXPECT_TRUE(heap().counters.front().in_motion);
  EXPECT_EQ(inspection_.places_in_motion, 1);
}

TEST_F(HeapReadingsTest, ACounterThatDiffersAlikeEachTime) {
  for (std::uint64_t i = 0; i < HeapReadings::kMost; ++i) {
    count(10 + i, 9 + i, 0x10 + i);
    EXPECT_TRUE(readings_.has_suspects());
    EXPECT_EQ(readings_.is_settled(), i + 1 == HeapReadings::kMost);
  }
  EXPECT_FALSE(conclude().may_be_motion);
  EXPECT_FALSE(heap().counters.front().in_motion);
}

}  // namespace
}  // namespace mini::sources
