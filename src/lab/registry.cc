#include "lab/registry.h"

#include <cstddef>
#include <iterator>

namespace mini::lab {

// Each is defined in experiments/<id>_<name>.cc.
extern const Experiment kAnyCommand;
extern const Experiment kHeapSpy;
extern const Experiment kThreeMallocs;
extern const Experiment kHiddenSbrk;
extern const Experiment kLayout;
extern const Experiment kMaps;
extern const Experiment kManyBlocks;
extern const Experiment kHeader;
extern const Experiment kFragmentation;
extern const Experiment kSplit;
extern const Experiment kCoalesce;
extern const Experiment kThreshold;
extern const Experiment kBins;
extern const Experiment kTwoThreads;
extern const Experiment kCost;
extern const Experiment kPythonProgram;
extern const Experiment kSqliteProgram;

namespace {

constexpr const Experiment* kExperiments[] = {
    &kAnyCommand, &kHeapSpy,    &kThreeMallocs,  &kHiddenSbrk,    &kLayout,        &kMaps,
    &kManyBlocks, &kHeader,     &kFragmentation, &kSplit,         &kCoalesce,      &kThreshold,
    &kBins,       &kTwoThreads, &kCost,          &kPythonProgram, &kSqliteProgram,
};

}  // namespace

std::span<const Experiment* const> experiments() {
  return kExperiments;
}

const Experiment* find_experiment(std::string_view id) {
  for (const Experiment* experiment : kExperiments) {
    if (experiment->id == id) return experiment;
  }
  return nullptr;
}

const Experiment* neighbour(const Experiment& experiment, int by) {
  const auto all = experiments();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != &experiment) continue;
    const auto at = static_cast<std::ptrdiff_t>(i) + by;
    return at < 0 || at >= std::ssize(all) ? nullptr : all[static_cast<std::size_t>(at)];
  }
  return nullptr;
}

}  // namespace mini::lab
