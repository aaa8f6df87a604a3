// What a large block holds arrives whole, wherever the kernel gives up, or stays where it was.
#include "alloc/page_move.h"

#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "alloc_test.h"

namespace mini::alloc {
namespace {

using test::FakeVm;
using test::VmCall;

// Neither begins where an extent does, nor both alike.
constexpr PageCount kBefore = pages(100);
constexpr PageCount kLength = pages(4 * kExtentPages + 17);
constexpr PageCount kBetween = pages(31);
constexpr std::uint64_t kPieces = 5;

class PageMoveTest : public BackingTest {
 protected:
  PageMoveTest() {
    take(kBefore);
    from_ = {take(kLength), kLength};
    take(kBetween);
    to_ = take(kLength);
    std::mt19937_64 random(1);
    for (std::uint64_t& word : words_) word = random();
    std::memcpy(window().address(from_.first), words_.data(), kLength.bytes());
  }

  Move move() { return move_contents(window(), from_, to_); }
  bool holds(PageIndex first) {
    return std::memcmp(window().address(first), words_.data(), kLength.bytes()) == 0;
  }
  bool is_zero(PageIndex first) {
    const std::vector<std::byte> zeros(kLength.bytes());
    return std::memcmp(window().address(first), zeros.data(), zeros.size()) == 0;
  }
  PageRun from() const { return from_; }
  PageIndex to() const { return to_; }

 private:
  PageIndex take(PageCount count) {
    PageHeap::Grant grant;
    EXPECT_TRUE(backing().pages.take({.count = count}, &grant));
    return grant.first;
  }

  PageRun from_;
  PageIndex to_;
  std::vector<std::uint64_t> words_ =
      std::vector<std::uint64_t>(kLength.bytes() / sizeof(std::uint64_t));
};

TEST_F(PageMoveTest, PagesMoveByExtents) {
  EXPECT_EQ(move(), Move::kDone);
  EXPECT_TRUE(holds(to()));
  EXPECT_TRUE(is_zero(from().first));
  std::size_t bytes = 0;
  const auto moves = vm().records(VmCall::kMovePages);
  EXPECT_EQ(moves.size(), kPieces);
  for (const test::VmRecord& record : moves) {
    const std::size_t first = window().offset(record.at);
    EXPECT_EQ(first / kExtentBytes, (first + record.bytes - 1) / kExtentBytes);
    bytes += record.bytes;
  }
  EXPECT_EQ(bytes, kLength.bytes());
}

TEST_F(PageMoveTest, WhereTheKernelMovesNothingNothingIsChanged) {
  vm().fail_moves_after(FakeVm::kAtOnce);
  vm().fail_all_of(VmCall::kMovePages);
  EXPECT_EQ(move(), Move::kNotDone);
  EXPECT_TRUE(holds(from().first));
}

TEST_F(PageMoveTest, AnyPieceMayFailInAnyWay) {
  for (const std::size_t moved : {FakeVm::kAtOnce, std::size_t{0}, kPageBytes, 16 * kPageBytes}) {
    for (std::uint64_t refused = 1; refused <= kPieces; ++refused) {
      SCOPED_TRACE(testing::Message() << moved << " bytes, call " << refused);
      if (moved == FakeVm::kAtOnce && refused == 1) continue;
      vm().fail_moves_after(moved);
      vm().fail_nth(VmCall::kMovePages, refused);
      const Move result = move();
      EXPECT_EQ(result, moved == FakeVm::kAtOnce ? Move::kCopied : Move::kDone);
      EXPECT_TRUE(holds(to()));
      EXPECT_EQ(is_zero(from().first), result == Move::kDone);
      std::memcpy(window().address(from().first), window().address(to()), kLength.bytes());
    }
  }
}

TEST_F(PageMoveTest, WhatIsNotDiscardedIsSaid) {
  vm().fail_where([](VmCall call, std::uint64_t n, std::uint64_t) {
    return call == VmCall::kDiscard || (call == VmCall::kMovePages && n == 2);
  });
  EXPECT_EQ(move(), Move::kCopied);
  EXPECT_TRUE(holds(to()));
}

class LostMoveTest : public PageMoveTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(LostMoveTest, WhereNothingCanBeMappedAgainTheBlockStays) {
  vm().fail_moves_after(kPageBytes);
  vm().fail_where([refused = GetParam()](VmCall call, std::uint64_t n, std::uint64_t) {
    return call == VmCall::kMapOver || (call == VmCall::kMovePages && n == refused);
  });
  EXPECT_EQ(move(), Move::kLost);
  EXPECT_TRUE(holds(from().first));
}

INSTANTIATE_TEST_SUITE_P(EachPiece, LostMoveTest, testing::Range(std::uint64_t{1}, kPieces + 1));

TEST_F(PageMoveTest, HugePagesAreAllowedAsInTheOldPlaceNoMore) {
  window().extent(to().extent() + 1).huge = true;
  EXPECT_EQ(move(), Move::kDone);
  bool was_allowed = false;
  for (const test::VmRecord& record : vm().records(VmCall::kAllowHuge)) {
    const std::size_t extent = window().offset(record.at) / kExtentBytes;
    EXPECT_EQ(record.allow, window().extent(static_cast<std::uint32_t>(extent)).huge);
    was_allowed = was_allowed || record.allow;
  }
  EXPECT_TRUE(was_allowed);
  window().extent(to().extent() + 1).huge = false;
}

}  // namespace
}  // namespace mini::alloc
