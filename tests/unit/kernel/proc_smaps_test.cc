#include "kernel/proc_smaps.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/present_pages.h"
#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

constexpr std::string_view kTwo =
    "55d0a5a00000-55d0a5a21000 rw-p 00000000 00:00 0                          [heap]\n"
    "Size:                132 kB\n"
    "KernelPageSize:        4 kB\n"
    "Rss:                  92 kB\n"
    "Pss:                  92 kB\n"
    "AnonHugePages:         8 kB\n"
    "Swap:                 12 kB\n"
    "VmFlags: rd wr mr mw me ac sd \n"
    "7f0000000000-7f0000001000 r--p 00000000 08:01 7 /a file: 1 kB\n"
    "Rss:                   4 kB\n";

TEST(ProcSmapsTest, FiguresGoToTheMappingAboveThem) {
  const auto entries = parse_smaps(kTwo);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].mapping.path, "[heap]");
  EXPECT_EQ(entries[0].resident, kKiB * 92);
  EXPECT_EQ(entries[0].swapped, kKiB * 12);
  EXPECT_EQ(entries[0].huge, kKiB * 8);
  EXPECT_EQ(entries[1].mapping.path, "/a file: 1 kB");
  EXPECT_EQ(entries[1].resident, kKiB * 4);
}

TEST(ProcSmapsTest, WhatIsMalformedIsLeftOut) {
  EXPECT_TRUE(parse_smaps("Rss: 4 kB\n").empty());
  const auto entries = parse_smaps(
      "1000-2000 rw-p 00000000 00:00 0 \nRss: x kB\nRss:\nRss: 99999999999999999999 kB\n"
      "Rss: 18446744073709551615 kB\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].resident, Bytes{0});
}

TEST(ProcSmapsTest, FiguresOfTheProcess) {
  const auto figures = parse_resident_figures(
      "Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t    1000 kB\nVmSize:\t 5000 kB\nVmPTE:\t 60 kB\n"
      "VmSwap:\t 7 kB\nHugetlbPages:\t 2048 kB\n");
  ASSERT_TRUE(figures.has_value());
  EXPECT_EQ(figures->resident, kKiB * 1000);
  EXPECT_EQ(figures->peak_resident, kKiB * 2000);
  EXPECT_EQ(figures->mapped, kKiB * 5000);
  EXPECT_EQ(figures->page_tables, kKiB * 60);
  EXPECT_EQ(figures->swapped, kKiB * 7);
  EXPECT_EQ(figures->pool_pages, kKiB * 2048);
  EXPECT_FALSE(parse_resident_figures("Name:\tkthreadd\n").has_value());
}

TEST(PresentPagesTest, ThePagesThatWereWrittenTo) {
  const std::size_t page = page_size().count;
  auto* memory = static_cast<char*>(
      mmap(nullptr, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  madvise(memory, 8 * page, MADV_NOHUGEPAGE);
  memory[1 * page] = 1;
  memory[2 * page] = 1;
  memory[6 * page] = 1;
  const Address begin{reinterpret_cast<std::uint64_t>(memory)};
  std::vector<AddressRange> runs;
  PresentPages(getpid()).append({begin, begin + Bytes{8 * page}}, runs);
  const std::vector<AddressRange> expected = {{begin + Bytes{page}, begin + Bytes{3 * page}},
                                              {begin + Bytes{6 * page}, begin + Bytes{7 * page}}};
  EXPECT_EQ(runs, expected);
  munmap(memory, 8 * page);
}

}  // namespace
}  // namespace mini::kernel
