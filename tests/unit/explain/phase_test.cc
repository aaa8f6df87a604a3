// Phases follow from causes and stacks, and never go back within one program.
#include <gtest/gtest.h>

#include "story.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::EventKind;
using model::Phase;

TEST(PhaseTest, AProgramsLifeFromExecToExit) {
  Story story;
  EXPECT_EQ(story.exec().phase, Phase::kProgramStart);
  EXPECT_EQ(story.brk(0, kLoaderMaps).phase, Phase::kProgramStart) << "no file is mapped yet";
  EXPECT_EQ(story.mmap(range_of(0x1000, 0x2000), kLoaderMaps).phase, Phase::kProgramStart);
  EXPECT_EQ(story.mmap(range_of(0x8000, 0x2000), kLoaderMaps, "/etc/ld.so.cache", 1, 2).phase,
            Phase::kLibraryLoading);
  EXPECT_EQ(story.munmap(range_of(0x8000, 0x2000), kLoaderMaps).phase, Phase::kLibraryLoading);
  EXPECT_EQ(story.brk(0, "brk@c malloc@c ?@s ?@l ?@l").phase, Phase::kLibcStartup);
  EXPECT_EQ(story.brk(0, kOwnSbrk).phase, Phase::kProgram);
  EXPECT_EQ(story.munmap(range_of(0x1000, 0x1000), "munmap@c free@c ?@c exit@c main@p").phase,
            Phase::kExit);
  EXPECT_EQ(story.of_kind(EventKind::kProcessExit).phase, Phase::kExit);
}

TEST(PhaseTest, APhaseNeverGoesBack) {
  Story story;
  story.brk(0, kOwnSbrk);
  EXPECT_EQ(story.mmap(range_of(0x1000, 0x1000), kLoaderMaps, "/lib/x.so", 1, 2).phase,
            Phase::kProgram);
  EXPECT_EQ(story.brk(0, "").phase, Phase::kProgram) << "no stack changes nothing";
}

TEST(PhaseTest, ANewProgramBeginsAnew) {
  Story story;
  story.brk(0, kOwnSbrk);
  EXPECT_EQ(story.exec().phase, Phase::kProgramStart);
}

TEST(PhaseTest, AnAttachedProcessIsInItsProgram) {
  Story story;
  story.process.attached = true;
  EXPECT_EQ(story.of_kind(EventKind::kProcessStart, "attach").phase, Phase::kProgram);
  EXPECT_EQ(story.brk(0, "").phase, Phase::kProgram);
}

TEST(PhaseTest, AnAttachedProcessThatCallsExecBeginsAnew) {
  Story story;
  story.process.attached = true;
  story.of_kind(EventKind::kProcessStart, "attach");
  EXPECT_EQ(story.exec().phase, Phase::kProgramStart);
  EXPECT_EQ(story.brk(0, kLoaderMaps).phase, Phase::kProgramStart);
}

TEST(PhaseTest, DlopenInMainIsTheProgram) {
  Story story;
  const auto event = story.mmap(range_of(0x1000, 0x1000),
                                "?@l ?@l ?@c dlopen@c ?@p ?@c __libc_start_main@c ?@p", "/x.so");
  EXPECT_EQ(event.cause, Cause::kLoader);
  EXPECT_EQ(event.phase, Phase::kProgram);
}

TEST(PhaseTest, StartUpOfAStrippedProgramIsNotItsMain) {
  Story story;
  // The outermost frame is _start, though it has no name.
  EXPECT_EQ(story.brk(0, "brk@c __libc_init_first@c __libc_start_main@c ?@p").phase,
            Phase::kLibcStartup);
  EXPECT_EQ(story.brk(0, "brk@c malloc@c ?@p ?@c __libc_start_main@c ?@p").phase, Phase::kProgram);
}

TEST(PhaseTest, AConstructorOfTheExecutableIsBeforeMain) {
  Story story;
  const auto event = story.brk(0, "brk@c malloc@c setup@p __libc_start_main@c _start@p");
  EXPECT_EQ(event.cause_detail, "prog constructor, malloc");
  EXPECT_EQ(event.phase, Phase::kLibcStartup);
}

TEST(PhaseTest, AThreadRunsTheProgram) {
  Story story;
  EXPECT_EQ(story.brk(0, "brk@c malloc@c ?@x start_thread@c clone3@c").phase, Phase::kProgram);
}

}  // namespace
}  // namespace mini::explain
