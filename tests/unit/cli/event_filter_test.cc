#include "cli/event_filter.h"

#include <gtest/gtest.h>

namespace mini::cli {
namespace {

using model::Cause;
using model::Event;

Event call(std::string_view syscall, Cause cause, std::uint64_t size) {
  Event event;
  event.syscall = syscall;
  event.cause = cause;
  event.range = {Address{0x1000}, Address{0x1000 + size}};
  return event;
}

TEST(EventFilterTest, WithoutConditionsEverythingIsShown) {
  const EventFilter filter;
  EXPECT_TRUE(filter.describe().empty());
  EXPECT_TRUE(filter.shows(call("brk", Cause::kUnknown, 0)));
}

TEST(EventFilterTest, NamesAddUpAndKindsOfConditionsNarrow) {
  EventFilter filter;
  ASSERT_TRUE(filter.add_syscalls("brk"));
  ASSERT_TRUE(filter.add_syscalls("mmap,munmap"));
  ASSERT_TRUE(filter.add_causes("malloc,program"));
  EXPECT_TRUE(filter.shows(call("munmap", Cause::kProgram, 4096)));
  EXPECT_FALSE(filter.shows(call("munmap", Cause::kLoader, 4096)));
  EXPECT_FALSE(filter.shows(call("mprotect", Cause::kMalloc, 4096)));
  EXPECT_EQ(filter.describe(),
            (std::vector<std::string>{"--filter brk,mmap,munmap", "--cause malloc,program"}));
}

TEST(EventFilterTest, TheMinimumIsOfWhatChangedOrOfTheRange) {
  EventFilter filter;
  filter.set_minimum(kKiB * 64);
  EXPECT_FALSE(filter.shows(call("mprotect", Cause::kMalloc, 65535)));
  EXPECT_TRUE(filter.shows(call("mprotect", Cause::kMalloc, 65536)));
  Event event = call("munmap", Cause::kMalloc, 0);
  event.mapped_before = kKiB * 100;
  event.mapped_bytes = kKiB * 36;
  EXPECT_TRUE(filter.shows(event));
}

TEST(EventFilterTest, TheEndOfAProcessIsAlwaysShown) {
  EventFilter filter;
  ASSERT_TRUE(filter.add_syscalls("brk"));
  filter.set_minimum(kGiB);
  Event event;
  event.kind = model::EventKind::kProcessExit;
  EXPECT_TRUE(filter.shows(event));
}

TEST(EventFilterTest, AnUnknownNameListsTheKnownOnes) {
  EventFilter filter;
  const auto added = filter.add_syscalls("mmap,open");
  ASSERT_FALSE(added);
  EXPECT_TRUE(added.error().message.starts_with("no memory system call 'open': choose from brk "))
      << added.error().message;
  EXPECT_TRUE(filter.describe().empty()) << "a refused list changes nothing";
}

TEST(EventFilterTest, WhatIsNeverShownCannotBeChosen) {
  EventFilter filter;
  for (const std::string_view name : {"ioctl", "userfaultfd", "exit_group"}) {
    EXPECT_FALSE(filter.add_syscalls(name)) << name;
  }
  EXPECT_TRUE(filter.add_syscalls("exit,execve,execveat,prctl,process_madvise"));
}

}  // namespace
}  // namespace mini::cli
