#include "inject/safe_moment.h"

#include <gtest/gtest.h>
#include <initializer_list>
#include <sys/syscall.h>
#include <utility>

namespace mini::inject {
namespace {

const Landmarks kLandmarks{
    .loader = "ld.so", .c_library = "libc.so", .allocators = {"libjemalloc"}};

using Frames = std::initializer_list<std::pair<const char*, const char*>>;

unwind::CallStack stack_of(Frames frames, unwind::StackEnd end = unwind::StackEnd::kComplete) {
  unwind::CallStack stack;
  for (const auto& [module, function] : frames) {
    unwind::Frame frame;
    frame.module = module;
    frame.function = function;
    stack.frames.push_back(frame);
  }
  stack.end = end;
  return stack;
}

Moment judged(Frames frames, std::optional<std::uint64_t> call = std::nullopt) {
  return judge(stack_of(frames), kLandmarks, call);
}

TEST(SafeMomentTest, ProgramsOwnCodeIsGood) {
  EXPECT_EQ(judged({{"app", "compute"}, {"app", "main"}, {"libc.so", "__libc_start_main"}}),
            Moment::kGood);
  EXPECT_EQ(judged({{"app", ""}, {"app", ""}}), Moment::kGood);
  EXPECT_EQ(judged({{"libc.so", "memcpy"}, {"app", "main"}}), Moment::kGood);
}

TEST(SafeMomentTest, TheAllocatorIsNot) {
  EXPECT_EQ(judged({{"libc.so", "_int_malloc"}, {"libc.so", "malloc"}, {"app", "main"}}),
            Moment::kInAllocator);
  EXPECT_EQ(judged({{"app", "arena_grow"}, {"app", "malloc"}, {"app", "main"}}),
            Moment::kInAllocator);
  EXPECT_EQ(judged({{"app", "operator new(unsigned long)"}, {"app", "main"}}),
            Moment::kInAllocator);
  EXPECT_EQ(judged({{"libjemalloc", ""}, {"app", "main"}}), Moment::kInAllocator);
  // A handler that interrupted it.
  EXPECT_EQ(judged({{"app", "on_signal"}, {"libc.so", "free"}, {"app", "main"}}),
            Moment::kInAllocator);
}

TEST(SafeMomentTest, PartsOfTheAllocatorAreNotEither) {
  // Their entry ended in a jump: it has no frame.
  for (const char* const function :
       {"_mid_memalign", "_mid_memalign.constprop.0", "_int_memalign", "_int_free_chunk",
        "sysmalloc", "unlink_chunk.constprop.0", "tcache_init.part.0"}) {
    EXPECT_EQ(judged({{"libc.so", function}, {"app", "main"}}), Moment::kInAllocator) << function;
    EXPECT_EQ(judged({{"app", function}, {"app", "main"}}), Moment::kGood) << function;
  }
  // As a debug file may name them.
  for (const char* const function : {"__GI___libc_malloc", "__posix_memalign", "__libc_valloc"}) {
    EXPECT_EQ(judged({{"libc.so", function}, {"app", "main"}}), Moment::kInAllocator) << function;
  }
}

TEST(SafeMomentTest, TheLoaderIsNot) {
  EXPECT_EQ(judged({{"app", "constructor"}, {"ld.so", "call_init"}, {"app", "main"}}),
            Moment::kInLoader);
  EXPECT_EQ(judged({{"app", "callback"}, {"libc.so", "dl_iterate_phdr"}, {"app", "main"}}),
            Moment::kInLoader);
}

TEST(SafeMomentTest, DelicatePartsOfTheLibraryAreNot) {
  for (const char* const function : {"fork", "pthread_create", "exit", "__cxa_atexit"}) {
    EXPECT_EQ(judged({{"libc.so", function}, {"app", "main"}}), Moment::kInLibrary) << function;
  }
  EXPECT_EQ(judged({{"libc.so", ""}, {"app", "main"}}), Moment::kInLibrary) << "unknown code of it";
}

TEST(SafeMomentTest, AThreadThatWaitsForAnotherIsGood) {
  // A stripped library names its public functions only.
  const Frames waits = {{"libc.so", ""}, {"libc.so", "pthread_cond_wait"}, {"app", "worker"}};
  EXPECT_EQ(judged(waits, SYS_futex), Moment::kGood);
  EXPECT_EQ(judged(waits), Moment::kInLibrary) << "it runs, and may be anywhere";
  EXPECT_EQ(
      judged({{"libc.so", ""}, {"libc.so", "__new_sem_wait_slow64.constprop.0"}, {"app", "main"}},
             SYS_futex),
      Moment::kGood);
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", "___pthread_mutex_lock"}, {"app", ""}}, SYS_futex),
            Moment::kGood);
  // Not for itself, but for what called it; and not where its callers are unknown.
  EXPECT_EQ(
      judged({{"libc.so", ""}, {"libc.so", "pthread_mutex_lock"}, {"libjemalloc", ""}}, SYS_futex),
      Moment::kInAllocator);
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", "pthread_cond_wait"}, {"libc.so", ""}}, SYS_futex),
            Moment::kInLibrary);
  EXPECT_EQ(judge(stack_of({{"libc.so", ""}, {"libc.so", "pthread_cond_wait"}, {"jit", ""}},
                           unwind::StackEnd::kNoUnwindInfo),
                  kLandmarks, SYS_futex),
            Moment::kUnknownStack);
  // The allocator's own lock, the loader's, and what is no wait for another thread.
  EXPECT_EQ(judged({{"libc.so", "__lll_lock_wait_private"}, {"libc.so", "malloc"}, {"app", "main"}},
                   SYS_futex),
            Moment::kInAllocator);
  EXPECT_EQ(
      judged({{"libc.so", ""}, {"ld.so", "_dl_open"}, {"libc.so", "pthread_join"}}, SYS_futex),
      Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", "pthread_once"}, {"app", "main"}}, SYS_futex),
            Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", ""}, {"app", "main"}}, SYS_futex), Moment::kInLibrary);
}

TEST(SafeMomentTest, AThreadThatWaitsIsGoodWhateverIsUnknown) {
  EXPECT_EQ(judged({{"libc.so", ""}, {"app", "main"}}, SYS_read), Moment::kGood);
  EXPECT_EQ(judge(stack_of({{"jit", ""}}, unwind::StackEnd::kNoUnwindInfo), kLandmarks, SYS_ppoll),
            Moment::kGood);
  // But a lock may be malloc's.
  EXPECT_EQ(judged({{"libc.so", ""}, {"app", "main"}}, SYS_futex), Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", "read"}, {"ld.so", "open_verify"}}, SYS_read), Moment::kInLoader);
}

TEST(SafeMomentTest, AStackThatEndsEarlyIsUnknown) {
  EXPECT_EQ(judge(stack_of({{"app", "f"}}, unwind::StackEnd::kNoUnwindInfo), kLandmarks, {}),
            Moment::kUnknownStack);
  EXPECT_EQ(judged({}), Moment::kUnknownStack);
}

TEST(SafeMomentTest, TheWayIntoTheProgramIsKnownInALibraryWithoutNames) {
  EXPECT_EQ(judged({{"app", "compute"},
                    {"app", "main"},
                    {"libc.so", ""},
                    {"libc.so", "__libc_start_main"},
                    {"app", "_start"}}),
            Moment::kGood);
  EXPECT_EQ(judged({{"app", "worker"}, {"libc.so", ""}, {"libc.so", ""}}), Moment::kGood);
  EXPECT_EQ(judged({{"libc.so", ""},
                    {"libc.so", "pthread_cond_wait"},
                    {"app", "worker"},
                    {"libc.so", ""},
                    {"libc.so", ""}},
                   SYS_futex),
            Moment::kGood);
}

TEST(SafeMomentTest, OtherCodeWithoutANameIsNotTheWayIn) {
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", "__libc_start_main"}, {"app", "_start"}}),
            Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", ""}, {"libc.so", "__libc_start_main"}}),
            Moment::kInLibrary);
  EXPECT_EQ(
      judged({{"app", "main"}, {"libc.so", ""}, {"libc.so", ""}, {"libc.so", "__libc_start_main"}}),
      Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", ""}, {"app", "worker"}, {"libc.so", ""}, {"libc.so", ""}}),
            Moment::kInLibrary);
  EXPECT_EQ(judged({{"libc.so", ""}, {"libc.so", ""}}), Moment::kInLibrary);
  // A destructor of a thread's own data; a function that an allocator may have called.
  EXPECT_EQ(judged({{"app", "destroy"}, {"libc.so", ""}, {"libc.so", ""}, {"libc.so", ""}}),
            Moment::kInLibrary);
  EXPECT_EQ(judged({{"app", "on_signal"}, {"libc.so", ""}}), Moment::kInLibrary);
  EXPECT_EQ(judge(stack_of({{"app", "called"}, {"libc.so", ""}, {"libc.so", ""}},
                           unwind::StackEnd::kNoUnwindInfo),
                  kLandmarks, std::nullopt),
            Moment::kInLibrary);
  EXPECT_EQ(judged({{"libjemalloc", ""}, {"app", "worker"}, {"libc.so", ""}, {"libc.so", ""}}),
            Moment::kInAllocator);
}

}  // namespace
}  // namespace mini::inject
