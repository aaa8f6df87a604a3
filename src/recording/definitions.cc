// Definitions to bytes and back.
#include "recording/definitions.h"

#include <algorithm>
#include <string>

namespace mini::recording {

namespace {

// What became of a search for leaks; anything else: it could not be made.
constexpr std::uint64_t kScanDone = 1;
constexpr std::uint64_t kScanRefused = 2;

std::string_view shortened(std::string_view text) {
  return text.substr(0, kMaxStringBytes);
}

void put_record(ByteVector& out, const ByteVector& fields) {
  put_varint(out, fields.size());
  put_bytes(out, fields);
}

/// The arguments that are kept.
std::span<const std::string> kept_arguments(std::span<const std::string> command) {
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (; count < std::min(command.size(), kMaxArguments); ++count) {
    bytes += shortened(command[count]).size();
    if (bytes > kMaxCommandBytes) break;
  }
  return command.first(count);
}

/// Calls `read(number, record)` for each of a block's numbered records.
template <typename Read>
bool read_records(ByteReader in, Read read) {
  const std::uint64_t first = in.varint();
  const std::uint64_t count = in.varint();
  if (first == 0 || first > UINT32_MAX || count > UINT32_MAX - first) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    ByteReader record = in.record();
    if (in.is_bad() || !read(static_cast<std::uint32_t>(first + i), record)) return false;
  }
  return !in.is_bad();
}

Ending::Kind ending_kind(std::uint64_t number) {
  const bool is_known = number < static_cast<std::uint64_t>(Ending::Kind::kUnknown);
  return is_known ? static_cast<Ending::Kind>(number) : Ending::Kind::kUnknown;
}

bool read_source(ByteReader record, Visitor& visitor) {
  const std::uint64_t frame = record.varint();
  const std::uint64_t count = record.varint();
  if (frame == 0 || frame > UINT32_MAX || count > kMaxSourceFrames) return false;
  std::vector<SourceFrame> frames(count);
  for (SourceFrame& source : frames) {
    source.function = record.string();
    source.file = record.string();
    const std::uint64_t line = record.varint();
    source.line = static_cast<std::uint32_t>(std::min<std::uint64_t>(line >> 1U, UINT32_MAX));
    source.inlined = (line & 1U) != 0;
  }
  if (record.is_bad()) return false;
  visitor.source(static_cast<FrameNumber>(frame), frames);
  return true;
}

}  // namespace

void put_process(ByteVector& out, const ProcessFacts& process) {
  ByteVector fields;
  put_varint(fields, process.pid);
  put_varint(fields, process.parent_pid);
  put_string(fields, shortened(process.executable));
  put_varint(fields, process.start_unix_ns);
  put_varint(fields, process.sample_bytes);
  const std::span<const std::string> arguments = kept_arguments(process.command);
  put_varint(fields, arguments.size());
  for (const std::string& argument : arguments) put_string(fields, shortened(argument));
  if (!process.origin.empty()) {
    put_string(fields, shortened(process.origin));
    put_varint(fields, process.origin_fork);
  }
  put_record(out, fields);
}

void put_module(ByteVector& out, const ModuleFacts& module) {
  ByteVector fields;
  put_string(fields, shortened(module.path));
  put_string(fields, shortened(module.build_id));
  put_varint(fields, module.load_bias.value);
  put_record(out, fields);
}

void put_thread(ByteVector& out, const ThreadFacts& thread) {
  ByteVector fields;
  put_varint(fields, thread.tid);
  put_string(fields, shortened(thread.name));
  put_record(out, fields);
}

void put_source(ByteVector& out, FrameNumber frame, std::span<const SourceFrame> frames) {
  ByteVector fields;
  frames = frames.first(std::min(frames.size(), kMaxSourceFrames));
  put_varint(fields, frame);
  put_varint(fields, frames.size());
  for (const SourceFrame& source : frames) {
    put_string(fields, std::string_view(source.function).substr(0, kMaxSourceStringBytes));
    put_string(fields, std::string_view(source.file).substr(0, kMaxSourceStringBytes));
    put_varint(fields, (std::uint64_t{source.line} << 1U) | (source.inlined ? 1U : 0U));
  }
  put_record(out, fields);
}

void put_leak_scan(ByteVector& out, const LeakScan& scan, std::span<const LostBlock> lost) {
  ByteVector fields;
  put_varint(fields, scan.time_ns);
  put_varint(fields, scan.is_done ? kScanDone : scan.is_refused ? kScanRefused : 0);
  put_varint(fields, scan.scanned_bytes);
  put_varint(fields, scan.unreadable_bytes);
  put_record(out, fields);
  put_varint(out, lost.size());
  std::uint64_t previous = 0;
  for (const LostBlock& block : lost) {
    put_varint(out, ((block.address.value - previous) << 1U) | (block.is_indirect ? 1U : 0U));
    previous = block.address.value;
  }
}

void put_fork(ByteVector& out, const Fork& fork) {
  ByteVector fields;
  put_varint(fields, fork.time_ns);
  put_varint(fields, fork.number);
  put_record(out, fields);
}

void put_unrecorded_program(ByteVector& out, const UnrecordedProgram& program) {
  ByteVector fields;
  put_varint(fields, program.time_ns);
  put_varint(fields, static_cast<std::uint64_t>(program.obstacle));
  put_varint(fields, program.count);
  put_string(fields, shortened(program.path));
  put_record(out, fields);
}

