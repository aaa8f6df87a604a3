// Names as people read them; hostile names stay cheap.
#include "unwind/demangle.h"

#include <gtest/gtest.h>

namespace mini::unwind {
namespace {

TEST(DisplayName, LeavesCNamesAlone) {
  EXPECT_EQ(display_name("_int_malloc"), "_int_malloc");
}

TEST(DisplayName, DropsVersions) {
  EXPECT_EQ(display_name("malloc@@GLIBC_2.2.5"), "malloc");
  EXPECT_EQ(display_name("memcpy@GLIBC_2.14"), "memcpy");
}

TEST(DisplayName, DropsCompilerSuffixes) {
  EXPECT_EQ(display_name("tcache_init.part.0"), "tcache_init");
  EXPECT_EQ(display_name("abort_it.cold"), "abort_it");
  EXPECT_EQ(display_name("grow.isra.0.constprop.1"), "grow");
  EXPECT_EQ(display_name(".part.0"), ".part.0");
}

TEST(DisplayName, DemanglesCpp) {
  EXPECT_EQ(display_name("_ZN6shapes6Circle4drawEi"), "shapes::Circle::draw(int)");
  EXPECT_EQ(display_name("_ZN6shapes6Circle4drawEi.cold"), "shapes::Circle::draw(int)");
}

TEST(DisplayName, WhatIsInIdentifiersRepeatsNothing) {
  EXPECT_EQ(display_name("_ZN9transport18ResponseDispatcher8dispatchEi"),
            "transport::ResponseDispatcher::dispatch(int)");
  EXPECT_EQ(display_name("_ZNK9workspace9SpacesDSP7inspectERKNS_9spspspspsESt6vectorIiSaIiEE"),
            "workspace::SpacesDSP::inspect(workspace::spspspsps const&, "
            "std::vector<int, std::allocator<int> >) const");
}

TEST(DisplayName, ANumberThatIsNoLengthHidesNothing) {
  // 900 is a literal's value, not the length of an identifier with all expansions in it.
  std::string bomb = "_Z1fILi900EEv";
  for (int i = 0; i < 10; ++i) bomb += "DpT_";
  EXPECT_EQ(display_name(bomb), bomb);
}

TEST(DisplayName, KeepsWhatIsNotAName) {
  EXPECT_EQ(display_name("_Z"), "_Z");
  EXPECT_EQ(display_name("_ZN6shapes"), "_ZN6shapes");
  EXPECT_EQ(display_name(""), "");
}

TEST(DisplayName, NeverPrintsControlCharacters) {
  EXPECT_EQ(display_name("a\x1b[31mb\n"), "a?[31mb?");
  EXPECT_EQ(display_name("a\u009b31mb"), "a?31mb");
  EXPECT_EQ(display_name("gr\u00f6\u00dfe\x9b"), "gr\u00f6\u00dfe\x9b");
}

TEST(DisplayName, RefusesExponentialExpansion) {
  // Every level names the one before twice: 2^100 words if it were expanded.
  std::string bomb = "_Z1f1AIiE";
  static constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int i = 0; i < 100; ++i) {
    std::string reference = "S";
    if (i >= 36) reference += kDigits[i / 36];
    reference += kDigits[i % 36];
    reference += '_';
    bomb.append("1AI").append(reference).append(reference).append("E");
  }
  EXPECT_EQ(display_name(bomb), bomb);
}

TEST(DisplayName, BoundsTheLength) {
  EXPECT_LE(display_name(std::string(100000, 'a')).size(), 4096U);
}

}  // namespace
}  // namespace mini::unwind
