#include "sources/spawn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "sources/own_signals.h"

namespace mini::sources {
namespace {

using testing::HasSubstr;

int run_shell(const std::string& script,
              const std::vector<std::pair<std::string, std::string>>& variables) {
  const OwnSignals signals(OwnSignals::Mode::kLaunch);
  const auto pid = spawn("/bin/sh", {"sh", "-c", script}, variables, signals);
  EXPECT_TRUE(pid);
  int status = -1;
  if (pid) ::waitpid(*pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST(Spawn, SetsVariablesInThePlaceOfOldOnes) {
  ::setenv("MINI_SPAWN_TEST", "old", 1);
  EXPECT_EQ(run_shell("test \"$MINI_SPAWN_TEST\" = new && test \"$MINI_SPAWN_TES\" = x",
                      {{"MINI_SPAWN_TEST", "new"}, {"MINI_SPAWN_TES", "x"}}),
            0);
  EXPECT_EQ(run_shell("test \"$MINI_SPAWN_TEST\" = old", {}), 0);
  ::unsetenv("MINI_SPAWN_TEST");
}

TEST(Spawn, TheSignalsAreTheProgramsOwn) {
  EXPECT_EQ(run_shell("trap 'exit 7' INT; kill -INT $$; exit 1", {}), 7);
}

TEST(Spawn, SaysWhyAProgramCannotBeRun) {
  const OwnSignals signals(OwnSignals::Mode::kLaunch);
  const auto pid = spawn("/nonexistent", {"nonexistent"}, {}, signals);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().error_number, ENOENT);
  EXPECT_THAT(pid.error().message, HasSubstr("nonexistent"));
}

}  // namespace
}  // namespace mini::sources
