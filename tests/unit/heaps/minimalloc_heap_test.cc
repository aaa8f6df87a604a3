// libminimalloc's decoder on a heap made by hand, sound and damaged. The library itself is read in
// tests/system/test_inspect_minimalloc.py.
#include "heaps/minimalloc_heap.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <utility>
#include <vector>

#include "fake_minimalloc.h"
#include "recording_sink.h"

namespace mini::heaps {
namespace {

using model::PieceUse;
using Fake = FakeMinimalloc;

struct Decoded {
  model::Heap heap;
  RecordingSink sink;
};

void decode(const MemoryReader& memory, Decoded& out, bool is_still = true) {
  const auto search = locate_minimalloc(memory, Fake::image());
  ASSERT_TRUE(search.layout.has_value()) << search.refused;
  const MinimallocTarget target{.layout = *search.layout,
                                .threads = {{.id = 7, .thread_pointer = Address{0x7000}}},
                                .writable = Fake::writable(),
                                .is_still = is_still};
  out.heap = read_minimalloc_heap(memory, target, out.sink);
  EXPECT_TRUE(out.sink.covers_regions());
  std::vector<AddressRange> regions = out.sink.regions();
  std::ranges::sort(regions, {}, &AddressRange::begin);
  EXPECT_EQ(out.heap.arenas[0].regions, regions);
}

TEST(MinimallocHeap, IsReadToTheBlock) {
  Decoded decoded;
  decode(Fake(), decoded);
  const auto& [heap, sink] = decoded;
  EXPECT_EQ(heap.version, "1.2");
  EXPECT_EQ(heap.damages_count, 0U) << heap.damages.front().field;
  EXPECT_EQ(sink.use_of(Fake::block(0)), PieceUse::kCached);
  EXPECT_EQ(sink.use_of(Fake::block(4)), PieceUse::kDepot);
  EXPECT_EQ(sink.use_of(Fake::block(6)), PieceUse::kLive);
  EXPECT_EQ(sink.use_of(Fake::block(48)), PieceUse::kSlab);
  EXPECT_EQ(sink.count(PieceUse::kCached), 3U);
  EXPECT_EQ(sink.count(PieceUse::kDepot), 2U);
  EXPECT_EQ(sink.count(PieceUse::kSlab), 16U + 63U);
  // Of the slabs, the large block, the block of the pool.
  EXPECT_EQ(sink.count(PieceUse::kLive), 48U - 5U + 1U + 1U + 1U);
  EXPECT_EQ(sink.sum(PieceUse::kFreePages), Bytes{Fake::kPage * 10});
  EXPECT_EQ(sink.at({Fake::kHeap + Fake::kPage}).range.size(), Bytes{3 * Fake::kPage});
  const model::HeapPiece& first = sink.at({Fake::kBase + Fake::kPoolMemory + 16});
  EXPECT_EQ(first.use, PieceUse::kLive);
  EXPECT_EQ(first.range.size() - first.header, Bytes{40});
}

TEST(MinimallocHeap, HeapsCachesAndCounters) {
  Decoded decoded;
  decode(Fake(), decoded);
  const model::Heap& heap = decoded.heap;
  ASSERT_EQ(heap.arenas.size(), 2U);
  EXPECT_EQ(heap.arenas[1].name, "own");
  EXPECT_EQ(decoded.sink.at({Fake::kHeap + 8 * Fake::kPage}).arena, 1U);
  const auto parts = std::ranges::count_if(heap.arenas[0].regions, [](AddressRange region) {
    return region.begin >= Address{Fake::kHeap};
  });
  EXPECT_EQ(parts, 2) << "somebody else's page is between them";
  ASSERT_EQ(heap.caches.size(), 1U);
  EXPECT_EQ(heap.caches[0].thread_id, 7);
  EXPECT_EQ(heap.caches[0].pieces, 3U);
  for (const model::HeapCounter& counter : heap.counters) {
    EXPECT_EQ(counter.counted, counter.found) << counter.name;
  }
}

// Keeps what is read of another memory; later knows nothing else.
class KeptMemory final : public MemoryReader {
 public:
  explicit KeptMemory(const MemoryReader& memory) : memory_(&memory) {}

