// Programs that ran without being recorded, each counted once by its path and the reason.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "recording/event.h"

namespace mini::sources {

class UnrecordedPrograms {
 public:
  /// One more; how many so far. Beyond a number of paths all others count as one, "".
  const recording::UnrecordedProgram& count(const std::string& path, PreloadObstacle obstacle,
                                            std::uint64_t time_ns);

  /// In the order in which they were first counted. Valid until the next count().
  const std::vector<recording::UnrecordedProgram>& all() const { return programs_; }

 private:
  static constexpr std::size_t kMostPrograms = 256;

  std::vector<recording::UnrecordedProgram> programs_;
  std::map<std::pair<std::string, PreloadObstacle>, std::size_t> places_;
};

}  // namespace mini::sources
