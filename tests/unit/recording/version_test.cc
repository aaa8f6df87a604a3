// Files that this version did not write: of newer ones, of nobody's, of an adversary.
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string_view>

#include "file_parts.h"
#include "recording/definitions.h"
#include "recordings.h"

namespace mini::recording {
namespace {

using testing::HasSubstr;

std::string refusal(const FileBytes& file) {
  Remembered read;
  const auto summary = read_recording(file, read);
  return summary ? "not refused" : summary.error().message;
}

FileBytes bytes(std::string_view text) {
  FileBytes file(text.size());
  std::memcpy(file.data(), text.data(), text.size());
  return file;
}

TEST(Version, AnotherMajorIsRefused) {
  const std::vector<PartBlock> blocks = blocks_of(small_recording().file);
  EXPECT_EQ(refusal(file_of(blocks, 2, 7)),
            "the recording was written by a newer heapspy (format 2.7; this one reads 1.x)");
  EXPECT_EQ(refusal(file_of(blocks, 0, 3)),
            "the recording was written by an older heapspy (format 0.3; this one reads 1.x)");
}

TEST(Version, WhatIsNoRecordingIsRefused) {
  EXPECT_EQ(refusal({}), "the recording is empty: no recording was begun in it");
  EXPECT_EQ(refusal(bytes("#!/bin/sh\n")),
            "the recording is no recording of heapspy's: 'heapspy record' makes one");
  EXPECT_EQ(refusal(bytes("{\"type\":\"header\",\"schema\":1}")),
            "the recording is no recording of heapspy's: 'heapspy record' makes one");
  EXPECT_THAT(refusal(bytes("\x8bHSP\n\x1a\n and so on, and so on")),
              HasSubstr("as if it were text"));
  EXPECT_THAT(refusal(bytes("\x8bHSP\r\n")), HasSubstr("ends within its first bytes"));
}

/// Adds fields to a block's one record.
void lengthen_record(PartBlock& block, std::size_t more) {
  ByteReader in(block.stored);
  const ByteSpan fields = in.bytes(in.varint());
  ByteVector longer;
  put_varint(longer, fields.size() + more);
  put_bytes(longer, fields);
  longer.resize(longer.size() + more, 0xEE);
  block = plain_block(block.type, longer);
}

/// Adds a column to a block of events.
void add_column(PartBlock& block) {
  ByteReader in(block.stored);
  ByteVector longer;
  for (int i = 0; i < 7; ++i) put_varint(longer, in.varint());
  ASSERT_EQ(in.varint(), kColumns);
  put_varint(longer, kColumns + 1);
  for (std::size_t i = 0; i < 2 * kColumns; ++i) put_varint(longer, in.varint());
  put_varint(longer, 3);
  put_varint(longer, 3);
  put_bytes(longer, in.bytes(in.left()));
  longer.resize(longer.size() + 3, 0xEE);
  block = plain_block(block.type, longer);
}

TEST(Version, ANewerMinorIsReadAsFarAsItIsKnown) {
  const SmallRecording small = small_recording();
  std::vector<PartBlock> blocks = blocks_of(small.file);
  for (const std::size_t i : indexes_of(blocks, BlockType::kEvents)) add_column(blocks[i]);
  for (const std::size_t i : indexes_of(blocks, BlockType::kEnding))
    lengthen_record(blocks[i], 200);
  PartBlock unknown = plain_block(77, ByteVector(100, 1));
  unknown.flags = 0x80;
  blocks.insert(blocks.begin() + 2, unknown);
  Remembered read;
  const auto summary = read_recording(file_of(blocks, kMajorVersion, 9), read);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(read.events, small.events);
  EXPECT_EQ(read.definitions, small.definitions);
  EXPECT_FALSE(summary->damage.any());
  ASSERT_TRUE(summary->ending);
  EXPECT_EQ(summary->ending->status, 3U);
}

/// A sound file with one block besides the first.
Summary read_with(const PartBlock& block) {
  std::vector<PartBlock> blocks{blocks_of(small_recording().file).front(), block};
  Remembered read;
  const auto summary = read_recording(file_of(blocks), read);
  EXPECT_TRUE(summary);
  return summary.value_or(Summary{});
}

TEST(Hostile, SizesThatAreNotTrue) {
  PartBlock block = plain_block(static_cast<std::uint8_t>(BlockType::kModules), {1, 2, 3});
  block.raw_bytes = UINT32_MAX;
  EXPECT_EQ(read_with(block).damage.skipped_bytes, kBlockHeaderBytes + 3);
  block.raw_bytes = kMaxBlockBytes;
  EXPECT_EQ(read_with(block).damage.skipped_blocks, 1U);
  block.flags = kFlagZstd;
  EXPECT_EQ(read_with(block).damage.skipped_blocks, 1U);
}

TEST(Hostile, CountsThatAreNotTrue) {
  const ByteVector many{1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0E};  // from 1 on, nearly 2^32
  for (const BlockType type : {BlockType::kModules, BlockType::kThreads, BlockType::kFrames,
                               BlockType::kStacks, BlockType::kSources, BlockType::kProcess,
                               BlockType::kEvents, BlockType::kEnding, BlockType::kLeakScan}) {
    const Summary summary = read_with(plain_block(static_cast<std::uint8_t>(type), many));
    EXPECT_EQ(summary.damage.skipped_blocks, 1U) << static_cast<int>(type);
  }
}

/// A block of events with these columns, and as many events as there are codes.
PartBlock events_block(const std::vector<ByteVector>& columns) {
  ByteVector contents;
  put_varint(contents, columns[0].size());
  for (const std::uint64_t number : {0U, 0U, 1000U, 0U, 0U, 0U}) put_varint(contents, number);
  put_varint(contents, columns.size());
  for (const ByteVector& column : columns) {
    put_varint(contents, column.size());
    put_varint(contents, column.size());
  }
  for (const ByteVector& column : columns) put_bytes(contents, column);
  return plain_block(static_cast<std::uint8_t>(BlockType::kEvents), contents);
}

constexpr std::uint8_t kFirst = kCodeThread;  // of a block

TEST(Hostile, CodesThatAskForWhatIsNotThere) {
  const ByteVector threads{1, 1};
  const ByteVector none;
  const std::vector<std::vector<ByteVector>> wrong{
      {{kCodeFree}},                                                       // no thread
      {{kFirst | kCodeFree}, none, {2, 1}},                                // local thread 2
      {{kFirst | kCodeFree}, none, threads},                               // nothing is live
      {{kFirst | kCodeFree | kModeNext}, none, threads},                   // nothing was freed
      {{kFirst | kCodeFree | kModeSlot}, none, threads, {1}, {0}},         // slot 1
      {{kFirst | kCodeFree | kModeSlot}, none, threads},                   // no slot at all
      {{kFirst | kCodeFree | kModeAddress}, none, threads},                // no address
      {{kFirst | kCodeFree | kCodeLater}, none, threads},                  // no time
      {{kFirst | kCodeFree | kCodeSameStack}, none, threads},              // no stack is expected
      {{kFirst}, none, threads},                                           // nor for an allocation
      {{kFirst | kCodeStack}, none, threads, none, none, none, {2}},       // local stack 2
      {{kFirst | kCodeStack}, none, threads, none, none, none, {1}, {2}},  // no kind
      {{kFirst | kCodeOther}, none, threads},                              // no record
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    const Summary summary = read_with(events_block(wrong[i]));
    EXPECT_EQ(summary.damage.skipped_blocks, 1U) << "case " << i;
    EXPECT_EQ(summary.allocations + summary.frees, 0U) << "case " << i;
  }
  // The same in order: what is there is read.
  const Summary right =
      read_with(events_block({{kFirst | kCodeFree | kModeAddress, kCodeStack | kModeSlot},
                              none,
                              threads,
                              {1},
                              {0},
                              {2},
                              {1},
                              {2, 0}}));
  EXPECT_EQ(right.damage.skipped_blocks, 0U);
  EXPECT_EQ(right.allocations, 1U);
  EXPECT_EQ(right.frees, 1U);
}

TEST(Hostile, TimesThatOverflow) {
  ByteVector ticks;
  put_varint(ticks, UINT64_MAX / 500);
  const Summary summary = read_with(
      events_block({{kFirst | kCodeFree | kModeAddress, kCodeFree | kModeSlot | kCodeLater},
                    ticks,
                    {1, 1},
                    {1},
                    {0},
                    {2}}));
  EXPECT_EQ(summary.frees, 1U);
  EXPECT_EQ(summary.damage.skipped_blocks, 1U);
}

TEST(Hostile, UnknownOtherEventsAndKindsAreNotDamage) {
  const Summary summary =
      read_with(events_block({{kFirst | kCodeOther | 0x78, kCodeStack | kModeAddress},
                              {},
                              {1, 1},
                              {},
                              {},
                              {2},
                              {1},
                              {2, 99},
                              {},
                              {},
                              {},
                              {3, 1, 2, 3}}));
  EXPECT_EQ(summary.damage.skipped_blocks, 0U);
  EXPECT_EQ(summary.allocations, 1U);
}

}  // namespace
}  // namespace mini::recording