  void let_go() { memory_ = nullptr; }
  std::uint64_t not_kept_count() const { return not_kept_count_; }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    const auto key = std::pair(from, out.size());
    if (memory_ != nullptr) {
      const std::size_t count = memory_->read(from, out);
      kept_[key].assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
      return count;
    }
    const auto kept = kept_.find(key);
    if (kept == kept_.end()) {
      ++not_kept_count_;
      return 0;
    }
    std::ranges::copy(kept->second, out.begin());
    return kept->second.size();
  }

 private:
  const MemoryReader* memory_;
  mutable std::map<std::pair<Address, std::size_t>, std::vector<std::byte>> kept_;
  mutable std::uint64_t not_kept_count_ = 0;
};

TEST(MinimallocHeap, ASurveyReadsAllThatIsNeeded) {
  const Fake fake;
  Decoded direct;
  decode(fake, direct);
  KeptMemory memory(fake);
  const auto search = locate_minimalloc(fake, Fake::image());
  const MinimallocTarget target{.layout = *search.layout,
                                .threads = {{.id = 7, .thread_pointer = Address{0x7000}}},
                                .writable = Fake::writable()};
  survey_minimalloc_heap(memory, target);
  memory.let_go();
  RecordingSink later;
  const model::Heap heap = read_minimalloc_heap(memory, target, later);
  EXPECT_EQ(memory.not_kept_count(), 0U);
  EXPECT_EQ(heap.damages_count, 0U);
  ASSERT_EQ(later.taken().size(), direct.sink.taken().size());
  for (std::size_t i = 0; i < later.taken().size(); ++i) {
    EXPECT_EQ(later.taken()[i].range, direct.sink.taken()[i].range);
    EXPECT_EQ(later.taken()[i].use, direct.sink.taken()[i].use);
  }
}

/// After a heap's one cache come many others, whose stacks are one and the same.
class ManyCaches final : public MemoryReader {
 public:
  static constexpr std::uint64_t kCaches = 0x900000;
  static constexpr std::uint64_t kApart = 0x1000;
  static constexpr std::uint64_t kSlots = 4000;
  static constexpr std::uint64_t kStack = 0xa00000;
  static constexpr std::uint64_t kEnd = kStack + 8 * kSlots;

  ManyCaches() { fake_.put(Fake::kCache, kCaches); }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from.value < kCaches) return fake_.read(from, out);
    std::ranges::fill(out, std::byte{0});
    if (from.value >= kStack) return out.size();
    const std::uint64_t words[] = {from.value + kApart, 2, 0, 0, 0, 0, kEnd, kEnd};
    const std::uint64_t capacities[] = {0, 0, 0, 0, kSlots << 16U};
    std::byte record[sizeof words + sizeof capacities];
    std::memcpy(record, words, sizeof words);
    std::memcpy(record + sizeof words, capacities, sizeof capacities);
    const std::size_t begin = std::min<std::size_t>(from.value % kApart, sizeof record);
    const std::size_t count = std::min(out.size(), sizeof record - begin);
    std::memcpy(out.data(), record + begin, count);
    return out.size();
  }

 private:
  Fake fake_;
};

TEST(MinimallocHeap, CachesHaveNoMoreBlocksThanTheHeap) {
  Decoded decoded;
  decode(ManyCaches(), decoded);
  const model::Heap& heap = decoded.heap;
  EXPECT_EQ(heap.caches.size(), 3U) << "the heap has room for 4096 blocks";
  const Address top{ManyCaches::kCaches + ManyCaches::kApart + 48};
  EXPECT_TRUE(std::ranges::any_of(heap.damages, [&](const model::HeapDamage& damage) {
    return damage.where == top && damage.found == "4000 blocks";
  }));
}

