// The decoder on a real malloc: this process's own, its memory read by process_vm_readv.
#include <cstdlib>
#include <fstream>
#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <string>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#include "heaps/glibc.h"
#include "support/sanitizer.h"

namespace mini::heaps {
namespace {

class OwnMemory final : public MemoryReader {
 public:
  std::size_t read(Address from, std::span<std::byte> out) const override {
    const iovec local{out.data(), out.size()};
    // The address is our own, but the interface takes a target's.
    const iovec remote{reinterpret_cast<void*>(from.value), out.size()};
    const ssize_t count = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
};

struct LibcSegments {
  AddressRange data;
  AddressRange read_only;  // all before the data
};

LibcSegments find_libc() {
  LibcSegments result;
  std::ifstream maps("/proc/self/maps");
  bool in_libc = false;
  for (std::string line; std::getline(maps, line);) {
    const bool libc = line.find("/libc.so.6") != std::string::npos;
    unsigned long begin = 0;
    unsigned long end = 0;
    char protection[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, protection) != 3) continue;
    const bool writable = protection[1] == 'w';
    if (libc && result.read_only.empty()) result.read_only = {Address{begin}, Address{begin}};
    if (libc && !writable) result.read_only.end = Address{end};
    if (libc && writable) result.data = {Address{begin}, Address{end}};
    if (in_libc && !libc && result.data.end == Address{begin}) result.data.end = Address{end};
    in_libc = libc;
  }
  return result;
}

TEST(GlibcSelfTest, ReadsThisProcessesOwnMalloc) {
  if (test::kHasSanitizersMalloc) GTEST_SKIP() << "the sanitizer's malloc stands before glibc's";
  const LibcSegments libc = find_libc();
  if (libc.data.empty()) GTEST_SKIP() << "not linked to a shared glibc";
  const OwnMemory memory;
  GlibcHints hints;
  hints.data = libc.data;
  hints.version = find_glibc_version(memory, libc.read_only);
  EXPECT_EQ(hints.version, gnu_get_libc_version());

  const std::unique_ptr<void, decltype(&std::free)> keep(std::malloc(100), &std::free);
  const auto found = locate_glibc(memory, hints);
  ASSERT_TRUE(found.has_value());
  const auto before = read_malloc_state(memory, *found);
  ASSERT_TRUE(before.has_value());
  ASSERT_TRUE(before->top.has_value());
  ASSERT_TRUE(before->top_bytes.has_value());
  // The top chunk ends at the program break, unless this program moved it by itself.
  EXPECT_EQ(*before->top + *before->top_bytes, Address{reinterpret_cast<std::uint64_t>(sbrk(0))});
  EXPECT_EQ(before->top_pad, Bytes{131072});

  // Blocks too large for the thread cache come from the bins at first, as many as fit into what is
  // free there, then from the top, which then starts later by exactly their chunk. Nothing else
  // may take from the top in between: what the reader allocates is in the thread cache since the
  // reading above, `blocks` has its room.
  const std::size_t most_blocks = mallinfo2().fordblks / 30016 + 64;
  std::vector<void*> blocks;
  blocks.reserve(most_blocks);
  int cut_from_top = 0;
  while (cut_from_top < 8 && blocks.size() < most_blocks) {
    const auto state = read_malloc_state(memory, *found);
    ASSERT_TRUE(state.has_value());
    void* block = std::malloc(30000);
    blocks.push_back(block);
    const Address chunk{reinterpret_cast<std::uint64_t>(block) - 16};
    if (chunk != state->top) continue;
    ++cut_from_top;
    EXPECT_EQ(*read_malloc_state(memory, *found)->top - *state->top, Bytes{30016});
  }
  EXPECT_GT(cut_from_top, 0);
  for (void* block : blocks) std::free(block);
}

}  // namespace
}  // namespace mini::heaps
