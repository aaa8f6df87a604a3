// Another process's blocks, read by layout.h alone, against what that process itself says.
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

#include "layout_reader.h"
#include "support/temporary_folder.h"

namespace mini::api {
namespace {

struct Row {
  std::uint64_t address, usable_bytes;
  std::uint32_t state, heap, size_class, zero;
};

/// layout_target, started and ready. It ends with the object.
class Target {
 public:
  Target(const std::string& program, const char* mode, const std::string& preload = "") {
    int input[2], output[2];
    EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(output, O_CLOEXEC), 0);
    const std::string variable = "LD_PRELOAD=" + preload;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(input[0], STDIN_FILENO);
      ::dup2(output[1], STDOUT_FILENO);
      char* const environment[] = {const_cast<char*>(variable.c_str()), nullptr};
      ::execle(program.c_str(), program.c_str(), mode, nullptr, environment);
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    std::uint64_t count = 0;
    read_all(output[0], &count, sizeof count);
    rows_.resize(count);
    read_all(output[0], rows_.data(), count * sizeof(Row));
    ::close(output[0]);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() {
    ::close(input_);
    int status = -1;
    ::waitpid(pid_, &status, 0);
    EXPECT_EQ(status, 0);
  }

  pid_t pid() const { return pid_; }
  const std::vector<Row>& rows() const { return rows_; }

 private:
  static void read_all(int fd, void* out, std::size_t bytes) {
    auto* at = static_cast<char*>(out);
    while (bytes != 0) {
      const ssize_t count = ::read(fd, at, bytes);
      ASSERT_GT(count, 0) << "the target ended early";
      at += count;
      bytes -= static_cast<std::size_t>(count);
    }
  }

  pid_t pid_ = 0;
  int input_ = -1;
  std::vector<Row> rows_;
};

using Comparable = std::tuple<std::uint64_t, std::uint64_t, unsigned, unsigned, unsigned>;

std::vector<Comparable> sorted(const std::vector<RemoteBlock>& blocks) {
  std::vector<Comparable> out;
  for (const RemoteBlock& b : blocks) {
    out.emplace_back(b.address, b.usable_bytes, static_cast<unsigned>(b.state), b.heap,
                     b.size_class);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<Comparable> sorted(const std::vector<Row>& rows) {
  std::vector<Comparable> out;
  for (const Row& r : rows) {
    out.emplace_back(r.address, r.usable_bytes, r.state, r.heap, r.size_class);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void expect_the_same_blocks(const Target& target) {
  const auto reader = LayoutReader::find(target.pid());
  ASSERT_TRUE(reader.has_value());
  const auto found = sorted(reader->blocks());
  const auto expected = sorted(target.rows());
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_TRUE(found == expected);
  std::map<unsigned, unsigned> states;
  for (const Comparable& block : found) ++states[std::get<2>(block)];
  for (const unsigned state : {0U, 1U, 3U}) EXPECT_GT(states[state], 0U) << "of state " << state;
  EXPECT_EQ(reader->thread_count(), 3U);
  EXPECT_EQ(reader->heap_name(1), "second");
  EXPECT_EQ(reader->table().minor_version, 2U);
  const std::uint32_t cached = reader->pages_of_kind(MINIMALLOC_SPAN_CACHED);
  EXPECT_GE(cached, 123U);  // of 500,000 bytes
  EXPECT_EQ(cached, reader->cached_pages() + reader->pages_on_shelves());
  EXPECT_EQ(reader->used_pages(), reader->pages_of_kind(MINIMALLOC_SPAN_SLAB) +
                                      reader->pages_of_kind(MINIMALLOC_SPAN_LARGE) +
                                      reader->pages_of_kind(MINIMALLOC_SPAN_GROWING) +
                                      reader->pages_on_shelves());
}

TEST(Layout, AReaderFindsEachBlockInTheStateThatItHas) {
  expect_the_same_blocks(Target(MINI_LAYOUT_TARGET, "quiet"));
}

TEST(Layout, TheNoteSurvivesStripping) {
  const test::TemporaryFolder folder;
  const std::string stripped = folder / "libminimalloc.so.0";
  const std::string command = "strip --strip-all -o '" + stripped + "' '" MINI_LIBRARY "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  expect_the_same_blocks(Target(MINI_LAYOUT_TARGET, "quiet", stripped));
}

TEST(Layout, AStaticProgramHasItToo) {
  expect_the_same_blocks(Target(MINI_LAYOUT_TARGET_STATIC, "quiet"));
}

TEST(Layout, AProcessWithoutTheLibraryHasNone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sleep", "sleep", "60", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 0);  // the other end is closed by exec
  EXPECT_FALSE(LayoutReader::find(child).has_value());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
}

// Each look takes some milliseconds, in which the target's threads make thousands of calls.
TEST(Layout, BlocksThatStayAreLiveInEveryLookAtARunningProcess) {
  const Target target(MINI_LAYOUT_TARGET, "busy");
  const auto reader = LayoutReader::find(target.pid());
  ASSERT_TRUE(reader.has_value());
  for (int look = 0; look < 10; ++look) {
    std::map<std::uint64_t, std::vector<RemoteBlock>> found;
    for (const RemoteBlock& block : reader->blocks()) found[block.address].push_back(block);
    for (const Row& row : target.rows()) {
      const auto at = found.find(row.address);
      ASSERT_NE(at, found.end()) << std::hex << row.address;
      ASSERT_EQ(at->second.size(), 1U) << std::hex << row.address;
      ASSERT_EQ(at->second.front().state, RemoteBlock::State::kLive) << std::hex << row.address;
      ASSERT_EQ(at->second.front().heap, row.heap);
    }
  }
}

}  // namespace
}  // namespace mini::api