/// Changes the record of the first slab once it has been checked: when the first bits of extents
/// are read, which are where the page cache lets go of the records.
class ChangingMemory final : public MemoryReader {
 public:
  ChangingMemory() { fake_.put(Fake::kVariables + 8 * 6, Fake::kBase + kMirror + Fake::kExtents); }

  std::size_t read(Address from, std::span<std::byte> out) const override {
    if (from.value < kMirror) return fake_.read(from, out);
    fake_.put(Fake::kSpans + Fake::kSpanBytes + 14, std::uint8_t{255});
    fake_.put(Fake::kSpans + Fake::kSpanBytes + 16, std::uint16_t{65535});
    return fake_.read(from - Bytes{kMirror}, out);
  }

 private:
  static constexpr std::uint64_t kMirror = std::uint64_t{16} << 20U;  // what a PageCache holds
  mutable Fake fake_;
};

TEST(MinimallocHeap, ARecordThatChangesWhenItWasChecked) {
  const ChangingMemory memory;
  Decoded decoded;
  decode(memory, decoded, false);
  const RecordingSink& sink = decoded.sink;
  EXPECT_EQ(memory.read_object<std::uint8_t>(Address{Fake::kBase + Fake::kSpans} +
                                             Bytes{Fake::kSpanBytes + 14}),
            255);
  EXPECT_EQ(sink.count(PieceUse::kCached), 3U);
  EXPECT_EQ(sink.count(PieceUse::kSlab), 16U + 63U);
}

TEST(MinimallocHeap, ABusyCacheIsCountedAndItsBlocksAreLive) {
  Fake fake;
  fake.put(Fake::kCache + 8, std::uint32_t{3});
  Decoded decoded;
  decode(fake, decoded);
  EXPECT_EQ(decoded.heap.caches_not_found, 1U);
  EXPECT_EQ(decoded.sink.use_of(Fake::block(0)), PieceUse::kLive);
  EXPECT_EQ(decoded.heap.damages_count, 0U);
}

struct Harm {
  const char* what;
  std::uint64_t offset;
  std::uint64_t value;
  std::uint64_t where;  // the damage is found at, from kBase on
};

class MinimallocDamage : public testing::TestWithParam<Harm> {};

TEST_P(MinimallocDamage, IsNamedAndTheRestIsRead) {
  Fake fake;
  fake.put(GetParam().offset, GetParam().value);
  Decoded decoded;
  decode(fake, decoded);
  std::vector<std::uint64_t> places;
  for (const model::HeapDamage& damage : decoded.heap.damages) places.push_back(damage.where.value);
  EXPECT_THAT(places, testing::Contains(Fake::kBase + GetParam().where));
  EXPECT_GE(decoded.sink.taken().size(), 1U);
}

