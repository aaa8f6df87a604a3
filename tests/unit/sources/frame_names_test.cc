// Names for what a killed recorder left without: from files that are the same, and of hostile
// paths none is opened that is no regular file.
#include "sources/frame_names.h"

#include <array>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sources/module_file.h"
#include "support/temporary_folder.h"

namespace mini::sources {
namespace {

using Reason = model::UnnamedModule::Reason;

const std::string kTarget = MINI_TARGETS_DIR "/steady";

class FrameNames : public testing::Test {
 protected:
  std::string path_of(const std::string& name) const { return folder_ / name; }

  /// A profile with a frame in main of the target, which has the module under this path.
  model::HeapProfile profile_of(const std::string& path) const {
    model::HeapProfile profile;
    profile.modules = {{}, {.path = path, .build_id = build_id_}};
    profile.frames = {{}, {.module = 1, .address = main_ + 1, .lines = {}}};
    return profile;
  }

  /// Why there is no name.
  Reason reason_of(const model::HeapProfile& whole) const {
    model::HeapProfile profile = whole;
    name_frames(profile);
    EXPECT_TRUE(profile.frames[1].lines.empty());
    const auto& losses = profile.losses.unnamed_modules;
    EXPECT_EQ(losses.size(), 1U);
    if (losses.size() != 1) return Reason::kTooMany;
    EXPECT_EQ(losses[0].module, 1U);
    EXPECT_EQ(losses[0].frames, 1U);
    return losses[0].reason;
  }

  std::unique_ptr<unwind::Module> target_ = std::make_unique<unwind::Module>(
      std::move(unwind::ElfFile::open(kTarget).value()), "", kTarget, unwind::UnwinderOptions());
  std::string build_id_ = build_id_text(target_->file());
  std::uint64_t main_ = target_->address_of("main").value_or(0);

 private:
  test::TemporaryFolder folder_;
};

TEST_F(FrameNames, ComeFromTheFileItself) {
  model::HeapProfile profile = profile_of(kTarget);
  name_frames(profile);
  ASSERT_EQ(profile.frames[1].lines.size(), 1U);
  EXPECT_EQ(profile.frames[1].lines[0].function, "main");
  EXPECT_TRUE(profile.frames[1].lines[0].file.ends_with("steady.c"));
  EXPECT_TRUE(profile.losses.unnamed_modules.empty());
}

TEST_F(FrameNames, AreNotLookedForWhereTheRecordingSaysThatThereAreNone) {
  model::HeapProfile profile = profile_of(kTarget);
  profile.frames[1].has_source = true;
  name_frames(profile);
  EXPECT_TRUE(profile.frames[1].lines.empty());
  EXPECT_TRUE(profile.losses.unnamed_modules.empty());
}

TEST_F(FrameNames, DoNotComeFromAnotherFile) {
  EXPECT_EQ(reason_of(profile_of(MINI_TARGETS_DIR "/many")), Reason::kOtherFile);
  EXPECT_EQ(reason_of(profile_of("/etc/passwd")), Reason::kOtherFile);
  EXPECT_EQ(reason_of(profile_of(path_of("nothing"))), Reason::kNoFile);
}

TEST_F(FrameNames, NeedABuildId) {
  for (const std::string id : {"", "ab", "../../../../etc/passwd", "ABCDEFABCDEF"}) {
    model::HeapProfile profile = profile_of(kTarget);
    profile.modules[1].build_id = id;
    EXPECT_EQ(reason_of(profile), Reason::kNoBuildId) << id;
  }
}

TEST_F(FrameNames, OpenNothingButRegularFiles) {
  const std::string fifo = path_of("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(::inotify_add_watch(watch, fifo.c_str(), IN_OPEN), 0);
  EXPECT_EQ(reason_of(profile_of(fifo)), Reason::kNoFile);
  std::array<char, 4096> events{};
  EXPECT_EQ(::read(watch, events.data(), events.size()), -1) << "it was opened";
  ::close(watch);
  for (const std::string path : {"/dev/zero", "/", "", "steady"}) {
    EXPECT_EQ(reason_of(profile_of(path)), Reason::kNoFile) << path;
  }
  // Where even a look can do something.
  for (const std::string root : {"/proc/self/root", "//proc/self/root", "/tmp/../proc/self/root"}) {
    EXPECT_EQ(reason_of(profile_of(root + kTarget)), Reason::kNoFile) << root;
  }
}

}  // namespace
}  // namespace mini::sources
