// On a real child.
#include "kernel/file_keeper.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>

#include "kernel/file_descriptor.h"

namespace mini::kernel {
namespace {

std::filesystem::path folder_of(const FileKeeper& keeper) {
  return std::filesystem::path(keeper.path()).parent_path().parent_path();
}

// What it has open, as /proc shows it, without inode numbers.
std::multiset<std::string> files_of(const FileKeeper& keeper) {
  std::multiset<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(keeper) / "fd")) {
    std::error_code closed_meanwhile;
    const std::string name = std::filesystem::read_symlink(entry, closed_meanwhile).string();
    if (!closed_meanwhile) files.insert(name.substr(0, name.find(':')));
  }
  return files;
}

TEST(FileKeeperTest, HasNothingOfOursButTheFile) {
  const FileDescriptor below(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const auto file = SharedFile::create("kept", 4096);
  ASSERT_TRUE(file) << file.error().message;
  const FileDescriptor above(::fcntl(below.get(), F_DUPFD, file->number() + 5));
  const auto keeper = FileKeeper::start(*file, {.user = ::geteuid(), .group = ::getegid()});
  ASSERT_TRUE(keeper) << keeper.error().message;

  // The pipe that it said it was ready by is closed right after it said so.
  while (files_of(*keeper).contains("pipe")) std::this_thread::yield();
  EXPECT_EQ(files_of(*keeper), std::multiset<std::string>{"/memfd"});
  const FileDescriptor opened(::open(keeper->path().c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(opened);
  std::ifstream environment(folder_of(*keeper) / "environ");
  const std::string text(std::istreambuf_iterator<char>(environment), {});
  EXPECT_EQ(text.find_first_not_of('\0'), std::string::npos);
}

TEST(FileKeeperTest, WithoutStandardStreams) {
  FileDescriptor input(::dup(0));
  ::close(0);
  const auto file = SharedFile::create("kept", 4096);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->number(), 0);
  const auto keeper = FileKeeper::start(*file, {.user = ::geteuid(), .group = ::getegid()});
  ASSERT_TRUE(keeper) << keeper.error().message;
  const FileDescriptor opened(::open(keeper->path().c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(opened);
}

}  // namespace
}  // namespace mini::kernel
