// What changed between two inspections, as text: whatever the files say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agreed_text.h"
#include "views/inspection_diff_view.h"

namespace mini::views {
namespace {

TEST(InspectionDiffTextTest, FitsItsWidthAndEscapes) {
  explain::InspectionDiff diff;
  diff.no_heap_before = "it has a malloc of its own, of which nothing is known here, and\x1b[2J";
  diff.is_core_after = true;
  InspectionDiffOptions options;
  options.before_file = "/var/tmp/a directory with a long name/before.json";
  options.after_file = "/var/tmp/a directory with a long name/after\u202e\u202c.json";
  for (const std::size_t width : {kMinWidth, std::size_t{80}}) {
    options.style = {.width = width, .unicode = false};
    std::string out;
    write_inspection_diff(out, diff, {}, options);
    expect_lines_fit(out, width);
    expect_nothing_obeyed(out, options.style);
    EXPECT_THAT(out, testing::HasSubstr("No heap is in /var/tmp/a directory"));
  }
}

}  // namespace
}  // namespace mini::views
