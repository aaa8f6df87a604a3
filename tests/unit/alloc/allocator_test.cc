// The whole allocator against a reference (tests/support/allocator_model.h): random programs, every
// call of the kernel refused in turn, no memory from any moment on.
//
// MINIMALLOC_TEST_SECONDS=N runs N seconds' worth of further seeds.
#include "alloc/allocator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include "alloc_test.h"
#include "support/allocator_model.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::Action;
using test::AllocatorModel;
using test::Operation;
using test::Random;
using test::VmCall;

struct Weight {
  Action action;
  std::uint32_t parts;
};
constexpr Weight kWeights[] = {
    {Action::kAllocate, 400},
    {Action::kAllocateZeroed, 80},
    {Action::kAllocateAligned, 60},
    {Action::kAllocateInHeap, 80},
    {Action::kResize, 130},
    {Action::kFree, 340},
    {Action::kFreeSized, 120},
    {Action::kFreeMany, 4},
    {Action::kCreateHeap, 6},
    {Action::kDestroyHeap, 4},
    {Action::kTrim, 2},
    {Action::kNextThread, 40},
    {Action::kEndThread, 4},
    {Action::kChooseOption, 4},
    {Action::kPassTime, 20},
    {Action::kCheck, 2},
};

Action random_action(Random& random) {
  std::uint32_t all = 0;
  for (const Weight& weight : kWeights) all += weight.parts;
  std::uint32_t n = random.below(all);
  for (const Weight& weight : kWeights) {
    if (n < weight.parts) return weight.action;
    n -= weight.parts;
  }
  return Action::kCheck;
}

// Small blocks mostly, as in programs; `most` now and then.
Operation random_operation(Random& random, std::size_t most) {
  Operation operation{.action = random_action(random),
                      .which = random.below(~std::uint32_t{0}),
                      .bytes = random.size_up_to(random.one_in(12) ? most : 1500),
                      .log2_alignment = random.below(random.one_in(8) ? 24 : 10)};
  if (operation.action == Action::kPassTime) operation.bytes = random.below(1'000'000'000);
  return operation;
}

void run(AllocatorModel& model, Random& random, int steps, std::size_t most = 3U << 20) {
  for (int i = 0; i < steps; ++i) model.apply(random_operation(random, most));
}

void run_seed(std::uint64_t seed) {
  SCOPED_TRACE(seed);
  Random random(seed);
  AllocatorModel model(seed % 2 == 0);
  test::fake_vm().set_huge_pages(seed % 3 == 0 ? kernel::vm::HugePages::kAlways
                                               : kernel::vm::HugePages::kOnAdvice);
  run(model, random, 4000);
  EXPECT_GT(model.block_count(), 0U);
  model.finish();
}

TEST(Allocator, DoesAsTheReferenceDoes) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) run_seed(seed);
}

TEST(Allocator, DoesAsTheReferenceDoesForAsLongAsAskedFor) {
  const char* const seconds = std::getenv("MINIMALLOC_TEST_SECONDS");
  if (seconds == nullptr) GTEST_SKIP() << "MINIMALLOC_TEST_SECONDS is not set";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(seconds));
  for (std::uint64_t seed = 1000; std::chrono::steady_clock::now() < end; ++seed) {
    run_seed(seed);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Allocator, DoesAsTheReferenceDoesWithBlocksOfMegabytes) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    AllocatorModel model(false);
    run(model, random, 500, std::size_t{24} << 20);
    model.finish();
  }
}

TEST(Allocator, ThreadsThatComeAndGoLeaveNothing) {
  AllocatorModel model(false);
  Random random(1);
  std::size_t records_bytes = 0;
  for (int thread = 0; thread < 300; ++thread) {
    for (int i = 0; i < 40; ++i) {
      model.apply({.action = Action::kAllocate, .bytes = random.size_up_to(3000)});
    }
    for (int i = 0; i < 3; ++i) model.apply({.action = Action::kFreeMany});
    model.apply({.action = Action::kEndThread});
    const std::size_t used = model.allocator().backing().records.used_bytes();
    if (thread == 50) records_bytes = used;
    if (thread > 50) {
      ASSERT_LE(used, records_bytes + (std::size_t{16} << 10)) << "thread " << thread;
    }
  }
  model.finish();
}

// ── What the kernel refuses ──────────────────────────────────────────────────────────────────────

