// A slot as an agent fills it in, and as an adversary does.
#include "sources/recorded_process.h"

#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "kernel/proc_file.h"
#include "recording/reader.h"
#include "slot_test.h"
#include "support/temporary_folder.h"
#include "unwind/module_cache.h"
#include "wire/record.h"

namespace mini::sources {
namespace {

using testing::ElementsAre;
using testing::Field;

struct Contents : recording::Visitor {
  void module(recording::ModuleNumber, const recording::ModuleFacts& facts) override {
    modules.push_back(facts);
  }
  void thread(recording::ThreadNumber, const recording::ThreadFacts& facts) override {
    threads.push_back(facts.tid);
  }
  void frame(recording::FrameNumber number, const recording::FrameFacts& facts) override {
    frames[number] = facts;
  }
  void stack(recording::StackNumber number, const recording::StackFacts& facts) override {
    stacks[number] = facts;
  }
  void allocation(const recording::Allocation& allocation) override {
    allocations.push_back(allocation);
    order += 'a';
  }
  void free(const recording::Free& free) override {
    frees.push_back(free.address.value);
    order += 'f';
  }
  void sample(const recording::KernelSample& sample) override {
    samples.push_back(sample);
    order += 's';
  }
  std::vector<std::uint64_t> addresses_of(recording::StackNumber stack) {
    std::vector<std::uint64_t> addresses;
    for (; stack != 0; stack = stacks[stack].caller) {
      addresses.push_back(frames[stacks[stack].frame].address);
    }
    return addresses;
  }

  std::vector<recording::ModuleFacts> modules;
  std::vector<std::uint64_t> threads;
  std::map<recording::FrameNumber, recording::FrameFacts> frames;
  std::map<recording::StackNumber, recording::StackFacts> stacks;
  std::vector<recording::Allocation> allocations;
  std::vector<std::uint64_t> frees;
  std::vector<recording::KernelSample> samples;
  std::string order;
};

class RecordedProcessTest : public SlotTest {
 protected:
  RecordedProcessTest() {
    wire::Slot& slot = view_.slot();
    slot.pid = static_cast<std::uint32_t>(::getpid());
  }

  static void tell_stack(wire::RingWriter& ring, std::uint32_t kept,
                         std::initializer_list<std::uint64_t> pcs, std::uint8_t detail = 0) {
    ring.put(wire::stack_word(kept, static_cast<std::uint32_t>(pcs.size()), detail));
    put(ring, pcs);
  }
  static void allocate(wire::RingWriter& ring, std::uint64_t time, std::uint64_t address,
                       std::uint64_t bytes, std::uint64_t stack = 0) {
    put(ring, {wire::record_word(wire::RecordKind::kTime, time),
               wire::block_word(wire::RecordKind::kAllocation, address),
               bytes << wire::kStackBits | stack});
  }

