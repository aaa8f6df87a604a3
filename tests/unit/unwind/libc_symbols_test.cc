// The table of glibc's internal functions: sound as data, and right where we can compare.
#include "unwind/libc_symbols.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <vector>

namespace mini::unwind {
namespace {

std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// Debian 2.36-9+deb12u14 libc.so.6
constexpr std::string_view kBookworm = "93ac61ec5a8eb1396f9fbd350e3169a558528a40";

TEST(LibcSymbols, KnowsMallocsInternals) {
  const LibcBuild* build = find_libc_build(from_hex(kBookworm));
  ASSERT_NE(build, nullptr);
  for (const std::string_view name :
       {"_int_malloc", "sysmalloc", "tcache_init", "new_heap", "_IO_wfile_doallocate",
        "__libc_start_call_main", "main_arena", "mp_"}) {
    EXPECT_TRUE(symbol_named(*build, name)) << name;
  }
  EXPECT_EQ(function_at(*build, 0x97360 + 3755).value_or(LibcSymbol{}).name, "_int_malloc");
}

TEST(LibcSymbols, IsSortedAndDoesNotOverlap) {
  const LibcBuild* build = find_libc_build(from_hex(kBookworm));
  ASSERT_NE(build, nullptr);
  for (std::size_t i = 1; i < build->functions.size(); ++i) {
    const LibcSymbol& before = build->functions[i - 1];
    EXPECT_LE(before.address + before.size, build->functions[i].address) << before.name;
  }
}

TEST(LibcSymbols, NamesNothingBetweenFunctions) {
  const LibcBuild* build = find_libc_build(from_hex(kBookworm));
  ASSERT_NE(build, nullptr);
  const LibcSymbol last = build->functions.back();
  EXPECT_TRUE(function_at(*build, last.address));
  EXPECT_FALSE(function_at(*build, std::uint64_t{last.address} + last.size));
  EXPECT_FALSE(function_at(*build, 0));
  EXPECT_FALSE(symbol_named(*build, "no_such_function"));
}

TEST(LibcSymbols, DoesNotKnowOtherBuilds) {
  EXPECT_EQ(find_libc_build({}), nullptr);
  EXPECT_EQ(find_libc_build(from_hex("00112233")), nullptr);
}

}  // namespace
}  // namespace mini::unwind
