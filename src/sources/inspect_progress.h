// How far the reading of a large heap is, told to whoever waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/memory_reader.h"
#include "model/heap.h"

namespace mini::sources {

/// Told now and then, much more often than a person looks. `all_bytes` is 0 where it is not known.
using InspectProgress =
    std::function<void(std::string_view step, std::uint64_t done_bytes, std::uint64_t all_bytes)>;

/// A process or core of less memory is read before anyone would look.
inline constexpr Bytes kWorthProgress = kMiB * 256;

/// Counts what is read and what is decoded; as a sink, every piece of the heap.
class ProgressMeter final : public model::PieceSink {
 public:
  enum class Step : std::uint8_t { kTouch, kCopy, kLists, kChunks, kSearch };

  /// From now on `report` is told, which may be empty.
  void tell_to(InspectProgress report) { report_ = std::move(report); }

  bool is_wanted() const { return static_cast<bool>(report_); }
  model::PieceSink* or_null() { return is_wanted() ? this : nullptr; }

  /// `waits`: the process stands still meanwhile.
  void begin(Step step, Bytes all, bool waits) {
    step_ = step;
    waits_ = waits;
    done_ = 0;
    all_ = all.count;
    tell();
  }
  /// REQUIRES: begin(kLists) with the size of all arenas.
  void begin_region(const model::HeapRegion& region) override {
    if (step_ == Step::kLists) begin(Step::kChunks, {all_}, waits_);
    counts_ = region.arena != model::kNoArena;
  }
  void piece(const model::HeapPiece& piece) override {
    // The end of an arena is not read.
    if (!counts_ || piece.use == model::PieceUse::kTop) return;
    done_ += piece.range.size().count;
    tell_sometimes();
  }
  void end_region() override {}
  void read(std::size_t bytes) {
    if (step_ == Step::kChunks) return;  // the pieces say how far it is
    done_ += bytes;
    tell_sometimes();
  }

 private:
  static constexpr std::uint32_t kBetween = 1 << 12;  // pieces, or reads

  void tell_sometimes() {
    if (++since_told_ >= kBetween) tell();
  }
  void tell();

  InspectProgress report_;
  bool waits_ = false;
  Step step_ = Step::kLists;
  bool counts_ = false;
  std::uint32_t since_told_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t all_ = 0;
};

/// A MemoryReader before another one whose reads a meter counts.
class MeteredMemory final : public MemoryReader {
 public:
  MeteredMemory(const MemoryReader& memory, ProgressMeter& meter)
      : memory_(memory), meter_(meter) {}
  std::size_t read(Address from, std::span<std::byte> out) const override {
    const std::size_t count = memory_.read(from, out);
    meter_.read(count);
    return count;
  }

 private:
  const MemoryReader& memory_;
  ProgressMeter& meter_;
};

}  // namespace mini::sources
