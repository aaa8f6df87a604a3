#include "kernel/flag_names.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace mini::kernel {
namespace {

TEST(FlagNames, NamesEveryBitInTheOrderOfTheTable) {
  EXPECT_EQ(format_flags(kProtectionFlags, PROT_READ | PROT_WRITE), "PROT_READ|PROT_WRITE");
  EXPECT_EQ(format_flags(kProtectionFlags, PROT_NONE), "PROT_NONE");
  EXPECT_EQ(format_flags(kMmapFlags, MAP_PRIVATE | MAP_ANONYMOUS), "MAP_PRIVATE|MAP_ANONYMOUS");
  EXPECT_EQ(format_flags(kMlockallFlags, 3), "MCL_CURRENT|MCL_FUTURE");
}

TEST(FlagNames, TheTypeOfAMappingIsANumberAndNotTwoBits) {
  EXPECT_EQ(format_flags(kMmapFlags, MAP_SHARED), "MAP_SHARED");
  EXPECT_EQ(format_flags(kMmapFlags, 3), "MAP_SHARED_VALIDATE");
  EXPECT_EQ(format_flags(kMmapFlags, 0), "0");
}

TEST(FlagNames, HugePageSizesAreNamed) {
  EXPECT_EQ(format_flags(kMmapFlags, 0x40022U | (21U << 26)),
            "MAP_PRIVATE|MAP_HUGE_2MB|MAP_ANONYMOUS|MAP_HUGETLB");
}

TEST(FlagNames, UnknownBitsAreShownInHexadecimal) {
  EXPECT_EQ(format_flags(kProtectionFlags, PROT_READ | 0x4000), "PROT_READ|0x4000");
  EXPECT_EQ(format_flags(kProtectionFlags, 0x8000'0000'0000'0000), "0x8000000000000000");
  EXPECT_EQ(format_flags(kMmapFlags, 0x5), "0x5");
  EXPECT_EQ(format_flags(kMmapFlags, 0x2U | (17U << 26)), "MAP_PRIVATE|0x44000000");
}

TEST(FlagNames, AdviceIsOneNameAndAnInt) {
  EXPECT_EQ(format_flags(kAdviceNames, 0), "MADV_NORMAL");
  EXPECT_EQ(format_flags(kAdviceNames, MADV_DONTNEED), "MADV_DONTNEED");
  EXPECT_EQ(format_flags(kAdviceNames, 77), "0x4d");
  EXPECT_EQ(format_flags(kAdviceNames, 0xffff'ffff'0000'0004), "MADV_DONTNEED");
}

}  // namespace
}  // namespace mini::kernel
