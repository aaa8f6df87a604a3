#include "sources/recording_file.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/temporary_folder.h"

namespace mini::sources {
namespace {

TEST(RecordingFile, ItsNameTellsProcessesAndTheirProgramsApart) {
  EXPECT_EQ(recording_name("app.heapspy", 12, 1), "app.12.heapspy");
  EXPECT_EQ(recording_name("a/b.heapspy", 12, 3), "a/b.12.3.heapspy");
  EXPECT_EQ(recording_name("out", 12, 1), "out.12");
}

TEST(RecordingFile, APipeTakesOneRecordingAndADeviceAll) {
  const test::TemporaryFolder folder;
  const std::string pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(later_recording(pipe, 12, 1), "");
  EXPECT_EQ(later_recording("/dev/null", 12, 1), "/dev/null");
  EXPECT_EQ(later_recording("/no/such/folder/app.heapspy", 12, 1),
            "/no/such/folder/app.12.heapspy");
}

TEST(RecordingFile, SaysWhyItCannotBeBegun) {
  EXPECT_EQ(begin_recording("", {}).error().error_number, EPIPE);
  EXPECT_EQ(begin_recording("/no/such/folder/app.heapspy", {}).error().error_number, ENOENT);
}

}  // namespace
}  // namespace mini::sources
