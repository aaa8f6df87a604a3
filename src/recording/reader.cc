// read_recording: from sound blocks to the visitor, and the sums of what was lost.
#include "recording/reader.h"

#include <algorithm>
#include <fmt/format.h>

#include "recording/block_reader.h"
#include "recording/definitions.h"
#include "recording/event_decoder.h"

namespace mini::recording {

namespace {

class RecordingReader {
 public:
  RecordingReader(ByteSource& source, std::string name, Visitor& visitor)
      : window_(source), blocks_(window_), name_(std::move(name)), visitor_(visitor) {}

  Result<Summary> read();

 private:
  Result<void> read_file_head();
  bool read_block(const BlockReader::Block& block);
  bool read_events(ByteSpan contents);
  bool read_end(ByteSpan contents);
  /// Events up to here, lost ones included, are behind us.
  void at_position(std::uint64_t events);

  ByteWindow window_;
  BlockReader blocks_;
  std::string name_;  // as messages have it
  Visitor& visitor_;
  EventDecoder events_;
  std::uint64_t position_ = 0;
  bool are_all_wanted_ = true;  // of the events
  Summary summary_;
};

Result<void> RecordingReader::read_file_head() {
  const auto have = window_.ensure(kHeadBytes);
  if (!have) return std::unexpected(have.error());
  const ByteSpan bytes = window_.bytes();
  const ByteSpan magic(kMagic);
  const auto same = static_cast<std::size_t>(
      std::mismatch(bytes.begin(), bytes.end(), magic.begin(), magic.end()).first - bytes.begin());
  if (*have == 0) return fail(name_ + " is empty: no recording was begun in it");
  if (*have < kHeadBytes && same == std::min(*have, magic.size())) {
    return fail(name_ + " ends within its first bytes: nothing of the recording is left");
  }
  if (same >= 4 && same < magic.size()) {
    return fail(name_ + " was changed on its way here as if it were text: copy it again as binary");
  }
  const std::string refusal = name_ + " is no recording of heapspy's: 'heapspy record' makes one";
  if (*have < kHeadBytes) return fail(refusal);
  const auto head = parse_file_head(bytes.first(kHeadBytes));
  if (!head) return fail(refusal);
  if (head->is_sound && head->major != kMajorVersion) {
    return fail(fmt::format("{} was written by {} heapspy (format {}.{}; this one reads {}.x)",
                            name_, head->major > kMajorVersion ? "a newer" : "an older",
                            head->major, head->minor, kMajorVersion));
  }
  if (!head->is_sound) summary_.damage.skipped_bytes += kHeadBytes;
  window_.skip(kHeadBytes);
  return {};
}

void RecordingReader::at_position(std::uint64_t events) {
  if (!are_all_wanted_) return;
  if (events > position_) summary_.damage.lost_events += events - position_;
  position_ = std::max(position_, events);
}

bool RecordingReader::read_events(ByteSpan contents) {
  if (!visitor_.wants_events()) {
    are_all_wanted_ = false;
    return true;
  }
  const EventDecoder::Outcome outcome = events_.decode(contents, visitor_);
  visitor_.events_end();
  if (outcome.is_sound || outcome.allocations + outcome.frees != 0) {
    at_position(outcome.allocations_before + outcome.frees_before);
  }
  position_ += outcome.allocations + outcome.frees;
  summary_.allocations += outcome.allocations;
  summary_.frees += outcome.frees;
  return outcome.is_sound;
}

bool RecordingReader::read_end(ByteSpan contents) {
  EndingRecord record;
  if (!read_ending(ByteReader(contents), record)) return false;
  summary_.ending = record.ending;
  at_position(record.allocations + record.frees);
  return true;
}

bool RecordingReader::read_block(const BlockReader::Block& block) {
  const ByteReader in(block.contents);
  switch (static_cast<BlockType>(block.type)) {
    case BlockType::kProcess:
      if (!read_process(in, summary_.process)) return false;
      visitor_.process(summary_.process);
      return true;
    case BlockType::kModules:
      return read_modules(in, visitor_);
    case BlockType::kThreads:
      return read_threads(in, visitor_);
    case BlockType::kFrames:
      return read_frames(in, visitor_);
    case BlockType::kStacks:
      return read_stacks(in, visitor_);
    case BlockType::kSources:
      return read_sources(in, visitor_);
    case BlockType::kEvents:
      return read_events(block.contents);
    case BlockType::kEnding:
      return read_end(block.contents);
    case BlockType::kLeakScan:
      return read_leak_scan(in, visitor_);
    case BlockType::kFork: {
      Fork fork;
      if (!read_fork(in, fork)) return false;
      visitor_.fork(fork);
      return true;
    }
    case BlockType::kUnrecordedProgram: {
      UnrecordedProgram program;
      if (!read_unrecorded_program(in, program)) return false;
      visitor_.unrecorded_program(program);
      return true;
    }
    case BlockType::kIndex:
      return true;  // for readers that seek
  }
  return true;  // of a newer minor version
}

Result<Summary> RecordingReader::read() {
  if (const auto head = read_file_head(); !head) return std::unexpected(head.error());
  for (;;) {
    const auto next = blocks_.next();
    if (!next) return std::unexpected(next.error());
    const std::optional<BlockReader::Block>& block = *next;
    if (!block) break;
    if (!read_block(*block)) blocks_.count_as_lost();
    if (!visitor_.progress(window_.offset(), window_.size())) {
      summary_.is_stopped = true;
      break;
    }
  }
  Damage& damage = summary_.damage;
  damage.skipped_blocks = blocks_.lost_blocks();
  damage.skipped_bytes += blocks_.skipped_bytes();
  damage.is_cut = !summary_.is_stopped && !(summary_.ending && blocks_.has_footer());
  return std::move(summary_);
}

}  // namespace

void Visitor::heap_events(std::span<const HeapEvent> events,
                          std::span<const Address> /*new_places*/) {
  for (const HeapEvent& event : events) {
    if (event.is_free) {
      free(event.free());
    } else {
      allocation(event.allocation());
    }
  }
}

Result<Summary> read_recording(const std::string& path, Visitor& visitor) {
  const auto source = open_source(path);
  if (!source) return std::unexpected(source.error());
  return RecordingReader(**source, fmt::format("'{}'", path), visitor).read();
}

Result<Summary> read_recording(std::span<const std::byte> file, Visitor& visitor) {
  const auto source =
      memory_source({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()});
  return RecordingReader(*source, "the recording", visitor).read();
}

}  // namespace mini::recording
