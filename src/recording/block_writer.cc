// Framing on the writer's side.
#include "recording/block_writer.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "recording/checksum.h"

namespace mini::recording {

namespace {

constexpr std::size_t kMostEntries = 65536;
constexpr std::uint32_t kSkippableFrame = 0x184D2A50;  // of zstd, which passes over it

/// Adds a frame without contents to what would be compressed further than a reader believes.
void fill_up(ByteVector& stored, std::size_t least_bytes) {
  if (stored.size() >= least_bytes) return;
  std::array<std::uint8_t, 8> header{};
  const std::size_t padding = std::max(least_bytes - stored.size(), header.size()) - header.size();
  store_number(header.data(), kSkippableFrame);
  store_number(header.data() + 4, static_cast<std::uint32_t>(padding));
  put_bytes(stored, header);
  stored.resize(stored.size() + padding);
}

}  // namespace

void BlockWriter::write_head() {
  sink_.write(make_file_head(kMajorVersion, kMinorVersion));
}

void BlockWriter::put_block(BlockType type, std::uint8_t flags, ByteSpan stored,
                            std::size_t raw_bytes) {
  const auto header = make_block_header({.type = static_cast<std::uint8_t>(type),
                                         .flags = flags,
                                         .sequence = sequence_++,
                                         .stored_bytes = static_cast<std::uint32_t>(stored.size()),
                                         .raw_bytes = static_cast<std::uint32_t>(raw_bytes),
                                         .checksum = xxh64(stored)});
  sink_.write(header);
  sink_.write(stored);
}

void BlockWriter::write(BlockType type, ByteSpan contents) {
  stored_.clear();
  const std::size_t stored_bytes = compressor_.append(contents, stored_);
  fill_up(stored_, (contents.size() + kMaxRatio - 1) / kMaxRatio);
  put_block(type, stored_bytes < contents.size() ? kFlagZstd : 0, stored_, contents.size());
}

void BlockWriter::write_events(ByteSpan contents, std::uint64_t first_time_ns,
                               std::uint64_t allocations, std::uint64_t frees) {
  add_to_index({written_bytes(), first_time_ns, allocations, frees});
  put_block(BlockType::kEvents, 0, contents, contents.size());
}

void BlockWriter::add_to_index(const IndexEntry& entry) {
  if (!index_.empty() && blocks_in_last_ < blocks_an_entry_) {
    ++blocks_in_last_;
    index_.back().allocations += entry.allocations;
    index_.back().frees += entry.frees;
    return;
  }
  if (index_.size() == kMostEntries) {
    for (std::size_t i = 0; i < kMostEntries / 2; ++i) {
      const IndexEntry& second = index_[2 * i + 1];
      index_[i] = index_[2 * i];
      index_[i].allocations += second.allocations;
      index_[i].frees += second.frees;
    }
    index_.resize(kMostEntries / 2);
    blocks_an_entry_ *= 2;
  }
  index_.push_back(entry);
  blocks_in_last_ = 1;
}

void BlockWriter::write_index() {
  ByteVector contents;
  put_varint(contents, index_.size());
  IndexEntry previous;
  for (const IndexEntry& entry : index_) {
    put_varint(contents, entry.offset - previous.offset);
    put_varint(contents, entry.first_time_ns - previous.first_time_ns);
    put_varint(contents, entry.allocations);
    put_varint(contents, entry.frees);
    previous = entry;
  }
  const std::uint64_t offset = written_bytes();
  write(BlockType::kIndex, contents);
  sink_.write(make_footer(offset));
}

}  // namespace mini::recording
