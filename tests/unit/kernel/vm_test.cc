// What the allocator relies on where the kernel refuses to move pages.
#include "kernel/vm/vm.h"

#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace mini::kernel::vm {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 64;

class VmTest : public testing::Test {
 protected:
  VmTest() {
    EXPECT_NE(from_, nullptr);
    EXPECT_EQ(map_over(from_, kPages * kPage), MapResult::kMapped);
    EXPECT_EQ(map_over(to_, kPages * kPage), MapResult::kMapped);
    std::memset(from_, 7, kPages * kPage);
  }
  ~VmTest() override { unmap(from_, 2 * kPages * kPage); }

  std::byte* from() const { return from_; }
  std::byte* to() const { return to_; }

 private:
  std::byte* from_ = static_cast<std::byte*>(reserve(2 * kPages * kPage));
  std::byte* to_ = from_ + kPages * kPage;
};

TEST_F(VmTest, SaysWhatIsMapped) {
  EXPECT_EQ(mapped_bytes(to(), kPages * kPage), kPages * kPage);
  for (const std::size_t left : {std::size_t{0}, std::size_t{1}, std::size_t{17}, kPages - 1}) {
    ASSERT_TRUE(unmap(to() + left * kPage, kPage));
    EXPECT_EQ(mapped_bytes(to(), kPages * kPage), left * kPage);
    EXPECT_EQ(map_over(to() + left * kPage, kPage), MapResult::kMapped);
  }
}

// The middle of what is moved is another mapping: refused before Linux 6.17. Either way nothing is
// lost.
TEST_F(VmTest, AMoveIsDoneOrItsRestIsStillThere) {
  ASSERT_EQ(::madvise(from() + kPages / 2 * kPage, kPage, MADV_DONTDUMP), 0);
  const bool moved = move_pages(from(), to(), kPages * kPage);
  std::size_t there = moved ? kPages * kPage : mapped_bytes(to(), kPages * kPage);
  if (!moved && there == kPages * kPage) there = 0;  // refused at once
  for (std::size_t i = 0; i < kPages * kPage; i += kPage) {
    EXPECT_EQ((i < there ? to() : from())[i], std::byte{7}) << i / kPage;
    if (i < there) {
      EXPECT_EQ(from()[i], std::byte{0});
    }
  }
}

}  // namespace
}  // namespace mini::kernel::vm