constexpr std::uint64_t kWild = 0x4141414141414141;
INSTANTIATE_TEST_SUITE_P(
    Each, MinimallocDamage,
    testing::Values(Harm{"page map", Fake::kPageMap, kWild, Fake::kPageMap},
                    Harm{"span id", Fake::kSpanIds, kWild, Fake::kPageMap},
                    Harm{"span", Fake::kSpans + Fake::kSpanBytes, kWild, Fake::kPageMap},
                    Harm{"stack", Fake::kStackTop, kWild, Fake::kStackTop},
                    Harm{"loop of caches", Fake::kCache, Fake::kBase + Fake::kCache, Fake::kCache},
                    Harm{"wild cache", Fake::kCache, kWild, kWild - Fake::kBase},
                    Harm{"cached block", Fake::kSlots, Fake::kHeap + 1,
                         Fake::kHeap + 1 - Fake::kBase},
                    Harm{"cached twice", Fake::kSlots, Fake::block(1).value,
                         Fake::block(1).value - Fake::kBase},
                    Harm{"cached, free in its slab", Fake::kSlots, Fake::block(50).value,
                         Fake::block(50).value - Fake::kBase},
                    Harm{"depot", Fake::kMainHeap + 40 + 48, kWild, Fake::kMainHeap},
                    Harm{"pool", Fake::kPoolMemory + 8, kWild, Fake::kPoolMemory + 8},
                    Harm{"pool's size", Fake::kPool + 8, kWild, Fake::kPool},
                    Harm{"length", Fake::kVariables + 8, kWild, Fake::kVariables + 8},
                    Harm{"class", Fake::kClasses + 8, 7, Fake::kClasses + 8}),
    [](const auto& harm) {
      std::string name = harm.param.what;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

TEST(MinimallocLayout, ATableThatMakesNoSenseIsRefusedWithAReason) {
  using Table = minimalloc_layout_table;
  struct Case {
    std::size_t offset;
    std::uint32_t value;
    const char* words;
  };
  for (const Case& one :
       {Case{offsetof(Table, magic), 1, "does not begin"},
        Case{offsetof(Table, version), 2, "version 2"}, Case{offsetof(Table, size), 8, "no sense"},
        Case{offsetof(Table, page_shift), 63, "no sense"},
        Case{offsetof(Table, class_count), 0, "no sense"},
        Case{offsetof(Table, span) + 4, 64, "no sense"},
        Case{offsetof(Table, heap_group_slots), 0, "no sense"}}) {
    Fake fake;
    fake.put(Fake::kTable + one.offset, one.value);
    const auto search = locate_minimalloc(fake, Fake::image());
    EXPECT_FALSE(search.layout.has_value()) << one.words;
    EXPECT_THAT(search.refused, testing::HasSubstr(one.words));
  }
}

/// What lies behind the table of an older library is something else.
TEST(MinimallocLayout, AnOlderLibrarysShorterTableIsReadAsFarAsItGoes) {
  using Table = minimalloc_layout_table;
  constexpr std::uint32_t kOld = offsetof(Table, minor_version);
  Fake fake;
  fake.put(Fake::kTable + offsetof(Table, size), kOld);
  fake.put(Fake::kTable + offsetof(Table, minor_version), std::uint32_t{0x41414141});
  fake.put(Fake::kTable + offsetof(Table, cached_pages), kWild);
  const auto search = locate_minimalloc(fake, Fake::image());
  ASSERT_TRUE(search.layout.has_value()) << search.refused;
  EXPECT_EQ(search.layout->table.minor_version, 0U);
  EXPECT_EQ(search.layout->table.cached_pages, nullptr);
  Decoded decoded;
  decode(fake, decoded);
  EXPECT_EQ(decoded.heap.damages_count, 0U);
  EXPECT_EQ(decoded.sink.count(PieceUse::kLive), 48U - 5U + 1U + 1U + 1U);

  fake.put(Fake::kTable + offsetof(Table, size), kOld - 8);
  EXPECT_THAT(locate_minimalloc(fake, Fake::image()).refused, testing::HasSubstr("no sense"));
}

/// A table that later versions have made longer is read as far as it is known.
TEST(MinimallocLayout, ANewerLibrarysLongerTableIsRead) {
  using Table = minimalloc_layout_table;
  Fake fake;
  fake.put(Fake::kTable + offsetof(Table, size), std::uint32_t{sizeof(Table) + 8});
  EXPECT_TRUE(locate_minimalloc(fake, Fake::image()).layout.has_value());
}

TEST(MinimallocLayout, AFileWithoutTheNoteHasNone) {
  Fake fake;
  fake.put(Fake::kNote, std::uint32_t{0});
  const auto search = locate_minimalloc(fake, Fake::image());
  EXPECT_FALSE(search.layout.has_value());
  EXPECT_EQ(search.refused, "");
}

}  // namespace
}  // namespace mini::heaps
