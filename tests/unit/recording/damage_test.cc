// Recordings that were cut, changed, or lost a part: what is left is read, what is lost is said.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

#include "file_parts.h"
#include "recording/compression.h"
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
  constexpr std::uint64_t kEvents = 8;  // allocations and frees
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

TEST(Damage, EventsThatNobodyWantsAreNotLost) {
  struct : Visitor {
    bool wants_events() override { return false; }
  } visitor;
  const auto summary = read_recording(small_recording().file, visitor);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->allocations, 0U);
  EXPECT_EQ(summary->damage.lost_events, 0U);
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
    EXPECT_EQ(summary->allocations + summary->frees, 6U);
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

ByteVector modules(std::size_t count, std::size_t path_bytes) {
  ByteVector record;
  put_string(record, std::string(path_bytes, 'm'));
  put_string(record, "");
  put_varint(record, 0);
  ByteVector contents;
  put_varint(contents, 1);
  put_varint(contents, count);
  for (std::size_t i = 0; i < count; ++i) {
    put_varint(contents, record.size());
    put_bytes(contents, record);
  }
  return contents;
}

/// How many definitions are read of a file with this block, whose contents are sound by themselves;
/// none: it counts as damage.
std::size_t definitions_of(const PartBlock& block) {
  Remembered read;
  const auto summary = read_recording(file_of({block}), read);
  EXPECT_TRUE(summary);
  EXPECT_EQ(summary->damage.skipped_blocks, read.definitions.empty() ? 1U : 0U);
  return read.definitions.size();
}

TEST(Damage, AStringThatIsTooLong) {
  const auto type = static_cast<std::uint8_t>(BlockType::kModules);
  EXPECT_EQ(definitions_of(plain_block(type, modules(1, kMaxStringBytes))), 1U);
  EXPECT_EQ(definitions_of(plain_block(type, modules(1, kMaxStringBytes + 1))), 0U);
}

TEST(Damage, AMarkerThatIsTooLong) {
  const FileBytes file = written({}, [](Writer& writer) {
    writer.add(Marker{1, 1, std::string(100, 'm')});
    ASSERT_TRUE(writer.finish({}));
  });
  std::vector<PartBlock> blocks = blocks_of(file);
  const std::size_t events = indexes_of(blocks, BlockType::kEvents).at(0);
  ByteReader in(blocks[events].stored);
  ByteVector head;
  for (int i = 0; i < 8; ++i) put_varint(head, in.varint());
  ByteVector text;
  put_string(text, std::string(kMaxStringBytes + 1, 'm'));
  ByteVector record;
  put_varint(record, text.size());
  put_bytes(record, text);
  ByteVector columns;
  std::vector<std::uint64_t> sizes;
  for (std::size_t i = 0; i < 2 * kColumns; ++i) sizes.push_back(in.varint());
  for (std::size_t i = 0; i < kColumns; ++i) {
    const ByteSpan stored = in.bytes(sizes[2 * i + 1]);
    const bool is_text = i == static_cast<std::size_t>(Column::kOthers);
    put_varint(head, is_text ? record.size() : sizes[2 * i]);
    put_varint(head, is_text ? record.size() : sizes[2 * i + 1]);
    put_bytes(columns, is_text ? ByteSpan(record) : stored);
  }
  put_bytes(head, columns);
  blocks[events] = plain_block(blocks[events].type, head);
  Remembered read;
  const auto summary = read_recording(file_of(blocks), read);
  ASSERT_TRUE(summary);
  EXPECT_TRUE(read.events.empty());
  EXPECT_EQ(summary->damage.skipped_blocks, 1U);
}

TEST(Damage, MoreArgumentsOrInlinedFunctionsThanAWriterKeeps) {
  ByteVector fields;
  put_varint(fields, 1);
  put_varint(fields, kMaxSourceFrames + 1);
  for (std::size_t i = 0; i < 3 * (kMaxSourceFrames + 1); ++i) put_varint(fields, 0);
  ByteVector contents;
  put_varint(contents, 1);
  put_varint(contents, fields.size());
  put_bytes(contents, fields);
  EXPECT_EQ(definitions_of(plain_block(static_cast<std::uint8_t>(BlockType::kSources), contents)),
            0U);
  fields.assign(5, 0);
  put_varint(fields, kMaxArguments + 1);
  fields.resize(fields.size() + kMaxArguments + 1);
  contents.clear();
  put_varint(contents, fields.size());
  put_bytes(contents, fields);
  EXPECT_EQ(definitions_of(plain_block(static_cast<std::uint8_t>(BlockType::kProcess), contents)),
            0U);
}

// A few hundred bytes could stand for eight MiB of definitions.
TEST(Damage, ABlockThatIsCompressedTooFar) {
  constexpr std::size_t kModules = 10'000;
  const ByteVector contents = modules(kModules, 1);
  PartBlock block = plain_block(static_cast<std::uint8_t>(BlockType::kModules), contents);
  EXPECT_EQ(definitions_of(block), kModules);
  block.flags = kFlagZstd;
  block.stored.clear();
  ASSERT_LT(Compressor(Content::kAny).append(contents, block.stored) * kMaxRatio, contents.size());
  EXPECT_EQ(definitions_of(block), 0U);
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
