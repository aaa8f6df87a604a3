// Recordings that were cut, changed, or lost a part: what is left is read, what is lost is said.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "file_parts.h"
#include "recordings.h"

namespace mini::recording {
namespace {

using testing::ElementsAreArray;

bool is_prefix(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

/// All of `part` is in `whole`, in that order.
bool is_subsequence(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  auto at = whole.begin();
  for (const std::string& text : part) {
    at = std::find(at, whole.end(), text);
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

TEST(Damage, CutAtEveryByte) {
  const SmallRecording small = small_recording();
  const std::vector<PartBlock> blocks = blocks_of(small.file);
  std::size_t longest = 0;
  for (std::size_t size = 0; size < small.file.size(); ++size) {
    SCOPED_TRACE(size);
    // A copy of that size, so that a sanitizer sees a byte that is read past the end.
    const FileBytes cut(small.file.begin(), small.file.begin() + static_cast<std::ptrdiff_t>(size));
    Remembered read;
    const auto summary = read_recording(cut, read);
    ASSERT_EQ(summary.has_value(), size >= kHeadBytes);
    if (!summary) continue;
    EXPECT_TRUE(summary->damage.is_cut);
    EXPECT_TRUE(is_prefix(read.events, small.events));
    EXPECT_GE(read.events.size(), longest);
    longest = read.events.size();
    // What is after the last whole block is lost, and nothing else.
    std::size_t whole = kHeadBytes;
    for (const PartBlock& block : blocks) {
      const std::size_t end = block.offset + kBlockHeaderBytes + block.stored.size();
      if (end <= size) whole = end;
    }
    EXPECT_EQ(summary->damage.skipped_bytes, size - whole);
  }
  EXPECT_EQ(longest, small.events.size());
}

TEST(Damage, EveryBitFlipped) {
  const SmallRecording small = small_recording();
  constexpr std::uint64_t kEvents = 6;  // allocations and frees
  std::size_t refused_bits = 0;
  for (std::size_t bit = 0; bit < small.file.size() * 8; ++bit) {
    SCOPED_TRACE(bit);
    FileBytes changed = small.file;
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    Remembered read;
    const auto summary = read_recording(changed, read);
    if (!summary) {
      ++refused_bits;
      ASSERT_LT(bit / 8, kMagic.size());
      continue;
    }
    EXPECT_TRUE(summary->damage.any() || summary->damage.is_cut);
    EXPECT_LE(summary->damage.skipped_blocks, 1U);
    EXPECT_TRUE(is_subsequence(read.events, small.events));
    EXPECT_TRUE(is_subsequence(read.definitions, small.definitions));
    if (summary->ending) {
      EXPECT_EQ(summary->allocations + summary->frees + summary->damage.lost_events, kEvents);
    }
    // The bit is in one block; all others are still read.
    EXPECT_GE(summary->allocations + summary->frees, 4U);
  }
  EXPECT_EQ(refused_bits, kMagic.size() * 8);
}

TEST(Damage, AMissingBlockLosesItsEventsAlone) {
  const SmallRecording small = small_recording();
  const std::vector<PartBlock> blocks = blocks_of(small.file);
  const std::vector<std::size_t> events = indexes_of(blocks, BlockType::kEvents);
  ASSERT_EQ(events.size(), 3U);
  const PartBlock& missing = blocks[events[1]];
  FileBytes file = small.file;
  const auto begin = file.begin() + static_cast<std::ptrdiff_t>(missing.offset);
  file.erase(begin, begin + static_cast<std::ptrdiff_t>(kBlockHeaderBytes + missing.stored.size()));
  Remembered read;
  const auto summary = read_recording(file, read);
  ASSERT_TRUE(summary);
  std::vector<std::string> rest = small.events;
  rest.erase(rest.begin() + 3, rest.begin() + 10);
  EXPECT_THAT(read.events, ElementsAreArray(rest));
  EXPECT_EQ(read.definitions, small.definitions);
  EXPECT_EQ(summary->damage.skipped_blocks, 1U);
  EXPECT_EQ(summary->damage.skipped_bytes, 0U);
  EXPECT_EQ(summary->damage.lost_events, 2U);
  EXPECT_FALSE(summary->damage.is_cut);
}

// Also where it takes bytes of the neighbours with it.
TEST(Damage, AMissingPieceCostsTheBlocksThatItHits) {
  const SmallRecording small = small_recording();
  const std::vector<PartBlock> blocks = blocks_of(small.file);
  const std::vector<std::size_t> events = indexes_of(blocks, BlockType::kEvents);
  const PartBlock& hit = blocks[events[1]];
  for (std::size_t length = 1; length < hit.stored.size(); ++length) {
    SCOPED_TRACE(length);
    FileBytes file = small.file;
    const auto begin = file.begin() + static_cast<std::ptrdiff_t>(hit.offset + kBlockHeaderBytes);
    file.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
    Remembered read;
    const auto summary = read_recording(file, read);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->allocations + summary->frees, 4U);
    EXPECT_EQ(summary->damage.skipped_blocks, 1U);
    EXPECT_EQ(summary->damage.skipped_bytes, kBlockHeaderBytes + hit.stored.size() - length);
  }
}

TEST(Damage, GarbageBetweenBlocks) {
  const SmallRecording small = small_recording();
  const std::vector<PartBlock> blocks = blocks_of(small.file);
  for (const std::size_t length : {1U, 31U, 32U, 33U, 300'000U}) {
    SCOPED_TRACE(length);
    FileBytes file = small.file;
    // The marker's first byte, so that each is looked at.
    const FileBytes garbage(length, std::byte{kMarker[0]});
    const std::size_t at = blocks[blocks.size() / 2].offset;
    file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), garbage.begin(), garbage.end());
    Remembered read;
    const auto summary = read_recording(file, read);
    ASSERT_TRUE(summary);
    EXPECT_EQ(read.events, small.events);
    EXPECT_EQ(summary->damage.skipped_blocks, 0U);
    EXPECT_EQ(summary->damage.skipped_bytes, length);
    EXPECT_FALSE(summary->damage.is_cut);
  }
}

TEST(Damage, AKilledRecorderLeavesWhatItFlushed) {
  const FileBytes file = written({}, [](Writer& writer) {
    for (std::uint64_t i = 1; i <= 100; ++i) {
      writer.add(Allocation{i * 1000, 1, Address{i * 64}, 50, 1, CallKind::kMalloc, 0});
      if (i == 60) {
        ASSERT_TRUE(writer.flush());
      }
    }
  });
  Remembered read;
  const auto summary = read_recording(file, read);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->allocations, 60U);
  EXPECT_FALSE(summary->ending);
  EXPECT_TRUE(summary->damage.is_cut);
  EXPECT_FALSE(summary->damage.any());
}

}  // namespace
}  // namespace mini::recording
