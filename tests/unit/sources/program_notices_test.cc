// The board on which agents tell of programs without an agent, and what comes of it.
#include "sources/program_notices.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "sources/unrecorded_programs.h"

namespace mini::sources {
namespace {

using Moment = ProgramNotices::Moment;
using wire::NoticeState;

class ProgramNoticesTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kNobody = 0x7ffffff0;  // no process

  wire::ProgramNotice& write(NoticeState state, std::uint32_t pid, const char* path) {
    wire::ProgramNotice& notice = board_->notices[next_++];
    notice.pid = pid;
    notice.parent_pid = 7;
    notice.obstacle = PreloadObstacle::kStatic;
    notice.path_bytes = static_cast<std::uint32_t>(std::strlen(path));
    std::strcpy(&notice.path[0], path);
    notice.state = state;
    ++board_->written_count;
    return notice;
  }
  std::vector<std::string> read(Moment moment = Moment::kGoesOn) {
    std::vector<std::string> paths;
    for (const ProgramNotices::Found& found : notices_.read(moment)) paths.push_back(found.path);
    return paths;
  }

  std::unique_ptr<wire::NoticeBoard> board_ = std::make_unique<wire::NoticeBoard>();
  ProgramNotices notices_{*board_};
  std::size_t next_ = 0;
};

TEST_F(ProgramNoticesTest, WhatWasStartedIsReadOnce) {
  EXPECT_TRUE(read().empty());
  wire::ProgramNotice& notice = write(NoticeState::kCertain, 1, "/bin/one");
  EXPECT_THAT(read(), testing::ElementsAre("/bin/one"));
  EXPECT_EQ(notice.state, NoticeState::kFree);
  EXPECT_TRUE(read().empty());
}

TEST_F(ProgramNoticesTest, WhatIsBeingWrittenIsNotRead) {
  write(NoticeState::kTaken, 1, "/bin/one");
  EXPECT_TRUE(read(Moment::kEnd).empty());
}

TEST_F(ProgramNoticesTest, WhatIsAnnouncedIsBelievedWhenItRuns) {
  wire::ProgramNotice& notice =
      write(NoticeState::kAnnounced, static_cast<std::uint32_t>(::getpid()), "/bin/one");
  EXPECT_TRUE(read().empty());
  struct stat status{};
  ASSERT_EQ(::stat("/proc/self/exe", &status), 0);
  notice.device = status.st_dev;
  notice.inode = status.st_ino;
  EXPECT_THAT(read(), testing::ElementsAre("/bin/one"));
}

TEST_F(ProgramNoticesTest, WhatIsAnnouncedIsBelievedOfAProcessThatIsGone) {
  write(NoticeState::kAnnounced, kNobody, "/bin/one");
  EXPECT_THAT(read(), testing::ElementsAre("/bin/one"));
}

TEST_F(ProgramNoticesTest, WhatIsTakenBackIsForgotten) {
  wire::ProgramNotice& notice =
      write(NoticeState::kAnnounced, static_cast<std::uint32_t>(::getpid()), "/bin/one");
  EXPECT_TRUE(read().empty());
  notice.state = NoticeState::kFree;
  EXPECT_TRUE(read(Moment::kEnd).empty());
}

TEST_F(ProgramNoticesTest, WhatIsAnnouncedAtTheEndIsBelieved) {
  write(NoticeState::kAnnounced, static_cast<std::uint32_t>(::getpid()), "/bin/one");
  EXPECT_THAT(read(Moment::kEnd), testing::ElementsAre("/bin/one"));
}

TEST_F(ProgramNoticesTest, AnAdversarysNoticeIsHeldWithinItsBounds) {
  wire::ProgramNotice& notice = write(NoticeState::kCertain, 1, "");
  std::memset(&notice.path[0], 'x', sizeof notice.path);
  notice.path_bytes = UINT32_MAX;
  write(NoticeState::kCertain, 1, "/bin/odd").obstacle = static_cast<PreloadObstacle>(200);
  board_->lost_count = UINT32_MAX;
  const auto paths = read();
  ASSERT_GE(paths.size(), 1U);
  EXPECT_LE(paths.size(), 10'001U);
  EXPECT_EQ(paths[0], std::string(sizeof notice.path, 'x'));
  EXPECT_THAT(paths, testing::Not(testing::Contains("/bin/odd")));
}

TEST_F(ProgramNoticesTest, WhatThereWasNoPlaceForIsCounted) {
  board_->lost_count = 2;
  EXPECT_THAT(read(), testing::ElementsAre("", ""));
  EXPECT_TRUE(read().empty());
}

TEST(UnrecordedProgramsTest, CountsByPathAndReason) {
  UnrecordedPrograms programs;
  programs.count("/a", PreloadObstacle::kStatic, 5);
  EXPECT_EQ(programs.count("/a", PreloadObstacle::kStatic, 9).count, 2U);
  programs.count("/a", PreloadObstacle::kElf32, 10);
  ASSERT_EQ(programs.all().size(), 2U);
  EXPECT_EQ(programs.all()[0].time_ns, 5U);
}

TEST(UnrecordedProgramsTest, WhatIsTooManyIsCountedAsOne) {
  UnrecordedPrograms programs;
  for (int i = 0; i < 300; ++i) {
    programs.count("/p" + std::to_string(i), PreloadObstacle::kStatic, 0);
  }
  ASSERT_EQ(programs.all().size(), 257U);
  EXPECT_EQ(programs.all().back().path, "");
  EXPECT_EQ(programs.all().back().count, 44U);
  EXPECT_EQ(programs.count("/p7", PreloadObstacle::kStatic, 0).count, 2U);
}

}  // namespace
}  // namespace mini::sources
