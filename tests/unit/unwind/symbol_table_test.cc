// Which symbol an address belongs to, on real files.
#include "unwind/symbol_table.h"

#include <gtest/gtest.h>

namespace mini::unwind {
namespace {

std::unique_ptr<ElfFile> target(const std::string& name) {
  auto file = ElfFile::open(std::string(MINI_UNWIND_TARGETS "/") + name);
  return file ? std::move(*file) : nullptr;
}

TEST(Aliases, PreferTheNameProgramsCall) {
  EXPECT_TRUE(is_better_alias("malloc", "__libc_malloc"));
  EXPECT_TRUE(is_better_alias("sbrk", "__sbrk"));
  EXPECT_TRUE(is_better_alias("mmap", "__mmap64"));
  EXPECT_TRUE(is_better_alias("mmap", "mmap64"));
  EXPECT_TRUE(is_better_alias("printf@@GLIBC_2.2.5", "_IO_printf"));
  EXPECT_FALSE(is_better_alias("_IO_printf", "printf@@GLIBC_2.2.5"));
}

std::string_view name_at(const SymbolTable& table, std::uint64_t address) {
  return table.function_at(address).value_or(Symbol{}).name;
}

TEST(SymbolTable, NamesAFunctionFromItsFirstToItsLastByte) {
  const auto file = target("chain");
  ASSERT_NE(file, nullptr);
  const SymbolTable table(*file, SymbolTable::Kind::kStatic);
  const std::uint64_t address = table.address_of("alpha_calls").value_or(0);
  ASSERT_NE(address, 0U);
  EXPECT_EQ(name_at(table, address), "alpha_calls");
  EXPECT_EQ(name_at(table, address + 1), "alpha_calls");
  EXPECT_EQ(table.function_at(address + 1).value_or(Symbol{}).address, address);
  EXPECT_NE(name_at(table, address - 1), "alpha_calls");
}

TEST(SymbolTable, FindsDataByNameAndNeverByAddress) {
  const auto file = target("chain");
  ASSERT_NE(file, nullptr);
  const SymbolTable table(*file, SymbolTable::Kind::kStatic);
  const std::uint64_t address = table.address_of("sink").value_or(0);
  ASSERT_NE(address, 0U);
  EXPECT_EQ(name_at(table, address), "");
}

TEST(SymbolTable, IsEmptyInAStrippedFile) {
  const auto file = target("chain_stripped");
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(SymbolTable(*file, SymbolTable::Kind::kStatic).empty());
}

TEST(SymbolTable, AnExportReachesAsFarAsItsSizeOnly) {
  const auto file = target("plugin.so");
  ASSERT_NE(file, nullptr);
  const SymbolTable exports(*file, SymbolTable::Kind::kDynamic);
  const std::uint64_t address = exports.address_of("plugin_calls").value_or(0);
  ASSERT_NE(address, 0U);
  std::uint64_t end = address;
  while (exports.function_at(end)) ++end;
  EXPECT_GT(end, address);
  EXPECT_LT(end, address + 100);
  // Everything else in that file belongs to no export.
  EXPECT_EQ(name_at(exports, address - 1), "");
  EXPECT_EQ(name_at(exports, end + 1), "");
}

}  // namespace
}  // namespace mini::unwind
