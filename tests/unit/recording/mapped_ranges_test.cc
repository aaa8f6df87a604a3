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

}  // namespace
}  // namespace mini::recording
