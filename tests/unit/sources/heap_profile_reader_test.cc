// Recordings of children of fork and of their parents, in files: what an adversary makes of them.
#include "sources/heap_profile_reader.h"

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>

#include "recording/block.h"
#include "recording/checksum.h"
#include "recording/definitions.h"
#include "support/temporary_folder.h"

namespace mini::sources {
namespace {

using model::Inheritance;
using recording::BlockType;
using recording::ByteVector;

class HeapProfileReader : public testing::Test {
 protected:
  std::string path_of(const std::string& name) const { return folder_ / name; }

  /// A recording whose process blocks name these recordings as its parent's.
  void write(const std::string& name, const std::vector<std::string>& origins) const {
    ByteVector file;
    recording::put_bytes(file, recording::make_file_head(recording::kMajorVersion, 3));
    std::uint32_t sequence = 0;
    const auto put_block = [&](BlockType type, const ByteVector& contents) {
      const auto size = static_cast<std::uint32_t>(contents.size());
      recording::put_bytes(file,
                           recording::make_block_header({.type = static_cast<std::uint8_t>(type),
                                                         .sequence = sequence++,
                                                         .stored_bytes = size,
                                                         .raw_bytes = size,
                                                         .checksum = recording::xxh64(contents)}));
      recording::put_bytes(file, contents);
    };
    for (const std::string& origin : origins) {
      ByteVector process;
      recording::put_process(process, {7, 1, {"child"}, "/bin/child", 0, 0, origin, 1});
      put_block(BlockType::kProcess, process);
    }
    ByteVector fork;
    recording::put_fork(fork, {.time_ns = 0, .number = 1});
    put_block(BlockType::kFork, fork);
    std::ofstream(path_of(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()),
               static_cast<std::streamsize>(file.size()));
  }

  /// Counts the blocks that were read, of all files together.
  Inheritance read(const std::string& name) {
    blocks_ = 0;
    const auto profile =
        read_heap_profile(path_of(name), {}, [this](std::uint64_t, std::uint64_t) { ++blocks_; });
    EXPECT_TRUE(profile);
    return profile ? profile->inheritance : Inheritance();
  }

  std::uint64_t blocks_ = 0;

 private:
  test::TemporaryFolder folder_;
};

TEST_F(HeapProfileReader, OfAFileTheFirstParentAloneIsRead) {
  constexpr int kGenerations = 16;
  write("0", {""});
  for (int i = 1; i <= kGenerations; ++i) {
    const std::string parent = fmt::format("{}", i - 1);
    write(fmt::format("{}", i), {parent, parent});
  }
  EXPECT_EQ(read(fmt::format("{}", kGenerations)).state, Inheritance::State::kKnown);
  EXPECT_EQ(blocks_, 2U + 3U * kGenerations);
}

TEST_F(HeapProfileReader, AFileThatIsItsOwnParentIsReadOnce) {
  write("self", {"self", "self"});
  const Inheritance inheritance = read("self");
  EXPECT_EQ(inheritance.state, Inheritance::State::kMissing);
  EXPECT_EQ(inheritance.recording, "self");
  EXPECT_EQ(blocks_, 3U);
}

TEST_F(HeapProfileReader, FilesThatAreEachOthersParentsAreReadOnce) {
  write("one", {"two"});
  write("two", {"one"});
  EXPECT_EQ(read("one").state, Inheritance::State::kMissing);
  EXPECT_EQ(blocks_, 4U);
}

}  // namespace
}  // namespace mini::sources
