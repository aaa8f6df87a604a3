#include "sources/thread_rings.h"

#include <climits>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "kernel/proc_file.h"
#include "slot_test.h"

namespace mini::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wire::RecordKind;

std::uint32_t thread_id() {
  return static_cast<std::uint32_t>(::syscall(SYS_gettid));
}

std::uint64_t own_namespace() {
  struct stat status{};
  EXPECT_EQ(::stat("/proc/self/ns/pid", &status), 0);
  return status.st_ino;
}

class ThreadRingsTest : public SlotTest {
 protected:
  ThreadRings& rings() {
    if (!rings_) rings_.emplace(view_);
    return *rings_;
  }
  /// The addresses, which say which free it is, in the order in which they are read.
  std::vector<std::uint64_t> read(std::uint64_t until) {
    std::vector<std::uint64_t> addresses;
    rings().look([this](std::uint32_t tid) {
      met_.push_back(tid);
      return recording::ThreadNumber{static_cast<std::uint32_t>(met_.size())};
    });
    rings().read_in_order(until, [&](ThreadRing& ring, std::uint64_t next) {
      for (; ring.reader.available_words() != 0; ring.reader.skip(1)) {
        const std::uint64_t word = ring.reader.peek(0);
        if (wire::kind_of(word) == RecordKind::kTime) {
          ring.ticks = wire::time_of(word, next);
          if (ring.ticks <= next) continue;
          ring.reader.skip(1);
          return;
        }
        ring.is_sound = wire::kind_of(word) == RecordKind::kFree;
        if (!ring.is_sound) return;
        addresses.push_back(wire::address_of(word));
      }
    });
    rings().give_back([this](std::uint32_t tid) { ended_.push_back(tid); });
    return addresses;
  }

  std::optional<ThreadRings> rings_;
  std::vector<std::uint32_t> met_;
  std::vector<std::uint32_t> ended_;
};

TEST_F(ThreadRingsTest, AreReadInTheOrderOfTimes) {
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  wire::RingWriter third = ring(2);
  free(first, 10, 1);
  put(first, {wire::block_word(RecordKind::kFree, 2)});  // of the same time
  free(third, 15, 3);
  free(second, 20, 4);
  free(first, 30, 5);
  free(second, 40, 6);
  EXPECT_THAT(read(50), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(met_, ElementsAre(100, 101, 102));
}

TEST_F(ThreadRingsTest, WhatIsLaterWaits) {
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  free(first, 10, 1);
  free(first, 30, 2);
  free(second, 20, 3);
  EXPECT_THAT(read(25), ElementsAre(1, 3));
  free(second, 28, 4);
  EXPECT_THAT(read(40), ElementsAre(4, 2));
}

TEST_F(ThreadRingsTest, SaysWhenItsProcessToldTheFirst) {
  EXPECT_EQ(ThreadRings::first_ticks(view_), std::nullopt);
  wire::RingWriter ring = this->ring(0);
  EXPECT_EQ(ThreadRings::first_ticks(view_), std::nullopt);
  free(ring, 5'000'000, 1);
  free(ring, 7'000'000, 2);
  EXPECT_EQ(ThreadRings::first_ticks(view_), 5'000'000U);
}

TEST_F(ThreadRingsTest, AreReadToTheirEndsBeforeTheyAreGivenToOtherThreads) {
  wire::RingWriter ring = this->ring(0);
  free(ring, 10, 1);
  view_.ring(0).state = wire::RingState::kClosed;
  EXPECT_THAT(read(5), IsEmpty());
  EXPECT_EQ(view_.ring(0).state, wire::RingState::kClosed);
  EXPECT_THAT(ended_, IsEmpty());
  EXPECT_THAT(read(20), ElementsAre(1));
  EXPECT_EQ(view_.ring(0).state, wire::RingState::kFree);
  EXPECT_THAT(ended_, ElementsAre(100));
  ring = this->ring(0);
  view_.ring(0).tid = 200;
  free(ring, 30, 2);
  EXPECT_THAT(read(40), ElementsAre(2));
  EXPECT_THAT(met_, ElementsAre(100, 200));
}

TEST_F(ThreadRingsTest, ThoseOfThreadsThatEndedAreFreeWhereOneIsWanted) {
  std::uint32_t ended = 0;
  std::thread([&] { ended = thread_id(); }).join();
  while (!kernel::has_no_thread(static_cast<pid_t>(ended))) std::this_thread::yield();
  view_.slot().pid_namespace = own_namespace();
  wire::RingWriter first = ring(0);
  view_.ring(0).tid = thread_id();
  wire::RingWriter second = ring(1);
  view_.ring(1).tid = ended;
  ring(2);
  view_.ring(2).tid = 0;  // taken, and no more said
  free(first, 10, 1);
  free(second, 11, 2);
  EXPECT_THAT(read(20), ElementsAre(1, 2));
  EXPECT_EQ(view_.ring(1).state, wire::RingState::kOwned);
  view_.slot().rings_wanted = 1;
  EXPECT_THAT(read(20), IsEmpty());
  EXPECT_EQ(view_.slot().rings_wanted, 0U);
  EXPECT_EQ(view_.ring(0).state, wire::RingState::kOwned);
  EXPECT_EQ(view_.ring(1).state, wire::RingState::kFree);
  EXPECT_EQ(view_.ring(2).state, wire::RingState::kOwned);
}

// Numbers of another namespace are those of others here.
TEST_F(ThreadRingsTest, InAnotherNamespaceNoThreadIsTakenToHaveEnded) {
  view_.slot().pid_namespace = own_namespace() + 1;
  ring(0);
  view_.ring(0).tid = INT_MAX;
  view_.slot().rings_wanted = 1;
  read(20);
  EXPECT_EQ(view_.slot().rings_wanted, 0U);
  EXPECT_EQ(view_.ring(0).state, wire::RingState::kOwned);
}

TEST_F(ThreadRingsTest, OneThatIsNotSoundIsReadNoMore) {
  wire::RingWriter sound = ring(0);
  wire::RingWriter hostile = ring(1);
  wire::RingWriter far_ahead = ring(2);
  free(sound, 10, 1);
  put(hostile, {wire::record_word(static_cast<RecordKind>(15))});
  free(hostile, 11, 2);
  view_.ring(2).head = ~std::uint64_t{0};
  EXPECT_THAT(read(20), ElementsAre(1));
  free(sound, 21, 3);
  free(hostile, 22, 4);
  free(far_ahead, 23, 5);
  EXPECT_THAT(read(30), ElementsAre(3));
}

TEST_F(ThreadRingsTest, NothingIsSeenAfterTheirEnd) {
  wire::RingWriter ring = this->ring(0);
  free(ring, 10, 1);
  free(ring, 30, 2);
  EXPECT_THAT(read(20), ElementsAre(1));
  rings().end();
  free(ring, 40, 3);
  EXPECT_THAT(read(50), ElementsAre(2));
  EXPECT_THAT(read(60), IsEmpty());
  EXPECT_EQ(view_.ring(0).tail, 4U);  // for what was seen before there is room
}

TEST_F(ThreadRingsTest, WhatIsPassedOverIsNotRead) {
  wire::RingWriter ring = this->ring(0);
  free(ring, 10, 1);
  free(ring, 30, 2);
  EXPECT_THAT(read(20), ElementsAre(1));
  rings().skip_all();
  free(ring, 40, 3);
  EXPECT_THAT(read(50), ElementsAre(3));
}

}  // namespace
}  // namespace mini::sources
