#include "kernel/proc_status.h"

#include <array>
#include <elf.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

TEST(ProcStatus, ParsesStatus) {
  const auto status = parse_status(
      "Name:\tevil: Tgid:\t99\nState:\tT (stopped)\nTgid:\t42\nPPid:\t7\nTracerPid:\t9\n"
      "Uid:\t1000\t1001\t1002\t1003\nVmSize:\t 100 kB\n"
      "CapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\nCapEff:\t0000000000000400\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->thread_group, 42);
  EXPECT_EQ(status->parent, 7);
  EXPECT_EQ(status->tracer, 9);
  EXPECT_EQ(status->effective_user, 1001U);
  EXPECT_EQ(status->permitted_capabilities, 0x1fffeffffffU);
  EXPECT_EQ(status->effective_capabilities, 0x400U);
  EXPECT_EQ(status->state, 'T');
  EXPECT_FALSE(status->kernel_thread);
}

TEST(ProcStatus, KnowsKernelThreadsWithAndWithoutTheirLine) {
  EXPECT_TRUE(parse_status("Tgid:\t2\nKthread:\t1\n")->kernel_thread);
  EXPECT_FALSE(parse_status("Tgid:\t2\nKthread:\t0\n")->kernel_thread);
  EXPECT_TRUE(parse_status("State:\tS (sleeping)\nTgid:\t2\n")->kernel_thread);
  EXPECT_FALSE(parse_status("State:\tZ (zombie)\nTgid:\t2\n")->kernel_thread);
}

TEST(ProcStatus, KnowsANumberInTheInnermostNamespace) {
  EXPECT_EQ(parse_innermost_pid("Name:\tNSpid: 9\nNSpid:\t4711\t17\t1\nNSpgid:\t3\n"), 1);
  EXPECT_EQ(parse_innermost_pid("Name:\tx\nNSpid:\t4711\n"), 4711);
  EXPECT_FALSE(parse_innermost_pid("Name:\tx\nPid:\t4711\n"));
  EXPECT_FALSE(parse_innermost_pid("Name:\tx\nNSpid:\t\n"));
  EXPECT_FALSE(parse_innermost_pid("Name:\tx\nNSpid:\t1x\n"));
}

TEST(ProcStatus, FindsAProcessOfItsOwnNamespaceByItsNumber) {
  struct stat status{};
  ASSERT_EQ(::stat("/proc/self/ns/pid", &status), 0);
  const auto is_any = [](pid_t) { return true; };
  const auto is_none = [](pid_t) { return false; };
  EXPECT_EQ(find_in_namespace(::getpid(), status.st_ino, is_none), ::getpid());
  EXPECT_EQ(find_in_namespace(::getpid(), 0, is_any), ::getpid());
  EXPECT_FALSE(find_in_namespace(::getpid(), 0, is_none));
  EXPECT_FALSE(find_in_namespace(::getpid(), status.st_ino + 1, is_any));
}

TEST(ProcStatus, KnowsWhatAProcessCameFrom) {
  EXPECT_TRUE(descends_from(::getpid(), ::getpid()));
  EXPECT_TRUE(descends_from(::getpid(), ::getppid()));
  EXPECT_FALSE(descends_from(::getppid(), ::getpid()));
  EXPECT_FALSE(descends_from(1, ::getpid()));
  EXPECT_FALSE(descends_from(-1, ::getpid()));
}

TEST(ProcStatus, RefusesTextWithoutAProcess) {
  EXPECT_FALSE(parse_status(""));
  EXPECT_FALSE(parse_status("Tgid:\t-3\n"));
  EXPECT_FALSE(parse_status("Tgid:\tx\n"));
}

TEST(ProcStatus, ReadsItsOwnProcess) {
  const auto status = read_status(::getpid());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->thread_group, ::getpid());
  EXPECT_EQ(status->parent, ::getppid());
  EXPECT_FALSE(status->kernel_thread);
}

