// A real program on one malloc after another: what it prints, what it costs, what its heap is like.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/experiment.h"
#include "sources/target_settings.h"

namespace mini::lab {

/// A program that stops at a look, in the way of lab/look.h, and prints what does not depend on
/// addresses or times.
struct RealProgram {
  std::string_view name;                  // "python3"
  std::vector<std::string> command = {};  // empty where it is not installed
  sources::Variables variables = {};
};

Result<std::vector<Prediction>> predict_comparison(const Bench& bench, const RealProgram& program);
Result<Observation> compare_allocators(const Bench& bench, const RealProgram& program);

}  // namespace mini::lab
