// The ledger's equations (model/ledger.h), on chosen and on random stories.
#include <array>
#include <cerrno>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

#include "story.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::Ledger;
using model::LedgerRow;
using model::Role;

const LedgerRow& row(const Ledger& ledger, Cause cause) {
  return ledger.by_cause.at(static_cast<std::size_t>(cause));
}

void expect_equations(const model::Process& process) {
  const Ledger& ledger = process.ledger;
  Bytes gained = ledger.mapped_at_exec;
  Bytes returned;
  Bytes phase_gained;
  Bytes phase_returned;
  gained += ledger.without_call.gained;
  returned += ledger.without_call.returned;
  for (const LedgerRow& one : ledger.by_cause) {
    gained += one.gained;
    returned += one.returned;
  }
  for (const model::PhaseRow& one : ledger.by_phase) {
    phase_gained += one.gained;
    phase_returned += one.returned;
  }
  EXPECT_EQ(gained - returned, ledger.mapped_now) << "L1";
  EXPECT_EQ(ledger.mapped_now, process.space->mapped_bytes()) << "L2";
  EXPECT_EQ(phase_gained + ledger.mapped_at_exec, gained);
  EXPECT_EQ(phase_returned, returned);
  EXPECT_GE(ledger.peak_mapped, ledger.mapped_now);
}

void expect_settled(const model::Process& process) {
  Bytes by_role;
  for (const auto& [role, bytes] : process.ledger.mapped_by_role) by_role += bytes;
  EXPECT_EQ(by_role, process.space->mapped_bytes());
  const auto& by_cause = process.ledger.mapped_by_cause;
  EXPECT_EQ(std::accumulate(by_cause.begin(), by_cause.end(), Bytes{}),
            process.space->mapped_bytes());
}

TEST(LedgerTest, CountsCallsByCauseAndName) {
  Story story;
  story.exec();
  story.brk(0x5000'0000, kLoaderMaps);
  story.brk(0x5002'1000, kMallocGrowth);
  story.brk(0x5002'13e8, kOwnSbrk);
  story.mmap(range_of(0x1000, 0x3000), kOwnMmap);
  story.munmap(range_of(0x1000, 0x1000), kOwnMmap);
  story.failed("mmap", ENOMEM, kOwnMmap);
  const Ledger& ledger = story.process.ledger;
  EXPECT_EQ(ledger.events_count, 7u);
  EXPECT_EQ(ledger.calls_by_syscall.at("brk"), 3u);
  EXPECT_EQ(ledger.calls_by_syscall.at("mmap"), 2u);
  EXPECT_EQ(row(ledger, Cause::kMalloc).break_moves_count, 1u);
  EXPECT_EQ(row(ledger, Cause::kMalloc).break_moved_bytes, 0x21000);
  EXPECT_EQ(row(ledger, Cause::kProgram).break_moves_count, 1u);
  EXPECT_EQ(row(ledger, Cause::kProgram).break_moved_bytes, 1000);
  EXPECT_EQ(row(ledger, Cause::kProgram).failed_count, 1u);
  EXPECT_EQ(row(ledger, Cause::kProgram).gained, Bytes{0x4000});
  EXPECT_EQ(row(ledger, Cause::kProgram).returned, Bytes{0x1000});
  EXPECT_EQ(row(ledger, Cause::kLoader).break_moves_count, 0u);
  EXPECT_EQ(ledger.heap_now, Bytes{0x213e8});
  EXPECT_EQ(ledger.peak_mapped, Bytes{0x25000});
  expect_equations(story.process);
}

TEST(LedgerTest, ARefusedBreakIsAFailure) {
  Story story;
  story.brk(0x5000'0000, kLoaderMaps);
  model::Event refused;
  refused.syscall = "brk";
  refused.arguments = {{.name = "addr", .form = {}, .value = 0x1000, .text = {}}};
  refused.break_before = refused.break_after = Address{0x5000'0000};
  story.tell(refused, kOwnSbrk, {});
  EXPECT_EQ(row(story.process.ledger, Cause::kProgram).failed_count, 1u);
  EXPECT_EQ(row(story.process.ledger, Cause::kLoader).failed_count, 0u);
}

TEST(LedgerTest, MissingAndShortStacksAreCounted) {
  Story story;
  story.mmap(range_of(0x1000, 0x1000), "");
  model::Event event;
  event.syscall = "madvise";
  event.stack = stack_of("mmap@c ?@-", unwind::StackEnd::kNoUnwindInfo);
  story.tell(event, "", story.process.space->mapped_bytes());
  EXPECT_EQ(story.process.ledger.unknown_stacks_count, 1u);
  EXPECT_EQ(story.process.ledger.truncated_stacks_count, 1u);
}

TEST(LedgerTest, AChangeWithoutACallIsNobodys) {
  Story story;
  story.exec();
  model::Mapping mapping;
  mapping.range = range_of(0x8000, 0x5000);
  story.process.space->map(mapping);
  story.mmap(range_of(0x1000, 0x1000), kOwnMmap);
  EXPECT_EQ(story.process.ledger.without_call.gained, Bytes{0x5000});
  EXPECT_EQ(row(story.process.ledger, Cause::kUnknown).gained, Bytes{});
  expect_equations(story.process);
  story.process.space->unmap(range_of(0x8000, 0x1000));
  settle(story.process);
  EXPECT_EQ(story.process.ledger.without_call.returned, Bytes{0x1000});
  expect_equations(story.process);
  expect_settled(story.process);
}

TEST(LedgerTest, ExecAndForkOpenANewLedger) {
  Story story;
  story.mmap(range_of(0x1000, 0x4000), kOwnMmap);
  story.of_kind(model::EventKind::kProcessStart, "fork");
  EXPECT_EQ(story.process.ledger.mapped_at_exec, Bytes{0x4000});
  EXPECT_EQ(story.process.ledger.events_count, 1u);
  EXPECT_EQ(story.process.space->find(Address{0x1000})->role, Role::kAnonymous)
      << "a child keeps its parent's labels";
  expect_equations(story.process);
}

TEST(LedgerTest, RandomStoriesReconcileAtEveryStep) {
  constexpr std::array<std::string_view, 6> kStacks = {
      kOwnMmap, kLoaderMaps, kMallocGrowth, "mmap@c ?@j malloc@j main@p", "", kFree};
  std::mt19937_64 random(11);
  const auto pick = [&](std::uint64_t bound) { return random() % bound; };
  for (int round = 0; round < 40; ++round) {
    Story story;
    story.exec();
    story.brk(0x5000'0000, kLoaderMaps);
    for (int i = 0; i < 100; ++i) {
      const AddressRange range = range_of(0x10000 + pick(64) * 0x1000, (1 + pick(8)) * 0x1000);
      const std::string_view stack = kStacks.at(pick(kStacks.size()));
      switch (pick(6)) {
        case 0:
        case 1:
          story.mmap(range, stack, pick(3) == 0 ? "/lib/x.so" : "", pick(4));
          break;
        case 2:
          story.munmap(range, stack);
          break;
        case 3:
          story.mprotect(range, pick(4), stack);
          break;
        case 4:
          story.brk(0x5000'0000 + pick(0x40000), stack);
          break;
        default:
          story.madvise(range, stack);
          break;
      }
      expect_equations(story.process);
      ASSERT_FALSE(HasFailure()) << "round " << round << " step " << i;
    }
    settle(story.process);
    expect_settled(story.process);
  }
}

}  // namespace
}  // namespace mini::explain
