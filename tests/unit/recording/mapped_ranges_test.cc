#include "recording/mapped_ranges.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

namespace mini::recording {
namespace {

constexpr std::uint64_t kPage = 4096;

// Against a table of pages.
TEST(MappedRanges, IsWhatATableOfPagesSays) {
  MappedRanges<std::uint32_t> ranges;
  constexpr std::uint64_t kPages = 64;
  std::vector<std::uint32_t> owners(kPages);
  std::mt19937_64 random(11);
  for (std::uint32_t step = 1; step < 20'000; ++step) {
    const std::uint64_t begin = random() % kPages;
    const std::uint64_t pages = 1 + random() % (kPages - begin);
    std::map<std::uint32_t, std::uint64_t> expected;
    const std::uint32_t owner = random() % 2 == 0 ? step : 0;
    for (std::uint64_t page = begin; page < begin + pages; ++page) {
      if (owners[page] != 0) expected[owners[page]] += kPage;
      owners[page] = owner;
    }
    const Address at{begin * kPage};
    const Bytes size{pages * kPage - random() % kPage};  // whole pages, whatever was asked for
    std::map<std::uint32_t, std::uint64_t> there;
    ranges.for_each_in(at, size, [&there](std::uint32_t who, AddressRange range) {
      there[who] += range.size().count;
    });
    ASSERT_EQ(there, expected);
    std::map<std::uint32_t, std::uint64_t> gone;
    const auto count = [&gone](std::uint32_t who, AddressRange range) {
      gone[who] += range.size().count;
    };
    if (owner != 0) {
      ranges.map(at, size, owner, count);
      ASSERT_EQ(ranges.size_at(at), Bytes{pages * kPage});
    } else {
      ranges.unmap(at, size, count);
    }
    ASSERT_EQ(gone, expected);
    const std::uint64_t page = random() % kPages;
    ASSERT_EQ(ranges.owner_of(Address{page * kPage + random() % kPage}), owners[page]);
  }
}

TEST(MappedRanges, NonsenseEndsWithTheAddressSpace) {
  MappedRanges<std::uint32_t> ranges;
  std::uint64_t gone = 0;
  const auto count = [&gone](std::uint32_t, AddressRange range) { gone += range.size().count; };
  ranges.map(Address{UINT64_MAX - 10}, Bytes{UINT64_MAX}, 1, count);
  ranges.map(Address{UINT64_MAX}, Bytes{1}, 2, count);
  ranges.map(Address{0x1000}, Bytes{0}, 3, count);
  EXPECT_EQ(ranges.owner_of(Address{UINT64_MAX - 5}), 1U);
  EXPECT_EQ(ranges.owner_of(Address{0x1000}), 0U);
  ranges.unmap(Address{0}, Bytes{UINT64_MAX}, count);
  EXPECT_EQ(gone, 10U);
}

// As a few bytes of a hostile recording say it.
TEST(MappedRanges, ToLookAtAllAgainAndAgainIsNoMoreThanSomeACall) {
  MappedRanges<std::uint32_t> ranges;
  constexpr std::uint64_t kRanges = 5'000;
  const auto ignore = [](std::uint32_t, AddressRange) {};
  for (std::uint64_t i = 0; i < kRanges; ++i) {
    ranges.map(Address{2 * i * kPage}, Bytes{kPage}, 1, ignore);
  }
  std::uint64_t visits = 0;
  const auto look_at_all = [&] {
    ranges.for_each_in(Address{0}, Bytes{2 * kRanges * kPage},
                       [&](std::uint32_t, AddressRange) { ++visits; });
  };
  constexpr std::uint64_t kWhole = 100;  // calls, which a program may make
  for (std::uint64_t i = 0; i < kWhole; ++i) look_at_all();
  EXPECT_EQ(visits, kWhole * kRanges);
  constexpr std::uint64_t kCalls = 10'000;
  for (std::uint64_t i = 0; i < kCalls; ++i) look_at_all();
  EXPECT_LT(visits, kCalls * kRanges / 10);
}

// And an unmap that came to nothing maps again what it had found.
TEST(MappedRanges, ToUnmapAllAndTakeItBackIsNoMoreThanSomeACall) {
  MappedRanges<std::uint32_t> ranges;
  LastUnmapped<std::uint32_t> last;
  constexpr std::uint64_t kRanges = 5'000;
  const auto ignore = [](std::uint32_t, AddressRange) {};
  Mapping unmap{.operation = Mapping::Operation::kUnmap, .bytes = Bytes{2 * kRanges * kPage}};
  Mapping take_back = unmap;
  take_back.operation = Mapping::Operation::kRemap;
  take_back.old_bytes = unmap.bytes;
  for (std::uint64_t i = 0; i < kRanges; ++i) {
    ranges.map(Address{2 * i * kPage}, Bytes{kPage}, 1, ignore);
  }
  std::uint64_t parts = 0;
  constexpr std::uint64_t kCalls = 10'000;
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    last.keep(unmap, ranges);
    ranges.unmap(unmap.address, unmap.bytes, ignore);
    const auto unmapped = last.take(take_back);
    ASSERT_TRUE(unmapped);
    for (const auto& [owner, part] : unmapped->parts) {
      ranges.map(part.begin, part.size(), owner, ignore);
      ++parts;
    }
  }
  EXPECT_GT(parts, kRanges);
  EXPECT_LT(parts, kCalls * kRanges / 10);
}

}  // namespace
}  // namespace mini::recording
