// What DWARF says of an address, where there is so much of it that not all is looked at.
#include "unwind/source_lines.h"

#include <gtest/gtest.h>

#include "unwind/symbol_table.h"

namespace mini::unwind {
namespace {

class ManyRanges : public testing::Test {
 protected:
  void SetUp() override {
    auto file = ElfFile::open(MINI_UNWIND_TARGETS "/many_ranges");
    ASSERT_TRUE(file) << file.error().message;
    file_ = std::move(*file);
  }

  /// Innermost first.
  std::vector<std::string> functions_at(const char* symbol) {
    const SymbolTable symbols(*file_, SymbolTable::Kind::kStatic);
    std::vector<std::string> names;
    SourceLines lines(*file_, "");
    for (const SourceFrame& frame : lines.frames_at(symbols.address_of(symbol).value())) {
      names.push_back(frame.function);
    }
    return names;
  }

  std::unique_ptr<ElfFile> file_;
};

using Names = std::vector<std::string>;

TEST_F(ManyRanges, AreNoConcernOfWhatComesBeforeThem) {
  EXPECT_EQ(functions_at("sound"), (Names{"inlined", "sound"}));
}

TEST_F(ManyRanges, OfInlinedFunctionsAreNotAllLookedAt) {
  EXPECT_EQ(functions_at("crowded"), Names{"crowded"});
}

TEST_F(ManyRanges, OfFunctionsAreNotAllKept) {
  EXPECT_EQ(functions_at("far_function"), Names{""});
}

TEST_F(ManyRanges, OfUnitsAreNotAllLookedAt) {
  EXPECT_EQ(functions_at("far_unit"), Names{});
}

}  // namespace
}  // namespace mini::unwind
