#include "lab/registry.h"

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

}  // namespace mini::lab
