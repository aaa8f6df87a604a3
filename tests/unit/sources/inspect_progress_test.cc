// What is told of a large heap's reading: lists first, then chunks up to all of them, then the
// search.
#include "sources/inspect_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mini::sources {
namespace {

struct Told {
  std::string step;
  std::uint64_t done = 0;
  std::uint64_t all = 0;
};

class InspectProgressTest : public testing::Test {
 protected:
  InspectProgressTest() {
    meter_.tell_to([this](std::string_view step, std::uint64_t done, std::uint64_t all) {
      told_.push_back({std::string(step), done, all});
    });
  }
  /// So many pieces of 32 bytes.
  void walk(std::uint32_t arena, model::PieceUse use, int count) {
    meter_.begin_region({.range = {{0x1000}, {0x2000}}, .arena = arena});
    for (int i = 0; i < count; ++i) {
      meter_.piece({.range = {{0x1000}, {0x1020}}, .use = use, .arena = arena});
    }
    meter_.end_region();
  }

  ProgressMeter meter_;
  std::vector<Told> told_;
};

TEST_F(InspectProgressTest, ListsHaveNoEndThatIsKnown) {
  meter_.begin(ProgressMeter::Step::kLists, kMiB, true);
  for (int i = 0; i < 100'000; ++i) meter_.read(16);
  ASSERT_GT(told_.size(), 2U);
  for (const Told& told : told_) {
    EXPECT_EQ(told.step, "the process waits: reading the lists of free chunks");
    EXPECT_EQ(told.all, 0U);
  }
}

TEST_F(InspectProgressTest, ChunksAreCountedUpToTheEndOfTheArenas) {
  constexpr int kPieces = 100'000;
  meter_.begin(ProgressMeter::Step::kLists, Bytes{kPieces * 32}, false);
  walk(0, model::PieceUse::kLive, kPieces);
  ASSERT_GT(told_.size(), 4U);
  std::uint64_t before = 0;
  for (const Told& told : std::span(told_).subspan(1)) {
    EXPECT_EQ(told.step, "reading the heap");
    EXPECT_EQ(told.all, kPieces * 32U);
    EXPECT_GE(told.done, before);
    before = told.done;
  }
  EXPECT_GT(before, kPieces * 32U * 9 / 10);
  EXPECT_LE(before, kPieces * 32U);
}

TEST_F(InspectProgressTest, WhatIsNotReadDoesNotCount) {
  meter_.begin(ProgressMeter::Step::kLists, kMiB, false);
  walk(model::kNoArena, model::PieceUse::kLive, 10'000);
  walk(0, model::PieceUse::kTop, 10'000);
  for (const Told& told : told_) EXPECT_EQ(told.done, 0U);
}

TEST_F(InspectProgressTest, ReadsOfTheSearchCountThroughTheMemory) {
  class Zeros final : public MemoryReader {
   public:
    std::size_t read(Address, std::span<std::byte> out) const override {
      std::ranges::fill(out, std::byte{0});
      return out.size();
    }
  };
  const Zeros zeros;
  const MeteredMemory memory(zeros, meter_);
  meter_.begin(ProgressMeter::Step::kSearch, kMiB, true);
  for (int i = 0; i < 10'000; ++i) memory.read_object<std::uint64_t>({0});
  EXPECT_GT(told_.back().done, 0U);
  EXPECT_EQ(told_.back().all, kMiB.count);
  for (int i = 0; i < 1'000'000; ++i) memory.read_object<std::uint64_t>({0});
  EXPECT_EQ(told_.back().done, kMiB.count) << "never more than all";
}

TEST(InspectProgressMeter, NobodyIsToldWhereNobodyWantsToKnow) {
  ProgressMeter meter;
  EXPECT_FALSE(meter.is_wanted());
  EXPECT_EQ(meter.or_null(), nullptr);
  meter.begin(ProgressMeter::Step::kChunks, kMiB, true);
}

}  // namespace
}  // namespace mini::sources