void put_ending(ByteVector& out, const EndingRecord& record) {
  ByteVector fields;
  put_varint(fields, record.ending.time_ns);
  put_varint(fields, static_cast<std::uint64_t>(record.ending.kind));
  put_varint(fields, record.ending.status);
  put_varint(fields, record.ending.losses.dropped_events);
  put_varint(fields, record.ending.losses.truncated_stacks);
  put_varint(fields, record.allocations);
  put_varint(fields, record.frees);
  put_record(out, fields);
}

bool read_process(ByteReader in, ProcessFacts& process) {
  ByteReader record = in.record();
  process.pid = record.varint();
  process.parent_pid = record.varint();
  process.executable = record.string();
  process.start_unix_ns = record.varint();
  process.sample_bytes = record.varint();
  const std::uint64_t count = record.varint();
  if (count > kMaxArguments) return false;
  process.command.resize(count);
  for (std::string& argument : process.command) argument = record.string();
  if (!record.at_end()) process.origin = record.string();
  process.origin_fork = record.varint_or_0();
  return !in.is_bad() && !record.is_bad();
}

bool read_modules(ByteReader in, Visitor& visitor) {
  return read_records(in, [&](ModuleNumber number, ByteReader& record) {
    ModuleFacts module;
    module.path = record.string();
    module.build_id = record.string();
    module.load_bias = Address{record.varint()};
    if (!record.is_bad()) visitor.module(number, module);
    return !record.is_bad();
  });
}

bool read_threads(ByteReader in, Visitor& visitor) {
  return read_records(in, [&](ThreadNumber number, ByteReader& record) {
    ThreadFacts thread;
    thread.tid = record.varint();
    thread.name = record.string();
    if (!record.is_bad()) visitor.thread(number, thread);
    return !record.is_bad();
  });
}

bool read_frames(ByteReader in, Visitor& visitor) {
  const std::uint64_t first = in.varint();
  const std::uint64_t count = in.varint();
  if (first == 0 || first > UINT32_MAX || count > UINT32_MAX - first) return false;
  std::uint64_t address = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t module = in.varint();
    address += in.signed_varint();
    if (in.is_bad() || module > UINT32_MAX) return false;
    visitor.frame(static_cast<FrameNumber>(first + i),
                  {.module = static_cast<ModuleNumber>(module), .address = address});
  }
  return !in.is_bad();
}

bool read_stacks(ByteReader in, Visitor& visitor) {
  const std::uint64_t first = in.varint();
  const std::uint64_t count = in.varint();
  if (first == 0 || first > UINT32_MAX || count > UINT32_MAX - first) return false;
  std::uint64_t frame = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t back = in.varint();
    frame += in.signed_varint();
    const std::uint64_t number = first + i;
    if (in.is_bad() || back >= number || frame > UINT32_MAX) return false;
    const std::uint64_t caller = back == 0 ? 0 : number - back;
    visitor.stack(static_cast<StackNumber>(number), {.caller = static_cast<StackNumber>(caller),
                                                     .frame = static_cast<FrameNumber>(frame)});
  }
  return !in.is_bad();
}

bool read_sources(ByteReader in, Visitor& visitor) {
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count; ++i) {
    const ByteReader record = in.record();
    if (in.is_bad() || !read_source(record, visitor)) return false;
  }
  return !in.is_bad();
}

bool read_leak_scan(ByteReader in, Visitor& visitor) {
  LeakScan scan;
  ByteReader record = in.record();
  scan.time_ns = record.varint();
  const std::uint64_t outcome = record.varint();
  scan.is_done = outcome == kScanDone;
  scan.is_refused = outcome == kScanRefused;
  scan.scanned_bytes = record.varint();
  scan.unreadable_bytes = record.varint();
  const std::uint64_t count = in.varint();
  if (in.is_bad() || record.is_bad() || count > in.left()) return false;
  scan.lost.reserve(count);
  std::uint64_t address = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t code = in.varint();
    address += code >> 1U;
    scan.lost.push_back({.address = Address{address}, .is_indirect = (code & 1U) != 0});
  }
  if (in.is_bad()) return false;
  visitor.leak_scan(scan);
  return true;
}

bool read_fork(ByteReader in, Fork& fork) {
  ByteReader record = in.record();
  fork.time_ns = record.varint();
  fork.number = record.varint();
  return !in.is_bad() && !record.is_bad();
}

bool read_unrecorded_program(ByteReader in, UnrecordedProgram& program) {
  ByteReader record = in.record();
  program.time_ns = record.varint();
  program.obstacle = preload_obstacle(record.varint());
  program.count = record.varint();
  program.path = record.string();
  return !in.is_bad() && !record.is_bad();
}

bool read_ending(ByteReader in, EndingRecord& record) {
  ByteReader fields = in.record();
  record.ending.time_ns = fields.varint();
  record.ending.kind = ending_kind(fields.varint());
  const std::uint64_t status = fields.varint();
  record.ending.status = static_cast<std::uint32_t>(std::min<std::uint64_t>(status, UINT32_MAX));
  record.ending.losses.dropped_events = fields.varint();
  record.ending.losses.truncated_stacks = fields.varint();
  record.allocations = fields.varint();
  record.frees = fields.varint();
  return !in.is_bad() && !fields.is_bad();
}

}  // namespace mini::recording
