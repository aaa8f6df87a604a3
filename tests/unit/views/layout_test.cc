#include "views/layout.h"

#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "views/terminal_layout.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

using model::Mapping;
using model::Role;

Mapping make(std::uint64_t begin, std::uint64_t size, std::string path, Role role) {
  Mapping mapping;
  mapping.range = {Address{begin}, Address{begin + size}};
  mapping.path = std::move(path);
  mapping.role = role;
  return mapping;
}

void expect_invariants(const Layout& layout, const std::vector<Mapping>& mappings) {
  Bytes all;
  for (const Mapping& mapping : mappings) all += mapping.range.size();
  Bytes sum;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < layout.bands.size(); ++i) {
    const Band& band = layout.bands[i];
    sum += band.mapped_bytes;
    count += band.mappings_count;
    Bytes parts;
    for (const BandPart& part : band.parts) parts += part.mapped_bytes;
    EXPECT_EQ(parts, band.mapped_bytes);
    EXPECT_GE(band.range.size(), band.mapped_bytes);
    if (i > 0) {
      EXPECT_LE(layout.bands[i - 1].range.end, band.range.begin) << "B1";
    }
  }
  EXPECT_EQ(sum, all) << "B2";
  EXPECT_EQ(layout.mapped_bytes, all) << "B2";
  EXPECT_EQ(count, mappings.size());
}

TEST(LayoutTest, ALibraryIsOneBandWithItsBss) {
  const std::vector<Mapping> mappings = {
      make(0x10000, 0x1000, "/lib/libc.so.6", Role::kLibraryFile),
      make(0x11000, 0x1000, "/lib/libc.so.6", Role::kLibraryFile),
      make(0x12000, 0x1000, "", Role::kBss),
      make(0x13000, 0x1000, "/lib/libm.so.6", Role::kLibraryFile),
  };
  const Layout layout = make_layout(mappings, std::nullopt);
  expect_invariants(layout, mappings);
  ASSERT_EQ(layout.bands.size(), 2U);
  EXPECT_EQ(layout.bands[0].label, "libc.so.6");
  EXPECT_EQ(layout.bands[0].mapped_bytes, Bytes{0x3000});
  EXPECT_EQ(layout.bands[1].label, "libm.so.6");
}

TEST(LayoutTest, HugePagesOfThePoolAreWhatTheyAreFor) {
  const std::string name = "/anon_hugepage (deleted)";
  const Layout layout = make_layout({make(0x200000, 0x200000, name, Role::kMmappedChunk)}, {});
  ASSERT_EQ(layout.bands.size(), 1U);
  EXPECT_EQ(layout.bands[0].label, "mmapped chunk");
}

TEST(LayoutTest, AHoleOf64KiBPartsTwoBands) {
  const std::vector<Mapping> mappings = {
      make(0x10000, 0x1000, "", Role::kThreadStack),
      make(0x20000, 0x1000, "", Role::kThreadStack),
      make(0x31000, 0x1000, "", Role::kThreadStack),
  };
  const Layout layout = make_layout(mappings, std::nullopt);
  expect_invariants(layout, mappings);
  ASSERT_EQ(layout.bands.size(), 2U);
  EXPECT_EQ(layout.bands[0].range.size(), Bytes{0x11000});
  EXPECT_EQ(layout.bands[0].mapped_bytes, Bytes{0x2000});
}

TEST(LayoutTest, ManyBandsAreMergedButNotTheHeapAndNotTheLargest) {
  std::vector<Mapping> mappings;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const bool large = i == 250;
    mappings.push_back(make(0x100000 * (i + 1), large ? 0x80000 : 0x1000,
                            "/lib/lib" + std::to_string(i) + ".so", Role::kLibraryFile));
    if (i == 100)
      mappings.push_back(make(0x100000 * (i + 1) + 0x2000, 0x1000, "[heap]", Role::kHeap));
  }
  const Layout layout = make_layout(mappings, std::nullopt, 20);
  expect_invariants(layout, mappings);
  EXPECT_LE(layout.bands.size(), 20U);
  std::vector<std::string> alone;
  for (const Band& band : layout.bands) {
    if (band.mappings_count == 1) alone.push_back(band.label);
  }
  EXPECT_NE(std::find(alone.begin(), alone.end(), "heap"), alone.end());
  EXPECT_NE(std::find(alone.begin(), alone.end(), "lib250.so"), alone.end());
}

TEST(LayoutTest, MappingsScatteredOverTheWholeAddressSpaceStayFewBands) {
  std::vector<Mapping> mappings;
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    mappings.push_back(make((i + 1) << 30, 0x1000, "", Role::kAnonymous));
  }
  const Layout layout = make_layout(mappings, std::nullopt);
  expect_invariants(layout, mappings);
  EXPECT_LE(layout.bands.size(), 2 * kDefaultMaxBands);
}

TEST(LayoutPictureTest, ProtectionsStandInOneColumnBesideMergedBandsToo) {
  Layout layout;
  for (std::uint64_t i = 0; i < 2; ++i) {
    Band& band = layout.bands.emplace_back();
    band.range = {Address{0x10000 * (i + 1)}, Address{0x10000 * (i + 1) + 0x1000}};
    band.mapped_bytes = kKiB * 4;
    band.label = "LC_NAME";
    band.things_count = 1 + i * 10;
    band.parts = {
        {.protection = {.read = true, .write = false, .execute = false}, .mapped_bytes = kKiB * 4}};
  }
  std::string picture;
  write_layout(picture, {.width = 80}, layout);
  std::istringstream lines(picture);
  std::set<std::size_t> columns;
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("r--"); at != std::string::npos) {
      columns.insert(column_width(std::string_view(line).substr(0, at)));
    }
  }
  EXPECT_EQ(columns.size(), 1U) << picture;
}

TEST(LayoutTest, NothingMappedIsNoBand) {
  EXPECT_TRUE(make_layout({}, Address{0x1000}).bands.empty());
}

}  // namespace
}  // namespace mini::views
