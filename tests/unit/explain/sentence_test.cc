// Sentences about everybody but glibc's malloc.
#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story.h"

namespace mini::explain {
namespace {

using model::EventKind;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint64_t kHeap = 0x5000'0000;

TEST(SentenceTest, AQuestionIsNoGrowth) {
  Story story;
  EXPECT_EQ(story.brk(0, kLoaderMaps).explanation,
            "a question, not a growth: the loader asks where the heap will start");
  EXPECT_EQ(story.brk(0, kOwnSbrk).explanation,
            "a question, not a growth: the program's own sbrk has to know where the break is");
}

TEST(SentenceTest, TheProgramMovesTheBreakItself) {
  Story story;
  story.brk(kHeap, kLoaderMaps);
  EXPECT_EQ(story.brk(kHeap + 1000, kOwnSbrk).explanation,
            "the program moved the break up itself by 1000 bytes; malloc had no part in it");
  EXPECT_EQ(
      story.brk(kHeap + 2000, kOwnSbrk).explanation,
      "the program moved the break up itself by 1000 bytes; malloc had no part in it; they lie "
      "in a page that was mapped already");
  EXPECT_THAT(story.brk(kHeap, kOwnSbrk).explanation, HasSubstr("back itself by 2000 bytes"));
  EXPECT_THAT(story.brk(kHeap + 1, kOwnSbrk).explanation, HasSubstr("up itself by 1 byte;"));
  EXPECT_THAT(story.brk(kHeap, kOwnSbrk).explanation, HasSubstr("back itself by 1 byte;"));
  EXPECT_THAT(story.brk(kHeap + 16, "brk@c sbrk@c grow@x main@p").explanation,
              StartsWith("libother.so.2's code moved the break"));
}

TEST(SentenceTest, TheLoadersMappings) {
  Story story;
  const std::string libc(kLibcPath);
  EXPECT_THAT(
      story.mmap(range_of(0x1000, 0x1000), kLoaderMaps, "/etc/ld.so.cache", 1, 2).explanation,
      StartsWith("the index of installed libraries"));
  EXPECT_THAT(story.munmap(range_of(0x1000, 0x1000), kLoaderMaps).explanation,
              HasSubstr("no longer needed"));
  EXPECT_THAT(story.mmap(range_of(0x10000, 0x9000), kLoaderMaps, libc, 1, 2).explanation,
              HasSubstr("room for the whole of libc.so.6 in one piece, 36 KiB"));
  EXPECT_THAT(story.mmap(range_of(0x11000, 0x1000), kLoaderMaps, libc, 5, 0x12, 0x1000).explanation,
              StartsWith("the code of libc.so.6"));
  EXPECT_THAT(story.mmap(range_of(0x17000, 0x1000), kLoaderMaps, libc, 3, 0x12, 0x7000).explanation,
              StartsWith("variables of libc.so.6"));
  EXPECT_THAT(story.mmap(range_of(0x18000, 0x1000), kLoaderMaps, "", 3, 0x32).explanation,
              StartsWith("zeroed variables of libc.so.6"));
  EXPECT_THAT(story.mprotect(range_of(0x17000, 0x1000), 1, kLoaderMaps).explanation,
              HasSubstr("(RELRO)"));
  EXPECT_THAT(story.mmap(range_of(0x40000, 0x9000), "?@l ?@l ?@c dlopen@c main@p", "/x.so", 1, 2)
                  .explanation,
              HasSubstr("asked for by dlopen"));
}

TEST(SentenceTest, AThreadsStackAndItsGuard) {
  constexpr auto kCreate = "mmap@c allocate_stack@c pthread_create@c main@p";
  Story story;
  EXPECT_EQ(story.mmap(range_of(0x10000000, 8392704), kCreate, "", 0, 0x20022).explanation,
            "a stack for a new thread: 8 MiB (8392704 bytes) with the guard below it");
  EXPECT_EQ(story.mprotect(range_of(0x10001000, 8388608), 3, kCreate).explanation,
            "8 MiB (8388608 bytes) of stack become usable; the 4 KiB below stay without access, as "
            "a guard");
  EXPECT_EQ(story.mmap(range_of(0x20000000, 1048576), kCreate, "", 3, 0x20022).explanation,
            "a stack for a new thread: 1 MiB (1048576 bytes)");
}

TEST(SentenceTest, RuntimesManageTheirOwnMemory) {
  Story story;
  EXPECT_EQ(story.mmap(range_of(0x10000, 0x200000), "mmap@c ?@j malloc@j main@p").explanation,
            "jemalloc manages its own memory: 2 MiB (2097152 bytes), without libc's malloc");
  story.brk(kHeap, kLoaderMaps);
  EXPECT_THAT(story.brk(kHeap + 4096, "brk@c sbrk@c ?@j malloc@j main@p").explanation,
              StartsWith("jemalloc takes 4 KiB (4096 bytes) of heap itself"));
}

TEST(SentenceTest, FailuresHaveAHint) {
  Story story;
  EXPECT_THAT(story.failed("mmap", ENOMEM, kOwnMmap).explanation,
              AllOf(HasSubstr("RLIMIT_AS"), Not(HasSubstr("is not mapped"))));
  EXPECT_THAT(story.failed("mlock", ENOMEM, kOwnMmap).explanation, HasSubstr("is not mapped"));
  EXPECT_THAT(story.failed("mlock", ENOMEM, kOwnMmap).explanation, HasSubstr("RLIMIT_MEMLOCK"));
  EXPECT_THAT(story.failed("mprotect", ENOMEM, kOwnMmap).explanation,
              AllOf(HasSubstr("vm.max_map_count"), HasSubstr("is not mapped")));
  EXPECT_THAT(story.failed("mmap", EAGAIN, kOwnMmap).explanation, HasSubstr("RLIMIT_MEMLOCK"));
  EXPECT_THAT(story.failed("io_setup", EAGAIN, kOwnMmap).explanation, HasSubstr("fs.aio-max-nr"));
  EXPECT_THAT(story.failed("io_setup", ENOMEM, kOwnMmap).explanation,
              Not(HasSubstr("is not mapped")));
  EXPECT_THAT(story.failed("shmat", EACCES, kOwnMmap).explanation, HasSubstr("segment's mode"));
  EXPECT_EQ(story.failed("mmap", ENODEV, kOwnMmap).explanation, "");
  model::Event huge;
  huge.syscall = "mmap";
  huge.arguments = {{.name = "flags", .form = {}, .value = 0x40022, .text = {}}};
  huge.result = -1;
  huge.error_number = ENOMEM;
  story.tell(huge, kOwnMmap, {});
  EXPECT_THAT(huge.explanation, HasSubstr("vm.nr_hugepages"));
}

TEST(SentenceTest, AllMemoryStaysInRam) {
  Story story;
  const auto lock = [&](std::string_view syscall, std::string flags) {
    model::Event event;
    event.syscall = syscall;
    event.arguments = {{.name = "flags", .form = {}, .value = 1, .text = std::move(flags)}};
    story.tell(event, "mlockall@c main@p", {});
    return event.explanation;
  };
  EXPECT_EQ(lock("mlockall", "MCL_CURRENT|MCL_FUTURE"),
            "all that is mapped, now or later, stays in RAM, and is put there at once");
  EXPECT_EQ(lock("mlockall", "MCL_FUTURE|MCL_ONFAULT"),
            "all that will be mapped from now on stays in RAM once it is touched");
  EXPECT_EQ(lock("munlockall", ""), "nothing has to stay in RAM any more");
}

TEST(SentenceTest, WhatIsNoMemoryCall) {
  Story story;
  EXPECT_THAT(story.exec().explanation, StartsWith("a new program"));
  EXPECT_THAT(story.exec().explanation, HasSubstr("its file, its loader and a stack"));
  EXPECT_THAT(Story(true).exec().explanation, HasSubstr("its file and a stack"));
  EXPECT_THAT(story.of_kind(EventKind::kProcessStart, "vfork").explanation,
              HasSubstr("borrows its parent's memory"));
  EXPECT_THAT(story.of_kind(EventKind::kProcessStart, "clone").explanation,
              HasSubstr("shares its parent's memory"));
  EXPECT_THAT(story.of_kind(EventKind::kProcessStart, "fork").explanation, HasSubstr("a copy"));
  EXPECT_THAT(story.of_kind(EventKind::kProcessStart, "attach").explanation,
              HasSubstr("joined while running"));
  EXPECT_EQ(story.of_kind(EventKind::kProcessExit).explanation, "");
}

TEST(SentenceTest, WithoutAStackNothingIsClaimed) {
  Story story;
  story.brk(kHeap, "");
  EXPECT_EQ(story.brk(kHeap + 0x21000, "").explanation, "");
  EXPECT_EQ(story.mmap(range_of(0x1000, 0x1000), "").explanation, "");
}

}  // namespace
}  // namespace mini::explain
