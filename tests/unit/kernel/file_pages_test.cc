#include "kernel/vm/file_pages.h"

#include <array>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "support/temporary_folder.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = vm::kFilePageBytes;

class FilePagesTest : public testing::Test {
 protected:
  FilePagesTest() {
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::string text = std::string(kPage, 'a') + std::string(kPage, 'b');
    EXPECT_EQ(::write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(file);
    first_.fill('a');
  }

  std::uintptr_t map(const std::string& path) const {
    return vm::map_file_pages(path.c_str(), reinterpret_cast<std::uintptr_t>(first_.data()), kPage,
                              kPage);
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "file";
  std::array<char, kPage> first_{};
};

TEST_F(FilePagesTest, AreThoseOfTheFileThatBeginsSo) {
  const std::uintptr_t at = map(path_);
  ASSERT_NE(at, 0U);
  EXPECT_EQ(*reinterpret_cast<const char*>(at + kPage - 1), 'b');
  ::munmap(reinterpret_cast<void*>(at), kPage);
}

TEST_F(FilePagesTest, AnotherFileHasNone) {
  first_[kPage - 1] = 'x';
  EXPECT_EQ(map(path_), 0U);
  EXPECT_EQ(map(path_ + ".none"), 0U);
}

}  // namespace
}  // namespace mini::kernel
