// Hands pieces on to several sinks.
#pragma once

#include <vector>

#include "model/heap.h"

namespace mini::model {

class PieceFan final : public PieceSink {
 public:
  /// A null one is left out. It must outlive the fan.
  void add(PieceSink* sink) {
    if (sink != nullptr) sinks_.push_back(sink);
  }
  /// For who takes one sink or none.
  PieceSink* or_null() { return sinks_.empty() ? nullptr : this; }

  void restart() override {
    for (PieceSink* sink : sinks_) sink->restart();
  }
  void begin_region(const HeapRegion& region) override {
    for (PieceSink* sink : sinks_) sink->begin_region(region);
  }
  void piece(const HeapPiece& piece) override {
    for (PieceSink* sink : sinks_) sink->piece(piece);
  }
  void pieces(std::span<const HeapPiece> several) override {
    for (PieceSink* sink : sinks_) sink->pieces(several);
  }
  void end_region() override {
    for (PieceSink* sink : sinks_) sink->end_region();
  }

 private:
  std::vector<PieceSink*> sinks_;
};

}  // namespace mini::model
