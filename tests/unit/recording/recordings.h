// What the tests of recordings share: a file in memory, a visitor that remembers, a made-up
// program.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "recording/reader.h"
#include "recording/writer.h"

namespace mini::recording {

using FileBytes = std::vector<std::byte>;

/// What write() wrote by the Writer that it was given.
FileBytes written(const ProcessFacts& process, const std::function<void(Writer&)>& write);

/// Everything that a visitor is told, one line each.
struct Remembered final : Visitor {
  std::vector<std::string> definitions;
  std::vector<std::string> events;

  void module(ModuleNumber number, const ModuleFacts& module) override;
  void thread(ThreadNumber number, const ThreadFacts& thread) override;
  void frame(FrameNumber number, const FrameFacts& frame) override;
  void source(FrameNumber number, const std::vector<SourceFrame>& frames) override;
  void stack(StackNumber number, const StackFacts& stack) override;
  void allocation(const Allocation& allocation) override;
  void free(const Free& free) override;
  void sample(const KernelSample& sample) override;
  void mapping(const Mapping& mapping) override;
  void marker(const Marker& marker) override;
  void usable_size(const UsableSize& usable) override;
  void touch(const Touch& touch) override;
  void touch_watch(const TouchWatch& watch) override;
  void fork(const Fork& fork) override;
  void unrecorded_program(const UnrecordedProgram& program) override;
};

std::string to_text(const Allocation& allocation);
std::string to_text(const Free& free);
std::string to_text(const KernelSample& sample);
std::string to_text(const Mapping& mapping);
std::string to_text(const Marker& marker);
std::string to_text(const UsableSize& usable);
std::string to_text(const Touch& touch);
std::string to_text(const TouchWatch& watch);
std::string to_text(const Fork& fork);
std::string to_text(const UnrecordedProgram& program);

/// A small recording with one of everything, of several events blocks, and its events.
struct SmallRecording {
  FileBytes file;
  std::vector<std::string> definitions;
  std::vector<std::string> events;
};
SmallRecording small_recording();

/// A program of some threads that allocates blocks of mixed sizes and frees them in random order,
/// on an allocator that gives out the block freed last of its size class and thread, else new ones.
/// Deterministic.
class MadeProgram {
 public:
  struct Shape {
    std::uint32_t threads = 1;
    std::uint32_t stacks = 40;
    std::size_t live_blocks = 1000;
    std::uint64_t largest_bytes = 1024;
  };
  explicit MadeProgram(Shape shape);

  /// Its next step: a block more while there are few, else one is freed and another allocated.
  void step(const std::function<void(const Allocation&)>& on_allocation,
            const std::function<void(const Free&)>& on_free);

 private:
  struct Block {
    std::uint64_t address = 0;
    std::uint64_t size_class = 0;
  };

  std::uint64_t random(std::uint64_t below);
  std::uint64_t place(ThreadNumber thread, std::uint64_t size_class);

  Shape shape_;
  std::minstd_rand random_;
  std::uint64_t time_ns_ = 0;
  std::vector<Block> live_;
  std::vector<std::vector<std::vector<std::uint64_t>>> free_;  // by thread and class
  std::vector<std::uint64_t> next_;                            // by thread
};

}  // namespace mini::recording
