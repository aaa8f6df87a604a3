// All experiments, in the order of the journey.
#pragma once

#include <span>
#include <string_view>

#include "lab/experiment.h"

namespace mini::lab {

std::span<const Experiment* const> experiments();

/// nullptr where there is none of that id.
const Experiment* find_experiment(std::string_view id);

/// The experiment `by` places further; nullptr beyond the ends, and of one that is not listed.
const Experiment* neighbour(const Experiment& experiment, int by);

}  // namespace mini::lab
