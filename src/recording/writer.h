// Writes a recording: docs/recording-format.md says what bytes.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "recording/event.h"
#include "recording/file_sink.h"

namespace mini::recording {

/// Not thread-safe. Holds about 2 MiB beside the tables that make stacks and frames unique. What
/// was handed over reaches the file when a block is full, at flush(), write_older() and finish(): a
/// process that is killed in between loses that much at most. After an error every call does
/// nothing and returns it.
class Writer {
 public:
  /// Takes over the descriptor, of an empty file or a pipe, and writes the head. `gives_up`: see
  /// FileSink.
  static Result<std::unique_ptr<Writer>> create(int descriptor, const ProcessFacts& process,
                                                GivesUp gives_up = nullptr);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  ModuleNumber define_module(const ModuleFacts& module);
  ThreadNumber define_thread(const ThreadFacts& thread);
  /// The same number for the same frame.
  FrameNumber frame(const FrameFacts& frame);
  /// The same number for the same stack. REQUIRES: both were given out.
  StackNumber stack(StackNumber caller, FrameNumber frame);
  /// What a frame means; once for each frame, at any time before finish().
  void define_source(FrameNumber frame, std::span<const SourceFrame> frames);
  /// Frames without a source so far, in the order of their numbers, at most `most`.
  std::vector<std::pair<FrameNumber, FrameFacts>> frames_without_source(std::size_t most) const;

  /// Events, in the order of their times: an earlier time than the last is taken for the last.
  void add(const Allocation& allocation);
  void add(const Free& free);
  void add(std::span<const HeapEvent> events);
  void add(const KernelSample& sample);
  void add(const Mapping& mapping);
  void add(const Marker& marker);
  void add(const UsableSize& usable);
  void add(const Touch& touch);
  void add(const TouchWatch& watch);

  /// The search for leaks, after all events that came before it; once.
  void add(const LeakScan& scan);

  /// After all events that came before it.
  void add(const Fork& fork);

  /// At any time.
  void add(const UnrecordedProgram& program);

  /// Writes the events that are buffered where the first of them is older than a time: a small
  /// block, for who reads the file meanwhile.
  void write_older(std::uint64_t than_ns);
  /// Writes what is buffered.
  Result<void> flush();
  /// Writes all, and the index. Nothing may follow.
  Result<void> finish(const Ending& ending);

  /// Why nothing more is written, where that is so.
  const Result<void>& state() const;
  std::uint64_t written_bytes() const;
  std::uint64_t event_count() const;  // allocations and frees, but for those that an error lost

 private:
  class Impl;
  explicit Writer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mini::recording
