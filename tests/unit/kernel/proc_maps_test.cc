#include "kernel/proc_maps.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace mini::kernel {
namespace {

TEST(ProcMaps, ParsesAFileMapping) {
  const auto entry = parse_maps_line(
      "7f6f85ba8000-7f6f85cfe000 r-xp 00026000 fe:01 1234                       "
      "/usr/lib/libc.so.6");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->range.begin.value, 0x7f6f85ba8000U);
  EXPECT_EQ(entry->range.end.value, 0x7f6f85cfe000U);
  EXPECT_TRUE(entry->read && !entry->write && entry->execute && !entry->shared);
  EXPECT_EQ(entry->file_offset, 0x26000U);
  EXPECT_EQ(entry->device, makedev(0xfe, 1));
  EXPECT_EQ(entry->inode, 1234U);
  EXPECT_EQ(entry->path, "/usr/lib/libc.so.6");
}

TEST(ProcMaps, ParsesWhatHasNoPath) {
  const auto entry = parse_maps_line("1000-2000 ---s 00000000 00:00 0 ");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->path, "");
  EXPECT_TRUE(entry->shared);
}

TEST(ProcMaps, KeepsPathsWithSpacesAndSuffixes) {
  const auto entry = parse_maps_line("1000-2000 rw-p 00000000 00:01 7    /a b\\012c (deleted)");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->path, "/a b\nc (deleted)");
}

TEST(ProcMaps, MalformedLinesAreDroppedAndCounted) {
  std::size_t malformed = 0;
  const auto entries = parse_maps(
      "1000-2000 rw-p 00000000 00:00 0 \n"
      "2000-1000 rw-p 00000000 00:00 0 \n"  // ends before it begins
      "zzz\n"
      "3000-4000 rw-p 00000000 00:00\n"        // truncated
      "99999999999999999-2 rw-p 0 00:00 0 \n"  // more than 64 bits
      "5000-6000 rw\n",
      &malformed);
  EXPECT_EQ(entries.size(), 1U);
  EXPECT_EQ(malformed, 5U);
}

TEST(ProcMaps, ReadsItsOwnProcess) {
  const auto entries = read_maps(::getpid());
  ASSERT_TRUE(entries);
  const auto here = reinterpret_cast<std::uintptr_t>(&parse_maps_line);
  const auto code = std::ranges::find_if(
      *entries, [&](const MapsEntry& entry) { return entry.range.contains(Address{here}); });
  ASSERT_NE(code, entries->end());
  EXPECT_TRUE(code->execute);
}

TEST(ProcMaps, AProcessThatIsGoneIsAnError) {
  const auto entries = read_maps(0x3fff'ffff);
  ASSERT_FALSE(entries);
  EXPECT_NE(entries.error().message.find("/proc/1073741823/maps"), std::string::npos);
}

TEST(MapsQuery, SaysOfOneMappingWhatMapsSays) {
  void* shared =
      ::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  const Address address{reinterpret_cast<std::uintptr_t>(shared)};
  MapsQuery query(::getpid());
  const auto found = query.find(address + Bytes{4096});
  const auto entries = read_maps(::getpid());
  ASSERT_TRUE(found && entries);
  const auto expected = std::ranges::find_if(
      *entries, [&](const MapsEntry& entry) { return entry.range.contains(address); });
  ASSERT_NE(expected, entries->end());
  EXPECT_EQ(found->range, expected->range);
  EXPECT_EQ(found->path, expected->path);
  EXPECT_EQ(found->inode, expected->inode);
  EXPECT_EQ(found->device, expected->device);
  EXPECT_EQ(found->shared, expected->shared);
  EXPECT_EQ(found->write, expected->write);
  ::munmap(shared, 3 * 4096);
  EXPECT_FALSE(query.find(Address{0}));
}

}  // namespace
}  // namespace mini::kernel
