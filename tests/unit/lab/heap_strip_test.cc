#include "lab/heap_strip.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

namespace mini::lab {
namespace {

TEST(HeapStripTest, OneCharacterForEachCell) {
  const std::vector<StripPiece> pieces = {
      {Bytes{32}, false}, {Bytes{32}, true}, {Bytes{96}, false}, {Bytes{16}, true}};
  EXPECT_EQ(draw_strip(pieces, Bytes{32}), "  #.###.\n");
  EXPECT_EQ(draw_strip(pieces, Bytes{64}), "  +#+\n");
  EXPECT_EQ(draw_strip({}, Bytes{16}), "");
}

TEST(HeapStripTest, LinesOf64) {
  const std::vector<StripPiece> pieces = {{Bytes{64}, false}, {Bytes{1}, true}};
  EXPECT_EQ(draw_strip(pieces, Bytes{1}), "  " + std::string(64, '#') + "\n  .\n");
}

TEST(HeapStripTest, TheCellFitsTheLines) {
  const std::vector<StripPiece> pieces = {{Bytes{1000}, false}, {Bytes{1000}, true}};
  for (const std::uint64_t lines : {1U, 2U, 4U}) {
    const std::string strip = draw_strip(pieces, strip_cell(pieces, lines));
    EXPECT_LE(static_cast<std::uint64_t>(std::ranges::count(strip, '\n')), lines);
  }
  EXPECT_EQ(strip_cell({}, 1), Bytes{1});
}

}  // namespace
}  // namespace mini::lab
