// What DWARF says of an address, where there is so much of it that not all is looked at.
#include "unwind/source_lines.h"

#include <gtest/gtest.h>

#include "unwind/symbol_table.h"

namespace mini::unwind {
namespace {

std::vector<SourceFrame> frames_at(const std::string& program, const char* symbol) {
  const auto file = ElfFile::open(MINI_UNWIND_TARGETS "/" + program);
  if (!file) return {};
  const SymbolTable symbols(**file, SymbolTable::Kind::kStatic);
  return SourceLines(**file, "").frames_at(symbols.address_of(symbol).value());
}

using Names = std::vector<std::string>;

/// Innermost first.
Names functions_at(const char* symbol) {
  Names names;
  for (const SourceFrame& frame : frames_at("many_ranges", symbol)) names.push_back(frame.function);
  return names;
}

TEST(ManyRanges, AreNoConcernOfWhatComesBeforeThem) {
  EXPECT_EQ(functions_at("sound"), (Names{"inlined", "sound"}));
}

TEST(ManyRanges, OfInlinedFunctionsAreNotAllLookedAt) {
  EXPECT_EQ(functions_at("crowded"), Names{"crowded"});
}

TEST(ManyRanges, OfFunctionsAreNotAllKept) {
  EXPECT_EQ(functions_at("far_function"), Names{""});
}

TEST(ManyRanges, OfUnitsAreNotAllLookedAt) {
  EXPECT_EQ(functions_at("far_unit"), Names{});
}

TEST(LongLineTable, IsNotRead) {
  const auto with_lines = frames_at("long_lines", "with_lines");
  ASSERT_EQ(with_lines.size(), 1U);
  EXPECT_EQ(with_lines[0].file, "with_lines.c");
  EXPECT_EQ(with_lines[0].line, 1U);
  const auto with_long_lines = frames_at("long_lines", "with_long_lines");
  ASSERT_EQ(with_long_lines.size(), 1U);
  EXPECT_EQ(with_long_lines[0].file, "");
  EXPECT_EQ(with_long_lines[0].line, 0U);
}

}  // namespace
}  // namespace mini::unwind
