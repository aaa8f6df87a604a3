#include "wire/record.h"

#include <gtest/gtest.h>

#include "wire/clock.h"

namespace mini::wire {
namespace {

TEST(Record, AWordSaysKindDetailAndTime) {
  const std::uint64_t time = (std::uint64_t{1} << 56) - 3;
  const std::uint64_t word =
      record_word(RecordKind::kModule, time, static_cast<std::uint8_t>(CallKind::kPool));
  EXPECT_EQ(kind_of(word), RecordKind::kModule);
  EXPECT_EQ(detail_of(word), static_cast<std::uint8_t>(CallKind::kPool));
  EXPECT_EQ(time_of(word, time + 5), time);
}

TEST(Record, ATimeIsNearNowWhenItsBitsComeAgain) {
  constexpr std::uint64_t kAgain = std::uint64_t{1} << 56;
  for (const std::uint64_t now : {kAgain - 100, kAgain, kAgain + 100, 5 * kAgain}) {
    for (const std::uint64_t time : {now - kAgain / 2, now - 200, now, now + 50}) {
      EXPECT_EQ(time_of(record_word(RecordKind::kTime, time), now), time);
    }
  }
}

TEST(Record, AWordKeepsABlocksAddress) {
  for (const std::uint64_t address : {std::uint64_t{0x10}, (std::uint64_t{1} << 56) - 16}) {
    for (const std::uint64_t pool : {std::uint64_t{0}, kPoolAddress}) {
      const std::uint64_t word = block_word(RecordKind::kAllocation, address | pool,
                                            static_cast<std::uint8_t>(CallKind::kPool));
      EXPECT_EQ(kind_of(word), RecordKind::kAllocation);
      EXPECT_EQ(detail_of(word) % kPoolDetail, static_cast<std::uint8_t>(CallKind::kPool));
      EXPECT_EQ(address_of(word), address | pool);
    }
  }
}

TEST(Record, AStackSaysHowItDiffers) {
  const std::uint32_t kept = kMostFrames;
  const std::uint32_t frames = kMostFramesARecord;
  const std::uint64_t word = stack_word(kept, frames, kForgetsStacks | kGoesOn);
  EXPECT_EQ(kind_of(word), RecordKind::kStack);
  EXPECT_EQ(detail_of(word), kForgetsStacks | kGoesOn);
  EXPECT_EQ(kept_of(word), kept);
  EXPECT_EQ(frames_of(word), frames);
}

TEST(Record, WhatIsNoKindHasNoWords) {
  for (unsigned kind = 0; kind < 16; ++kind) {
    const bool is_known = kind >= 1 && kind <= static_cast<unsigned>(RecordKind::kStack);
    EXPECT_EQ(head_words(static_cast<RecordKind>(kind)) != 0, is_known) << kind;
  }
}

TEST(Clock, FitsTheWordAndDoesNotGoBack) {
  std::uint64_t last = now_ticks();
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t now = i % 2 == 0 ? now_ticks() : now_ticks_before_loads();
    EXPECT_GE(now, last);
    EXPECT_EQ(time_of(record_word(RecordKind::kFree, now), last), now);
    last = now;
  }
}

}  // namespace
}  // namespace mini::wire
