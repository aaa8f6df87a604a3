#include "kernel/memory_gauge.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/proc_maps.h"

namespace mini::kernel {
namespace {

TEST(MemoryGauge, ParsesStatus) {
  MemoryReading reading;
  ASSERT_TRUE(parse_memory_status(
      "Name:\tVmRSS: 1 kB\nVmSize:\t    3000 kB\nVmHWM:\t 2000 kB\nVmRSS:\t    1000 kB\n",
      &reading));
  EXPECT_EQ(reading.mapped, Bytes{3000 * 1024});
  EXPECT_EQ(reading.peak_resident, Bytes{2000 * 1024});
  EXPECT_EQ(reading.resident, Bytes{1000 * 1024});
}

TEST(MemoryGauge, ParsesResidentPages) {
  EXPECT_EQ(parse_resident("300 20 10 1 0 5 0\n"),
            Bytes{20 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))});
  for (const char* const text : {"", "300", "300 x", "300 99999999999999999999"}) {
    EXPECT_EQ(parse_resident(text), Bytes{}) << text;
  }
}

TEST(MemoryGauge, AProcessThatIsGoneHasNoMemory) {
  MemoryReading reading;
  EXPECT_FALSE(parse_memory_status("Name:\tx\nState:\tZ (zombie)\n", &reading));
  EXPECT_FALSE(parse_memory_status("", &reading));
  EXPECT_FALSE(parse_memory_status("\nVmRSS:\tx\nVmHWM:\t1\nVmSize:\t1\n", &reading));
}

// The name of a program may look like fields.
TEST(MemoryGauge, FindsFaultsBehindAHostileName) {
  MemoryReading reading;
  ASSERT_TRUE(parse_faults("7 (a) S 1 (b) S 4 5 6 7 8 9 10 11 12 13", &reading));
  EXPECT_EQ(reading.minor_faults, 10U);
  EXPECT_EQ(reading.major_faults, 12U);
  EXPECT_FALSE(parse_faults("7 (a) S 4 5 6 7 8 9", &reading));
  EXPECT_FALSE(parse_faults("7 (a", &reading));
  EXPECT_FALSE(parse_faults("", &reading));
}

TEST(MemoryGauge, FindsTheBreakAmongTheFirstMappings) {
  EXPECT_EQ(parse_break("5000-6000 r-xp 00000000 08:01 7 /bin/x\n"
                        "7000-a000 rw-p 00000000 00:00 0                    [heap]\n"
                        "b000-c000 rw-p 0"),
            Bytes{0x3000});
  EXPECT_EQ(parse_break("5000-6000 r-xp 00000000 08:01 7 /bin/x [heap]x\n"), Bytes{});
  EXPECT_EQ(parse_break("7000-a000 [heap]"), Bytes{});
  EXPECT_EQ(parse_break(""), Bytes{});
}

TEST(MemoryGauge, ReadsTheProportionalSize) {
  EXPECT_EQ(parse_proportional("1-2 ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss:      7 kB\n"),
            Bytes{7 * 1024});
  EXPECT_EQ(parse_proportional("Pss: 7 kB"), Bytes{});
}

TEST(MemoryGauge, ReadsAProcessUntilItEnds) {
  MemoryGauge own(::getpid());
  const auto reading = own.read();
  ASSERT_TRUE(reading);
  EXPECT_GT(reading->resident.count, 0U);
  EXPECT_GE(reading->mapped, reading->resident);
  EXPECT_GT(reading->minor_faults, 0U);
  // A sanitizer's malloc has no heap at the break.
  const auto maps = read_maps(::getpid());
  ASSERT_TRUE(maps);
  const bool has_break =
      std::ranges::any_of(*maps, [](const MapsEntry& entry) { return entry.path == "[heap]"; });
  EXPECT_EQ(reading->break_bytes > Bytes{}, has_break);
  EXPECT_LE(reading->break_bytes, reading->mapped);
  EXPECT_GT(reading->proportional, Bytes{});
  EXPECT_LE(reading->proportional, reading->resident);
  EXPECT_EQ(own.read()->proportional, Bytes{});  // not so soon again

  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(MemoryGauge(child).read());
}

// Its figures would be taken for those of the program before.
TEST(MemoryGauge, DoesNotReadAnotherProgram) {
  int go[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  int has_become[2];
  ASSERT_EQ(::pipe2(has_become, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) == 1) ::execl("/bin/sleep", "sleep", "60", nullptr);
    ::_exit(1);
  }
  ::close(has_become[1]);
  MemoryGauge gauge(child);
  EXPECT_TRUE(gauge.read());
  ASSERT_EQ(::write(go[1], "", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(has_become[0], &byte, 1), 0);  // execve closed the child's end
  EXPECT_FALSE(gauge.read());
  EXPECT_TRUE(MemoryGauge(child).read());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int end : {go[0], go[1], has_become[0]}) ::close(end);
}

}  // namespace
}  // namespace mini::kernel
