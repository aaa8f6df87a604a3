#include "sources/unrecorded_programs.h"

namespace mini::sources {

const recording::UnrecordedProgram& UnrecordedPrograms::count(const std::string& path,
                                                              PreloadObstacle obstacle,
                                                              std::uint64_t time_ns) {
  auto known = places_.find({path, obstacle});
  if (known == places_.end()) {
    const bool has_room = programs_.size() < kMostPrograms;
    const auto [place, is_new] = places_.try_emplace(
        has_room ? std::pair(path, obstacle) : std::pair(std::string(), PreloadObstacle::kNone),
        programs_.size());
    known = place;
    if (is_new) {
      programs_.push_back({.time_ns = time_ns,
                           .obstacle = known->first.second,
                           .count = 0,
                           .path = known->first.first});
    }
  }
  recording::UnrecordedProgram& program = programs_[known->second];
  ++program.count;
  return program;
}

}  // namespace mini::sources
