#include "wire/ring.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace mini::wire {
namespace {

class Ring : public testing::Test {
 protected:
  RingWriter writer() { return {*head_, words_.data()}; }
  RingReader reader() { return {*head_, words_.data()}; }

  static void put(RingWriter& writer, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) writer.put(i);
    writer.publish();
  }

  std::unique_ptr<RingHead> head_ = std::make_unique<RingHead>();
  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(kRingWords);
};

TEST_F(Ring, HandsWordsOver) {
  RingWriter writer = this->writer();
  RingReader reader = this->reader();
  ASSERT_TRUE(writer.has_room(3));
  put(writer, 3);
  ASSERT_TRUE(reader.look());
  ASSERT_EQ(reader.available_words(), 3U);
  EXPECT_EQ(reader.peek(2), 2U);
}

TEST_F(Ring, WhatIsNotPublishedIsNotThere) {
  RingWriter writer = this->writer();
  RingReader reader = this->reader();
  writer.put(1);
  ASSERT_TRUE(reader.look());
  EXPECT_EQ(reader.available_words(), 0U);
}

TEST_F(Ring, IsFullAndHasRoomAgainAfterRelease) {
  RingWriter writer = this->writer();
  RingReader reader = this->reader();
  ASSERT_TRUE(writer.has_room(kRingWords));
  put(writer, kRingWords);
  EXPECT_FALSE(writer.has_room(1));
  ASSERT_TRUE(reader.look());
  EXPECT_EQ(reader.available_words(), kRingWords);
  reader.skip(10);
  EXPECT_FALSE(writer.has_room(1));  // skipped is not given back
  reader.release();
  EXPECT_TRUE(writer.has_room(10));
  EXPECT_FALSE(writer.has_room(11));
}

TEST_F(Ring, GoesOnWhereItsLastWriterStopped) {
  RingWriter first = writer();
  put(first, 5);
  RingWriter second = writer();
  put(second, 2);
  RingReader reader = this->reader();
  ASSERT_TRUE(reader.look());
  ASSERT_EQ(reader.available_words(), 7U);
  EXPECT_EQ(reader.peek(5), 0U);
  EXPECT_EQ(reader.peek(6), 1U);
}

// The target may write what it likes into the head.
TEST_F(Ring, AHeadThatCannotBeIsNoticed) {
  RingReader reader = this->reader();
  for (const std::uint64_t head : {std::uint64_t{kRingWords} + 1, ~std::uint64_t{0}}) {
    head_->head = head;
    EXPECT_FALSE(reader.look());
    EXPECT_EQ(reader.available_words(), 0U);
  }
}

TEST_F(Ring, EveryWordArrivesOnceAndInOrderAcrossThreads) {
  constexpr std::uint64_t kWords = 40 * std::uint64_t{kRingWords};
  std::thread producer([this] {
    RingWriter writer = this->writer();
    for (std::uint64_t word = 0; word < kWords; ++word) {
      while (!writer.has_room(1)) std::this_thread::yield();
      writer.put(word);
      if (word % 3 == 0 || word + 1 == kWords) writer.publish();
    }
  });
  RingReader reader = this->reader();
  std::uint64_t expected = 0;
  bool in_order = true;
  while (expected < kWords) {
    ASSERT_TRUE(reader.look());
    if (reader.available_words() == 0) std::this_thread::yield();
    for (; reader.available_words() != 0; reader.skip(1)) in_order &= reader.peek(0) == expected++;
    reader.release();
  }
  producer.join();
  EXPECT_TRUE(in_order);
}

TEST(Channel, PartsOfASlotDoNotOverlap) {
  std::vector<std::byte> memory(kRingsOffset);
  const SlotView view{memory.data()};
  const auto offset = [&](const void* part) {
    return static_cast<std::size_t>(static_cast<const std::byte*>(part) - memory.data());
  };
  EXPECT_EQ(offset(&view.slot()), 0U);
  EXPECT_EQ(offset(&view.ring(0)), kRingHeadsOffset);
  EXPECT_LE(offset(&view.ring(kRings - 1)) + sizeof(RingHead), kRingsOffset);
  EXPECT_EQ(offset(view.words(0)), kRingsOffset);
  EXPECT_EQ(offset(view.words(kRings)), kSlotBytes);
  EXPECT_LT(slot_offset(kSlots - 1), kFileBytes);
}

}  // namespace
}  // namespace mini::wire