  RecordedProcess& process() {
    if (process_ == nullptr) {
      process_ = std::make_unique<RecordedProcess>(
          *file_->map(0, wire::kSlotBytes), ::getpid(), path_, Bytes{},
          unwind::make_module_cache({.source_lines = false}), false, ProcessIdentity{}, begin_);
    }
    return *process_;
  }
  Contents finish() {
    result_ = process().finish({.kind = recording::Ending::Kind::kExited}, clock_);
    EXPECT_FALSE(result_.error);
    Contents contents;
    const auto summary = recording::read_recording(path_, contents);
    EXPECT_TRUE(summary);
    if (summary) {
      EXPECT_FALSE(summary->damage.any() || summary->damage.is_cut);
    }
    return contents;
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "process.heapspy";
  TickClock clock_{0, 0};
  RecordingBegin begin_;
  std::unique_ptr<RecordedProcess> process_;
  RecordedResult result_;
};

TEST_F(RecordedProcessTest, EventsOfThreadsComeInTheOrderOfTheirTimes) {
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  allocate(first, 10, 0x1000, 16);
  free(second, 20, 0x1000);
  allocate(first, 30, 0x1000, 32);
  free(second, 40, 0x1000);
  const Contents contents = finish();
  EXPECT_EQ(contents.order, "afaf");
  EXPECT_THAT(contents.threads, testing::UnorderedElementsAre(100U, 101U));
  EXPECT_EQ(result_.events, 4U);
}

TEST_F(RecordedProcessTest, AThreadDoesNotWaitForOneThatCannotBeWritten) {
  path_ = folder_ / std::string(300, 'n');
  wire::RingWriter main = ring(0);
  while (main.has_room(3)) allocate(main, 10, 0x1000, 16);
  process().drain(20, clock_);
  EXPECT_TRUE(main.has_room(wire::kRingWords));
  const auto result = process().finish({.kind = recording::Ending::Kind::kExited}, clock_);
  EXPECT_EQ(result.error->error_number, ENAMETOOLONG);
}

// As on a machine that has run for 278 days.
TEST_F(RecordedProcessTest, TimesGoOnWhenTheirBitsComeAgain) {
  constexpr std::uint64_t kAgain = std::uint64_t{1} << 56;
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  allocate(first, kAgain - 10, 0x1000, 16);
  free(second, kAgain + 10, 0x1000);
  allocate(first, kAgain + 20, 0x1000, 32);
  free(second, kAgain + 40, 0x1000);
  process().drain(kAgain - 5, clock_);
  EXPECT_EQ(view_.ring(0).tail, 4U);  // its first, and the time of what is next
  EXPECT_EQ(view_.ring(1).tail, 1U);
  process().drain(kAgain + 50, clock_);
  const Contents contents = finish();
  EXPECT_EQ(contents.order, "afaf");
  EXPECT_EQ(result_.events, 4U);
}

TEST_F(RecordedProcessTest, ItsTimesCountFromItsBegin) {
  wire::RingWriter main = ring(0);
  allocate(main, 5'000'000, 0x1000, 16);
  allocate(main, 7'000'000, 0x2000, 16);
  allocate(main, 9'000'000, 0x3000, 16);
  begin_ = {.ns = 6'000'000, .unix_ns = 77};
  const Contents contents = finish();
  EXPECT_THAT(contents.allocations,
              ElementsAre(Field(&recording::Allocation::time_ns, 0U),
                          Field(&recording::Allocation::time_ns, 1'000'000U),
                          Field(&recording::Allocation::time_ns, 3'000'000U)));
}

// What is later than the moment at which the rings were looked at may follow from what was not
// seen.
TEST_F(RecordedProcessTest, WhatIsLaterThanTheDrainWaits) {
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  allocate(first, 10, 0x1000, 16);
  free(first, 50, 0x2000);
  process().drain(20, clock_);
  allocate(second, 30, 0x2000, 16);
  EXPECT_EQ(finish().order, "aaf");
}

TEST_F(RecordedProcessTest, ASampleWaitsForWhatWasToldBeforeIt) {
  wire::RingWriter main = ring(0);
  allocate(main, 1'000'000, 0x1000, 16);
  process().drain(2'000'000, clock_);
  allocate(main, 3'000'000, 0x2000, 16);
  process().sample(4'000'000);
  allocate(main, 5'000'000, 0x3000, 16);
  process().drain(5'500'000, clock_);
  process().sample(6'000'000);
  process().sample(7'000'000);
  const Contents contents = finish();
  EXPECT_EQ(contents.order, "aasass");
  EXPECT_THAT(contents.allocations,
              ElementsAre(Field(&recording::Allocation::time_ns, 1'000'000U),
                          Field(&recording::Allocation::time_ns, 3'000'000U),
                          Field(&recording::Allocation::time_ns, 5'000'000U)));
  EXPECT_THAT(contents.samples, ElementsAre(Field(&recording::KernelSample::time_ns, 4'000'000U),
                                            Field(&recording::KernelSample::time_ns, 6'000'000U),
                                            Field(&recording::KernelSample::time_ns, 7'000'000U)));
}

TEST_F(RecordedProcessTest, ATimeStandsUntilTheNext) {
  wire::RingWriter first = ring(0);
  wire::RingWriter second = ring(1);
  allocate(first, 10, 0x1000, 16);
  put(first, {wire::block_word(wire::RecordKind::kFree, 0x1000)});
  put(first, {wire::block_word(wire::RecordKind::kAllocation, 0x1000),
              std::uint64_t{24} << wire::kStackBits});
  free(second, 20, 0x1000);
  put(second, {wire::record_word(wire::RecordKind::kTime, 25)});
  process().drain(30, clock_);
  put(second, {wire::block_word(wire::RecordKind::kAllocation, 0x2000), 0});
  allocate(first, 22, 0x3000, 16);
  const Contents contents = finish();
  EXPECT_EQ(contents.order, "afafaa");
  EXPECT_EQ(contents.allocations.at(1).requested_bytes, 24U);
  EXPECT_EQ(contents.allocations.at(2).address.value, 0x3000U);
}

TEST_F(RecordedProcessTest, APoolsBlockIsMarkedInItsAddress) {
  wire::RingWriter ring = this->ring(0);
  allocate(ring, 1, wire::kPoolAddress | 0x1000, 16);
  free(ring, 2, wire::kPoolAddress | 0x1000);
  const Contents contents = finish();
  EXPECT_EQ(contents.allocations.at(0).address.value, wire::kPoolAddress | 0x1000);
}

TEST_F(RecordedProcessTest, LargeBlocksKeepTheirSize) {
  wire::RingWriter ring = this->ring(0);
  const std::uint64_t bytes = wire::kLargeBytes + 5;
  put(ring, {wire::block_word(wire::RecordKind::kLargeAllocation, 0x1000), 0, bytes});
  EXPECT_EQ(finish().allocations.at(0).requested_bytes, bytes);
}

TEST_F(RecordedProcessTest, StacksAreResolvedByTheModulesOfTheirTime) {
  wire::RingWriter ring = this->ring(0);
  const std::string path = "/no/such/library.so";
  std::array<std::uint64_t, 3> text{};
  std::copy(path.begin(), path.end(), reinterpret_cast<char*>(text.data()));
  const auto load = [&](std::uint64_t time, std::uint64_t bias) {
    put(ring, {wire::record_word(wire::RecordKind::kTime, time),
               wire::record_word(wire::RecordKind::kModule), bias, 0x10000, 0x20000, path.size(),
               text[0], text[1], text[2]});
  };
  load(1, 0x10000);
  tell_stack(ring, 0, {0x10100, 0x10200}, wire::kForgetsStacks);
  allocate(ring, 2, 0x1000, 16, 1);
  put(ring, {wire::record_word(wire::RecordKind::kTime, 3),
             wire::record_word(wire::RecordKind::kModuleGone), 0x10000});
  load(4, 0x8000);
  tell_stack(ring, 0, {0x10200}, wire::kForgetsStacks);
  allocate(ring, 5, 0x2000, 16, 1);
  tell_stack(ring, 0, {0x99999});
  allocate(ring, 6, 0x3000, 16, 2);
  Contents contents = finish();
  ASSERT_EQ(contents.modules.size(), 2U);
  EXPECT_EQ(contents.modules[0].path, path);
  EXPECT_THAT(contents.addresses_of(contents.allocations.at(0).stack), ElementsAre(0x200, 0x100));
  EXPECT_THAT(contents.addresses_of(contents.allocations.at(1).stack), ElementsAre(0x8200));
  EXPECT_THAT(contents.addresses_of(contents.allocations.at(2).stack), ElementsAre(0x99999));
}

TEST_F(RecordedProcessTest, AStackIsToldByWhatDiffers) {
  wire::RingWriter ring = this->ring(0);
  wire::RingWriter other = this->ring(1);
  tell_stack(ring, 0, {0x11, 0x12, 0x13}, wire::kForgetsStacks);
  tell_stack(ring, 2, {0x24});
  tell_stack(ring, 1, {});  // the outer part of both
  tell_stack(ring, 1, {0x32}, wire::kGoesOn);
  tell_stack(ring, 2, {0x33});
  for (std::uint64_t stack = 1; stack <= 5; ++stack) {
    allocate(ring, stack, stack << 12, 16, stack);
  }
  tell_stack(other, 0, {0x99}, wire::kForgetsStacks);  // its numbers are its own
  allocate(other, 6, 0x6000, 16, 1);
  Contents contents = finish();
  ASSERT_EQ(contents.allocations.size(), 6U);
  const auto stack = [&](std::size_t number) {
    return contents.addresses_of(contents.allocations[number - 1].stack);
  };
  EXPECT_THAT(stack(1), ElementsAre(0x13, 0x12, 0x11));
  EXPECT_THAT(stack(2), ElementsAre(0x24, 0x12, 0x11));
  EXPECT_THAT(stack(3), ElementsAre(0x11));
  EXPECT_THAT(stack(4), ElementsAre(0x33, 0x32, 0x11));
  EXPECT_THAT(stack(5), ElementsAre());
  EXPECT_THAT(stack(6), ElementsAre(0x99));
}

TEST_F(RecordedProcessTest, LossesAreSummed) {
  ring(0);
  ring(1);
  view_.ring(0).dropped_events = 2;
  view_.ring(1).dropped_events = 3;
  view_.ring(1).truncated_stacks = 7;
  view_.slot().lost_events = 10;
  view_.slot().silent_threads = 100;
  finish();
  EXPECT_EQ(result_.losses.dropped_events, 115U);
  EXPECT_EQ(result_.silent_threads, 100U);
  EXPECT_EQ(result_.losses.truncated_stacks, 7U);
}

TEST_F(RecordedProcessTest, AHostileRingSpoilsItselfAlone) {
  wire::RingWriter sound = ring(0);
  wire::RingWriter hostile = ring(1);
  allocate(sound, 1, 0x1000, 16);
  put(hostile, {wire::record_word(static_cast<wire::RecordKind>(15)), 0, 0, 0});
  process().drain(10, clock_);
  view_.ring(1).head = ~std::uint64_t{0};
  allocate(sound, 20, 0x2000, 16);
  EXPECT_EQ(finish().allocations.size(), 2U);
}

TEST_F(RecordedProcessTest, HostileNumbersReachNothingOutsideTheSlot) {
  wire::RingWriter ring = this->ring(0);
  view_.slot().rings_taken = ~0U;
  view_.slot().executable_bytes = ~0U;
  view_.slot().command_bytes = ~0U;
  tell_stack(ring, 0, {0x1});
  allocate(ring, 1, 0x1000, 16, 1);
  allocate(ring, 2, 0x2000, 16, 2);
  allocate(ring, 3, ~std::uint64_t{0}, (std::uint64_t{1} << 40) - 1, 0xffffff);
  Contents contents = finish();
  ASSERT_EQ(contents.allocations.size(), 3U);
  EXPECT_THAT(contents.addresses_of(contents.allocations[0].stack), ElementsAre(0x1));
  EXPECT_EQ(contents.allocations[1].stack, 0U);
  EXPECT_EQ(contents.allocations[2].stack, 0U);
}

TEST_F(RecordedProcessTest, AStackThatCannotBeEndsItsRing) {
  wire::RingWriter keeps_more = ring(0);
  wire::RingWriter has_more = ring(1);
  wire::RingWriter is_cut = ring(2);
  tell_stack(keeps_more, 0, {0x1}, wire::kForgetsStacks);
  tell_stack(keeps_more, 2, {0x2});
  allocate(keeps_more, 1, 0x1000, 16, 1);
  for (std::uint32_t kept = 0; kept <= wire::kMostFrames; ++kept) {
    tell_stack(has_more, kept, {0x1}, wire::kGoesOn);
    if (kept % 1024 == 0) process().drain(0, clock_);
  }
  allocate(has_more, 2, 0x2000, 16, 1);
  put(is_cut, {wire::stack_word(0, wire::kMostFrames, 0), 0x1});
  EXPECT_TRUE(finish().allocations.empty());
}

TEST_F(RecordedProcessTest, AModuleWithAHostileLengthEndsItsRing) {
  wire::RingWriter ring = this->ring(0);
  put(ring, {wire::record_word(wire::RecordKind::kModule), 0, 0, 0, 0xffff'ffff});
  allocate(ring, 2, 0x1000, 16);
  const Contents contents = finish();
  EXPECT_TRUE(contents.modules.empty());
  EXPECT_TRUE(contents.allocations.empty());
}

TEST_F(RecordedProcessTest, AFileThatCannotBeWrittenIsSaid) {
  path_ = "/nonexistent/folder/x.heapspy";
  wire::RingWriter ring = this->ring(0);
  allocate(ring, 1, 0x1000, 16);
  process().drain(10, clock_);
  const RecordedResult result = process().finish({}, clock_);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.path, path_);
  EXPECT_THAT(result.error->message, testing::HasSubstr("No such file or directory"));
}

TEST(TickClockTest, LearnsWhatATickIs) {
  TickClock clock(1000, 50);
  clock.measure(3000, 1050);
  EXPECT_EQ(clock.ns(3000), 1000U);
  EXPECT_EQ(clock.ns(2000), 500U);
  EXPECT_EQ(clock.ns(10), 0U);
  clock.measure(500, 2000);  // clocks that went back teach nothing
  EXPECT_EQ(clock.ns(3000), 1000U);
}

}  // namespace
}  // namespace mini::sources
