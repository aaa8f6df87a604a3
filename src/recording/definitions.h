// The records that define what events refer to, and that say how a recording began and ended.
#pragma once

#include <cstdint>
#include <span>

#include "recording/bytes.h"
#include "recording/event.h"
#include "recording/reader.h"

namespace mini::recording {

// Of a longer string the writer keeps the beginning, of more arguments the first ones, of a frame
// with more functions inlined the innermost ones.
inline constexpr std::size_t kMaxCommandBytes = 1U << 20U;
inline constexpr std::size_t kMaxSourceStringBytes = 16U << 10U;

/// How it ended, as it stands in the file.
struct EndingRecord {
  Ending ending;
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
};

// Each appends one record, its length first; after that of a search for leaks, the lost blocks.
void put_process(ByteVector& out, const ProcessFacts& process);
void put_module(ByteVector& out, const ModuleFacts& module);
void put_thread(ByteVector& out, const ThreadFacts& thread);
void put_source(ByteVector& out, FrameNumber frame, std::span<const SourceFrame> frames);
void put_leak_scan(ByteVector& out, const LeakScan& scan, std::span<const LostBlock> lost);
void put_fork(ByteVector& out, const Fork& fork);
void put_unrecorded_program(ByteVector& out, const UnrecordedProgram& program);
void put_ending(ByteVector& out, const EndingRecord& record);

// Each reads the contents of one block and returns false where they are wrong, having handed on
// what came before.
bool read_process(ByteReader in, ProcessFacts& process);
bool read_modules(ByteReader in, Visitor& visitor);
bool read_threads(ByteReader in, Visitor& visitor);
bool read_frames(ByteReader in, Visitor& visitor);
bool read_stacks(ByteReader in, Visitor& visitor);
bool read_sources(ByteReader in, Visitor& visitor);
bool read_leak_scan(ByteReader in, Visitor& visitor);
bool read_fork(ByteReader in, Fork& fork);
bool read_unrecorded_program(ByteReader in, UnrecordedProgram& program);
bool read_ending(ByteReader in, EndingRecord& record);

}  // namespace mini::recording
