// What becomes of the environments of programs that a recorded one starts.
#include "agent/exec_environment.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mini::agent {
namespace {

using ::testing::ElementsAre;

constexpr char kAgent[] = "/lib/agent.so";
constexpr char kChannel[] = "/proc/1/fd/3";
const char* own_channel = kChannel;
bool has_recorder = true;

/// The variables that a program is started with, where they are to be these.
std::vector<std::string> started_with(std::vector<std::string> variables,
                                      PreloadObstacle obstacle = PreloadObstacle::kNone) {
  std::vector<char*> words;
  for (std::string& variable : variables) words.push_back(variable.data());
  words.push_back(nullptr);
  const EnvironmentPlan plan = plan_environment(words.data(), obstacle);
  if (plan.change == EnvironmentPlan::Change::kNone) return variables;
  std::vector<char*> room(plan.words_count + 3);
  std::vector<char> text(variables_bytes(plan));
  std::vector<std::string> made;
  for (Words word = write_environment(words.data(), plan, room.data(), text.data());
       *word != nullptr; ++word) {
    made.emplace_back(*word);
  }
  return made;
}

const std::string kLeads = std::string("HEAPSPY_CHANNEL=") + kChannel;

struct ExecEnvironment : ::testing::Test {
  ExecEnvironment() {
    has_recorder = true;
    own_channel = kChannel;
  }
};

TEST_F(ExecEnvironment, LeadsToTheRecorder) {
  const auto whole = ElementsAre("A=1", "LD_PRELOAD=/lib/agent.so", kLeads);
  EXPECT_THAT(started_with({"A=1"}), whole);
  EXPECT_THAT(started_with({"A=1", "LD_PRELOAD=", kLeads}), whole);
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so", "A=1"}), whole);
  EXPECT_THAT(started_with({"A=1", "LD_PRELOAD=/lib/agent.so", kLeads}), whole);
}

TEST_F(ExecEnvironment, KeepsWhatElseIsPreloaded) {
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/a.so b.so"}),
              ElementsAre("LD_PRELOAD=/lib/agent.so:/lib/a.so:b.so", kLeads));
  const std::vector<std::string> after = {"LD_PRELOAD=a.so:/lib/agent.so", kLeads};
  EXPECT_EQ(started_with(after), after);
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so.1"}),
              ElementsAre("LD_PRELOAD=/lib/agent.so:/lib/agent.so.1", kLeads));
}

TEST_F(ExecEnvironment, TakesTheAgentOutWhereTheRecorderIsGone) {
  has_recorder = false;
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so", "A=1", kLeads}), ElementsAre("A=1"));
  EXPECT_THAT(started_with({"LD_PRELOAD=a.so:/lib/agent.so:b.so", kLeads}),
              ElementsAre("LD_PRELOAD=a.so:b.so"));
  EXPECT_THAT(started_with({"A=1", "LD_PRELOAD=a.so"}), ElementsAre("A=1", "LD_PRELOAD=a.so"));
}

TEST_F(ExecEnvironment, TakesTheAgentOutOfWhatItsLoaderWouldEnd) {
  const std::vector<std::string> recorded = {"LD_PRELOAD=/lib/agent.so:a.so", "A=1", kLeads};
  EXPECT_THAT(started_with(recorded, PreloadObstacle::kOtherLibc),
              ElementsAre("A=1", "LD_PRELOAD=a.so"));
  EXPECT_THAT(started_with({"A=1"}, PreloadObstacle::kOtherLibc), ElementsAre("A=1"));
  EXPECT_EQ(started_with(recorded, PreloadObstacle::kElf32), recorded);
}

TEST_F(ExecEnvironment, LeavesAnotherRecordersAsItIsButNotOneThatIsGone) {
  // What there is stands for one that runs.
  const std::vector<std::string> others = {"LD_PRELOAD=/lib/agent.so", "HEAPSPY_CHANNEL=/proc"};
  EXPECT_EQ(started_with(others), others);
  has_recorder = false;
  EXPECT_EQ(started_with(others), others);
  has_recorder = true;
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so", "HEAPSPY_CHANNEL=/none/fd/3"}),
              ElementsAre("LD_PRELOAD=/lib/agent.so", kLeads));
}

TEST_F(ExecEnvironment, LeadsAnotherUsersProgramsByAnotherPath) {
  // Its own, which exists, is not taken for another recorder's.
  own_channel = "/proc";
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so", "HEAPSPY_CHANNEL=/proc"}),
              ElementsAre("LD_PRELOAD=/lib/agent.so", kLeads));
  has_recorder = false;
  EXPECT_THAT(started_with({"LD_PRELOAD=/lib/agent.so", "A=1", "HEAPSPY_CHANNEL=/proc"}),
              ElementsAre("A=1"));
}

TEST_F(ExecEnvironment, MayBeMissing) {
  EXPECT_EQ(plan_environment(nullptr).change, EnvironmentPlan::Change::kLead);
  EXPECT_THAT(started_with({}), ElementsAre("LD_PRELOAD=/lib/agent.so", kLeads));
}

}  // namespace

// The session's, which tells what it found out.
Carried carried_environment() {
  Carried carried{.agent = kAgent, .own_channel = own_channel, .has_recorder = has_recorder};
  std::strcpy(&carried.user_channel[0], kChannel);
  return carried;
}

}  // namespace mini::agent
