// What pieces add up to, and which pages could go back: heaps of a few pieces, page by page.
#include "model/heap_account.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

namespace mini::model {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kBase = 0x100000;

AddressRange range(std::uint64_t from, std::uint64_t to) {
  return {Address{kBase + from}, Address{kBase + to}};
}

class HeapAccountTest : public testing::Test {
 protected:
  /// Pieces one after the other from kBase on.
  void add(PieceUse use, std::uint64_t size) {
    const HeapPiece piece{.range = range(at_, at_ + size),
                          .use = use,
                          .arena = arena_,
                          .header = Bytes{use == PieceUse::kLive ? 8U : 0U},
                          .before_user = Bytes{16}};
    accountant_->piece(piece);
    at_ += size;
  }
  void begin(std::vector<AddressRange> resident, std::uint32_t arena = 0) {
    resident_ = ResidentMap(std::move(resident));
    arena_ = arena;
    accountant_.emplace(resident_, ReturnRules{});
    accountant_->begin_region({range(0, 1 << 20), arena});
  }
  HeapAccount end() {
    accountant_->end_region();
    return accountant_->take();
  }
  const PieceTotals& of(const HeapAccount& account, PieceUse use) const {
    return account.by_arena.at(arena_).at(static_cast<std::size_t>(use));
  }

  ResidentMap resident_;
  std::optional<HeapAccountant> accountant_;
  std::uint32_t arena_ = 0;
  std::uint64_t at_ = 0;
};

TEST_F(HeapAccountTest, CountsWhatIsResident) {
  begin({range(0, kPage)});
  add(PieceUse::kLive, 1024);
  add(PieceUse::kLive, 2 * kPage);
  const HeapAccount account = end();
  const PieceTotals& live = of(account, PieceUse::kLive);
  EXPECT_EQ(live.pieces, 2U);
  EXPECT_EQ(live.size, Bytes{1024 + 2 * kPage});
  EXPECT_EQ(live.header, Bytes{16});
  EXPECT_EQ(live.resident, Bytes{kPage});
  EXPECT_EQ(live.resident_header, Bytes{16});
}

TEST_F(HeapAccountTest, WholePagesOfAFreeRunCanGoBack) {
  begin({range(0, 16 * kPage)});
  add(PieceUse::kLive, 1024);
  add(PieceUse::kSmallbin, 1024);
  add(PieceUse::kFastbin, 4 * kPage);  // merged with its neighbour first
  add(PieceUse::kLive, 1024);
  const HeapAccount account = end();
  EXPECT_EQ(account.returnable, Bytes{3 * kPage});
  EXPECT_EQ(account.pinned, Bytes{1024 + 4 * kPage - 3 * kPage});
}

TEST_F(HeapAccountTest, ManyAtOnceAreAsOneByOne) {
  std::vector<HeapPiece> pieces;
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::uint64_t size = 32 + i * 48 % 1600;
    const PieceUse use = i % 3 == 0 ? PieceUse::kLive : PieceUse::kFastbin;
    pieces.push_back({.range = range(at, at + size),
                      .use = use,
                      .arena = 0,
                      .header = Bytes{use == PieceUse::kLive ? 8U : 0U},
                      .before_user = Bytes{16}});
    at += size;
  }
  // Every third page is missing, and so are headers and ends of pieces.
  std::vector<AddressRange> resident;
  for (std::uint64_t page = 0; page * kPage < at; page += 3) {
    resident.push_back(range(page * kPage, (page + 2) * kPage));
  }
  begin(resident);
  for (const HeapPiece& piece : pieces) accountant_->piece(piece);
  const HeapAccount one_by_one = end();
  begin(resident);
  accountant_->pieces(pieces);
  const HeapAccount at_once = end();
  for (const PieceUse use : {PieceUse::kLive, PieceUse::kFastbin}) {
    const PieceTotals& a = of(one_by_one, use);
    const PieceTotals& b = of(at_once, use);
    Bytes size;
    Bytes in_memory;
    Bytes header_in_memory;
    const ResidentMap map(resident);
    for (const HeapPiece& piece : pieces) {
      if (piece.use != use) continue;
      size += piece.range.size();
      in_memory += map.resident(piece.range);
      const Address user = piece.user();
      header_in_memory += map.resident({user - piece.header, user});
    }
    EXPECT_EQ(a.pieces, b.pieces);
    EXPECT_EQ(a.size, size);
    EXPECT_EQ(b.size, size);
    EXPECT_EQ(a.resident, in_memory);
    EXPECT_EQ(b.resident, in_memory);
    EXPECT_EQ(a.resident_header, header_in_memory);
    EXPECT_EQ(b.resident_header, header_in_memory);
  }
  EXPECT_EQ(one_by_one.returnable, at_once.returnable);
  EXPECT_EQ(one_by_one.pinned, at_once.pinned);
  EXPECT_EQ(one_by_one.pins.size(), at_once.pins.size());
}