// Few operations that make many calls of the kernel, of all kinds.
void run_with_many_calls(AllocatorModel& model) {
  model.apply({.action = Action::kAllocate, .bytes = 9U << 20});
  model.apply({.action = Action::kAllocate, .bytes = 100'000});  // in the way of the first
  for (std::uint32_t i = 0; i < 4; ++i) {
    model.apply({.action = Action::kResize, .which = i, .bytes = 10U << 20});
  }
  Random random(7);
  for (int round = 0; round < 4; ++round) {
    // Nothing that is free is kept.
    model.apply({.action = Action::kChooseOption, .which = 0, .bytes = 1});
    run(model, random, 60, 4U << 20);
    model.apply({.action = Action::kFreeMany, .which = random.below(4)});
    model.apply({.action = Action::kPassTime, .bytes = 2'000'000'000});
    model.apply({.action = Action::kTrim});
  }
}

// Afterwards all is as if nothing had failed.
void expect_recovered(AllocatorModel& model) {
  test::fake_vm().fail_never();
  test::fake_vm().limit_mapped(SIZE_MAX);
  model.allow_failure(false);
  Random random(11);
  run(model, random, 40, 2U << 20);
  model.finish();
}

TEST(AllocatorUnderFailure, EachCallInTurnIsRefused) {
  std::uint64_t calls = 0;
  std::set<VmCall> kinds;
  {
    AllocatorModel model(false);
    test::fake_vm().fail_where([&](VmCall call, std::uint64_t, std::uint64_t n) {
      kinds.insert(call);
      calls = n;
      return false;
    });
    run_with_many_calls(model);
    test::fake_vm().fail_never();
  }
  ASSERT_GE(calls, 40U);
  EXPECT_GE(kinds.size(), 6U);
  for (std::uint64_t refused = 1; refused <= calls; ++refused) {
    SCOPED_TRACE(refused);
    AllocatorModel model(false);
    model.allow_failure(true);
    test::fake_vm().fail_where(
        [=](VmCall, std::uint64_t, std::uint64_t n) { return n == refused; });
    run_with_many_calls(model);
    expect_recovered(model);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(AllocatorUnderFailure, AllCallsOfAKindAreRefused) {
  for (const VmCall call : test::kVmCalls) {
    SCOPED_TRACE(test::name(call));
    AllocatorModel model(false);
    model.allow_failure(true);
    test::fake_vm().fail_all_of(call);
    run_with_many_calls(model);
    model.check_all();
    expect_recovered(model);
  }
}

TEST(AllocatorUnderFailure, CallsAreRefusedAtRandom) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    AllocatorModel model(seed % 2 == 0);
    model.allow_failure(true);
    test::fake_vm().fail_where([=](VmCall, std::uint64_t, std::uint64_t n) {
      return Random(seed * 100'000 + n).one_in(2 + static_cast<std::uint32_t>(seed));
    });
    run(model, random, 1500);
    expect_recovered(model);
  }
}

// ── No memory ────────────────────────────────────────────────────────────────────────────────────

// From the n-th operation on nothing more is mapped, for a while.
TEST(AllocatorUnderFailure, MemoryEndsAtEachOperationInTurn) {
  constexpr int kOperations = 250;
  std::size_t failures = 0;
  for (int n = 0; n < kOperations; ++n) {
    SCOPED_TRACE(n);
    Random random(3);
    AllocatorModel model(n % 2 == 0);
    run(model, random, n);
    test::fake_vm().limit_mapped(test::fake_vm().mapped_bytes());
    model.allow_failure(true);
    run(model, random, 60);
    model.check_all();
    failures += model.failures();
    expect_recovered(model);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failures, 300U);
}

// Every size until there is no more of any; what is freed then can be had again.
TEST(AllocatorUnderFailure, AFullHeapGivesAgainWhatWasFreed) {
  for (const std::size_t bytes : {16U, 100U, 3000U, 30'000U, 100'000U, 3'000'000U}) {
    SCOPED_TRACE(bytes);
    AllocatorModel model(false);
    test::fake_vm().limit_mapped(std::size_t{16} << 20);
    model.allow_failure(true);
    while (model.failures() == 0) model.apply({.action = Action::kAllocate, .bytes = bytes});
    const std::size_t full = model.block_count();
    EXPECT_GT(full * bytes, std::size_t{6} << 20);
    model.check_all();
    const std::size_t before = model.failures();
    model.apply({.action = Action::kFreeMany});
    const std::size_t freed = full - model.block_count();
    EXPECT_GE(freed, full / 4);
    // A large block's neighbours may keep its place; a small one has its slab.
    while (model.failures() == before) model.apply({.action = Action::kAllocate, .bytes = bytes});
    EXPECT_GE(model.block_count(), full - full / 100);
    expect_recovered(model);
  }
}

TEST(AllocatorUnderFailure, AFailureCostsNothing) {
  AllocatorModel model(false);
  model.apply({.action = Action::kAllocate, .bytes = 100'000});
  model.allow_failure(true);
  test::fake_vm().limit_mapped(test::fake_vm().mapped_bytes());
  const SpanId spans = model.allocator().backing().spans.end();
  for (int i = 0; i < 5000; ++i) {
    model.apply({.action = Action::kAllocate, .bytes = 20U << 20});
    model.apply({.action = Action::kResize, .bytes = 20U << 20});
  }
  EXPECT_EQ(model.failures(), 10'000U);
  EXPECT_LE(model.allocator().backing().spans.end(), spans + 1);
  expect_recovered(model);
}

TEST(AllocatorUnderFailure, AProcessThatStartsWithoutMemoryHasItLater) {
  AllocatorModel model(true);
  test::fake_vm().limit_mapped(0);
  model.allow_failure(true);
  for (int i = 0; i < 200; ++i) model.apply({.action = Action::kAllocate, .bytes = 100});
  EXPECT_GT(model.failures(), 0U);
  EXPECT_GT(model.block_count(), 0U);  // the first blocks need no kernel
  expect_recovered(model);
}

// ── Trimming ─────────────────────────────────────────────────────────────────────────────────────

// Frees most blocks of each slab; what is resident then are the pages of those that stay.
void expect_trimmed(bool of_own_heap) {
  constexpr std::size_t kBytes = 1024;
  constexpr std::size_t kOneStays = 12;
  AllocatorModel model(false);
  Allocator& allocator = model.allocator();
  Heap* const own = allocator.create_heap("own");
  ASSERT_NE(own, nullptr);
  std::vector<void*> blocks(200);
  for (void*& block : blocks) {
    block =
        of_own_heap ? allocator.allocate_in(*own, {.bytes = kBytes}) : allocator.allocate(kBytes);
    std::memset(block, 1, kBytes);
  }
  std::set<std::byte*> touched;
  std::set<std::byte*> kept;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto* const at = static_cast<std::byte*>(blocks[i]);
    std::byte* const page = at - reinterpret_cast<std::uintptr_t>(at) % kPageBytes;
    touched.insert(page);
    if (i % kOneStays == 0) {
      kept.insert(page);
    } else {
      allocator.free(at);
    }
  }
  EXPECT_TRUE(allocator.trim());
  std::set<std::byte*> resident;
  for (std::byte* const page : touched) {
    if (test::FakeVm::resident_pages(page, kPageBytes) != 0) resident.insert(page);
  }
  EXPECT_EQ(resident, kept);
  for (std::size_t i = 0; i < blocks.size(); i += kOneStays) allocator.free(blocks[i]);
  allocator.destroy_heap(*own);
  model.finish();
}

TEST(AllocatorTrim, GivesBackFreePagesInSlabsOfMallocs) {
  expect_trimmed(false);
}

TEST(AllocatorTrim, GivesBackFreePagesInSlabsOfHeapsOfOnesOwn) {
  expect_trimmed(true);
}

TEST(AllocatorTrim, GivesBackMostOfWhatDescribedADestroyedHeap) {
  AllocatorModel model(false);
  Allocator& allocator = model.allocator();
  Heap* const own = allocator.create_heap("own");
  ASSERT_NE(own, nullptr);
  auto* const at = reinterpret_cast<std::byte*>(own);
  std::byte* const inside = at - reinterpret_cast<std::uintptr_t>(at) % kPageBytes + kPageBytes;
  allocator.destroy_heap(*own);
  EXPECT_EQ(test::FakeVm::resident_pages(inside, kPageBytes), 1U);
  EXPECT_TRUE(allocator.trim());
  EXPECT_EQ(test::FakeVm::resident_pages(inside, kPageBytes), 0U);
  EXPECT_EQ(allocator.create_heap("next"), own);
  EXPECT_STREQ(own->name(), "next");
  allocator.destroy_heap(*own);
  model.finish();
}

// ── Address reuse ────────────────────────────────────────────────────────────────────────────────

TEST(AllocatorAddresses, AFreedBlockIsTheNextOneOfItsSize) {
  AllocatorModel model(false);
  Allocator& allocator = model.allocator();
  for (const std::size_t bytes : {16U, 1000U, 32'768U, 40'000U, 5'000'000U}) {
    void* const keep = allocator.allocate(bytes);
    void* const p = allocator.allocate(bytes);
    void* const above = allocator.allocate(bytes);
    allocator.free(p);
    EXPECT_EQ(allocator.allocate(bytes), p) << bytes;
    for (void* const each : {keep, p, above}) allocator.free(each);
  }
}

TEST(AllocatorAddresses, AHeapThatIsAsLargeAsBeforeNeedsNoFurtherAddresses) {
  AllocatorModel model(false);
  Random random(1);
  run(model, random, 3000);
  PageCount end;
  for (int round = 0; round < 6; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 3000; ++i) {
      blocks.push_back(model.allocator().allocate(random.size_up_to(20'000)));
    }
    for (void* const p : blocks) model.allocator().free(p);
    if (round == 3) end = model.allocator().backing().window.end();
  }
  EXPECT_LE(model.allocator().backing().window.end().count, end.count + end.count / 8);
  model.finish();
}

}  // namespace
}  // namespace mini::alloc
