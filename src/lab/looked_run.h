// A program that waits where its author has marked a place to look (lab/look.h), seen from outside.
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "model/inspection.h"
#include "sources/target_settings.h"

namespace mini::lab {

/// The program stands at a look_here().
struct Look {
  pid_t pid = 0;
  std::string name;     // what the mark says: "three blocks are live"
  std::string printed;  // since the look before
};

struct LookRequest {
  std::vector<std::string> command;
  sources::Variables variables = {};
  /// Called at each look; an error ends the run.
  std::function<Result<void>(const Look&)> at_look = {};
};

/// Returns all that was printed, without the marks. Fails where the program does.
Result<std::string> run_with_looks(const LookRequest& request);

/// A heap as `heapspy inspect` finds it, with every piece of it.
struct SeenHeap {
  model::Inspection inspection;  // its ledgers are made
  std::vector<model::HeapRegion> regions;
  std::vector<model::HeapPiece> pieces;  // of all regions, in their order

  /// look_at_heap has made sure that there is one.
  const model::Heap& heap() const {
    return *inspection.heap;  // NOLINT(bugprone-unchecked-optional-access)
  }
  /// The piece that the program has `address` from; nullptr where there is none.
  const model::HeapPiece* block(Address address) const;
};

/// Fails where there is no heap that can be read.
Result<SeenHeap> look_at_heap(pid_t pid);

}  // namespace mini::lab