TEST_F(HeapAccountTest, WhatIsNotResidentCannotGoBack) {
  begin({range(0, kPage)});
  add(PieceUse::kLive, 1024);
  add(PieceUse::kLargebin, 8 * kPage);
  add(PieceUse::kLive, 1024);
  const HeapAccount account = end();
  EXPECT_EQ(account.returnable, Bytes{0});
  EXPECT_EQ(account.pinned, Bytes{kPage - 1024});
}

TEST_F(HeapAccountTest, TheMainArenasTopCanGoBackAThreadArenasCannot) {
  for (const std::uint32_t arena : {0U, 1U}) {
    at_ = 0;
    begin({range(0, 16 * kPage)}, arena);
    add(PieceUse::kLive, 2048);
    add(PieceUse::kTop, 4 * kPage - 2048);
    EXPECT_EQ(end().returnable, Bytes{arena == 0 ? 3 * kPage : 0});
  }
}

TEST_F(HeapAccountTest, ASmallBlockBetweenFreePagesPinsThem) {
  begin({range(0, 64 * kPage)});
  add(PieceUse::kLive, kPage);
  add(PieceUse::kLargebin, 2 * kPage + 100 * 16);
  add(PieceUse::kLive, 32);
  add(PieceUse::kLargebin, 3 * kPage - 100 * 16 - 32);
  add(PieceUse::kLive, kPage);
  const HeapAccount account = end();
  ASSERT_EQ(account.pins.size(), 1U);
  EXPECT_EQ(account.pins[0].first_block, Address{kBase + 3 * kPage + 1600 + 16});
  EXPECT_EQ(account.pins[0].blocks, 1U);
  EXPECT_EQ(account.pins[0].pinned, Bytes{kPage - 32});
}

TEST_F(HeapAccountTest, KeepsTheGreatestPins) {
  begin({range(0, 1 << 20)});
  for (int i = 0; i < 40; ++i) {
    add(PieceUse::kLargebin, kPage + 2048);
    add(PieceUse::kLive, 64);
  }
  add(PieceUse::kTop, 4 * kPage);
  const HeapAccount account = end();
  EXPECT_EQ(account.pins.size(), ReturnRules{}.most_pins);
  EXPECT_EQ(account.pinning_blocks, 40U) << "of all pins";
  EXPECT_EQ(account.pinning_bytes, Bytes{40 * 64});
  EXPECT_TRUE(std::ranges::is_sorted(account.pins, std::ranges::greater(), &HeapPin::pinned));
}

TEST_F(HeapAccountTest, TheEndOfASlabGoesWithTheFreeBlocksBeforeIt) {
  resident_ = ResidentMap({range(0, 16 * kPage)});
  accountant_.emplace(resident_, ReturnRules{.kept_in_piece = {}, .only_main = true});
  accountant_->begin_region({range(0, 1 << 20), 0});
  add(PieceUse::kSlab, kPage - 64);
  add(PieceUse::kSlabRest, 64);
  add(PieceUse::kFreePages, 2 * kPage);
  add(PieceUse::kLive, kPage - 64);
  add(PieceUse::kSlabRest, 64);
  EXPECT_EQ(end().returnable, Bytes{3 * kPage});
}

TEST_F(HeapAccountTest, OtherHeapsOfTheProgramKeepWhatIsFree) {
  resident_ = ResidentMap({range(0, 16 * kPage)});
  accountant_.emplace(resident_, ReturnRules{.kept_in_piece = {}, .only_main = true});
  accountant_->begin_region({range(0, 1 << 20), 0});
  add(PieceUse::kSlab, kPage);
  arena_ = 1;
  add(PieceUse::kSlab, 2 * kPage);
  arena_ = 0;
  add(PieceUse::kFreePages, 3 * kPage);
  const HeapAccount account = end();
  EXPECT_EQ(account.returnable, Bytes{4 * kPage});
  EXPECT_EQ(account.pinned, Bytes{2 * kPage});
  EXPECT_TRUE(account.pins.empty()) << "there is no block between";
  EXPECT_EQ(account.by_arena.size(), 2U);
}

TEST_F(HeapAccountTest, SizesAreByPowersOfTwo) {
  begin({});
  add(PieceUse::kLive, 32);
  add(PieceUse::kLive, 48);
  add(PieceUse::kCached, 64);
  const HeapAccount account = end();
  EXPECT_EQ(account.sizes[5].live.pieces, 1U);
  EXPECT_EQ(account.sizes[6].live.pieces, 1U);
  EXPECT_EQ(account.sizes[6].free.pieces, 1U);
}

TEST(ResidentMapTest, AnswersInAnyOrder) {
  const ResidentMap map({range(0, 10), range(20, 30), range(40, 50), range(60, 70), range(80, 90)});
  EXPECT_EQ(map.resident(range(0, 100)), Bytes{50});
  EXPECT_EQ(map.resident(range(85, 100)), Bytes{5});
  EXPECT_EQ(map.resident(range(5, 25)), Bytes{10});
  EXPECT_EQ(map.resident(range(30, 40)), Bytes{0});
  EXPECT_EQ(map.resident(range(69, 81)), Bytes{2});
  EXPECT_EQ(map.resident(range(20, 20)), Bytes{0});
}

}  // namespace
}  // namespace mini::model