// The name of a program may look like fields of its own.
TEST(ProcStatus, FindsTheHeapStartBehindAHostileName) {
  std::string text = "1 (a) R 1 2 (b)) S";
  for (int field = 4; field <= 52; ++field) text += " " + std::to_string(field * 1000);
  EXPECT_EQ(parse_heap_start(text + "\n"), Address{47'000});
  EXPECT_FALSE(parse_heap_start("1 (a"));
  EXPECT_FALSE(parse_heap_start("1 (a) R 1 2 3"));
  EXPECT_FALSE(parse_heap_start(""));
}

TEST(ProcStatus, TheHeapStartsNotAboveTheBreak) {
  const auto start = read_heap_start(::getpid());
  ASSERT_TRUE(start);
  EXPECT_LE(start->value, reinterpret_cast<std::uintptr_t>(::sbrk(0)));
}

TEST(ProcStatus, ReadsTheAuxiliaryVector) {
  const AuxiliaryVector vector = read_auxv(::getpid());
  EXPECT_EQ(vector.entry_point.value, ::getauxval(AT_ENTRY));
  EXPECT_EQ(vector.base.value, ::getauxval(AT_BASE));
}

TEST(ProcStatus, TheAuxiliaryVectorMayBeTruncated) {
  std::array<Elf64_auxv_t, 2> entries{};
  entries[0].a_type = AT_ENTRY;
  entries[0].a_un.a_val = 5;
  entries[1].a_type = AT_BASE;
  entries[1].a_un.a_val = 6;
  const auto bytes = std::as_bytes(std::span(entries));
  EXPECT_EQ(parse_auxv(bytes).base, Address{6});
  EXPECT_EQ(parse_auxv(bytes.first(bytes.size() - 1)).base, Address{0});
  EXPECT_EQ(parse_auxv(bytes.first(3)).entry_point, Address{0});
}

TEST(ProcStatus, ParsesTheSizeInPages) {
  const auto size = parse_statm("100 25 10 1 0 5 0\n", Bytes{4096});
  ASSERT_TRUE(size);
  EXPECT_EQ(size->mapped, Bytes{100 * 4096});
  EXPECT_EQ(size->resident, Bytes{25 * 4096});
  EXPECT_FALSE(parse_statm("100", Bytes{4096}));
  EXPECT_FALSE(parse_statm("", Bytes{4096}));
  EXPECT_FALSE(parse_statm("1 18446744073709551615 0", Bytes{4096}));  // overflows
  EXPECT_FALSE(parse_statm("18446744073709551615 1 0", Bytes{4096}));
}

TEST(ProcStatus, SizeReaderFollowsAProcess) {
  SizeReader reader(::getpid());
  const auto size = reader.read();
  ASSERT_TRUE(size);
  EXPECT_GT(size->resident, Bytes{100 * 1024});
  EXPECT_GT(size->mapped, size->resident);
  SizeReader nobody(0x3fff'ffff);
  EXPECT_FALSE(nobody.read());
}

TEST(ProcStatus, SeesASignalThatWaits) {
  const auto status = [](const char* pending, const char* shared, const char* blocked,
                         const char* ignored) {
    return std::string("Name:\tx\nSigPnd:\t") + pending + "\nShdPnd:\t" + shared + "\nSigBlk:\t" +
           blocked + "\nSigIgn:\t" + ignored + "\nSigCgt:\tff\n";
  };
  EXPECT_FALSE(parse_signal_waiting(status("0", "0", "0", "0")));
  EXPECT_TRUE(parse_signal_waiting(status("200", "0", "0", "0")));
  EXPECT_TRUE(parse_signal_waiting(status("0", "0000000000000200", "100", "0")));
  EXPECT_FALSE(parse_signal_waiting(status("200", "0", "200", "0")));
  EXPECT_FALSE(parse_signal_waiting(status("0", "200", "0", "200")));
  EXPECT_FALSE(parse_signal_waiting(""));
}

}  // namespace
}  // namespace mini::kernel
