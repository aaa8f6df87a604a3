#include "sources/process_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string_view>
#include <unistd.h>

namespace mini::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr pid_t kNoProcess = 0;

std::uint32_t put(std::span<char> place, std::string_view text) {
  return static_cast<std::uint32_t>(text.copy(place.data(), place.size()));
}

TEST(ProcessIdentity, IsAsTheProcessSays) {
  wire::Slot slot{};
  slot.pid = static_cast<std::uint32_t>(::getpid());
  slot.parent_pid = 77;
  slot.command_bytes = put(slot.command, std::string_view("a\0b c\0", 6));
  slot.executable_bytes = put(slot.executable, "/bin/a");
  const ProcessIdentity identity = identify(slot, ::getpid(), "a.heapspy", {});
  EXPECT_EQ(identity.recording, "a.heapspy");
  EXPECT_EQ(identity.pid, ::getpid());
  EXPECT_EQ(identity.parent_pid, 77);
  EXPECT_EQ(identity.executable, "/bin/a");
  EXPECT_THAT(identity.command, ElementsAre("a", "b c"));
}

// Its numbers are those of its own namespace.
TEST(ProcessIdentity, AParentOfAnotherNamespaceIsLookedUp) {
  wire::Slot slot{};
  slot.pid = 1;
  slot.parent_pid = 77;
  EXPECT_EQ(identify(slot, ::getpid(), "", {}).parent_pid, ::getppid());
}

TEST(ProcessIdentity, ACopyThatIsGoneIsWhatItsOriginalWas) {
  wire::Slot slot{};
  slot.is_forked = 1;
  const ProcessIdentity origin{.recording = "a.heapspy",
                               .pid = 12,
                               .parent_pid = 11,
                               .executable = "/bin/a",
                               .command = {"a", "b"}};
  const ProcessIdentity identity = identify(slot, kNoProcess, "a.13.heapspy", origin);
  EXPECT_EQ(identity.recording, "a.13.heapspy");
  EXPECT_EQ(identity.parent_pid, 12);
  EXPECT_EQ(identity.executable, "/bin/a");
  EXPECT_THAT(identity.command, ElementsAre("a", "b"));
}

TEST(ProcessIdentity, HostileLengthsReachNothingOutsideTheSlot) {
  wire::Slot slot{};
  slot.executable_bytes = ~0U;
  slot.command_bytes = ~0U;
  const ProcessIdentity identity = identify(slot, kNoProcess, "", {});
  EXPECT_EQ(identity.executable.size(), wire::kMostExecutableBytes);
  EXPECT_EQ(identity.command.size(), wire::kMostCommandBytes);
  EXPECT_THAT(identity.command.front(), IsEmpty());
}

}  // namespace
}  // namespace mini::sources
