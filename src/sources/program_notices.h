// Reads what agents tell of programs that no agent can be in: wire/program_notice.h.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "wire/program_notice.h"

namespace mini::sources {

/// Not thread-safe. Targets may write what they like on the board.
class ProgramNotices {
 public:
  struct Found {
    pid_t pid = 0;
    pid_t parent_pid = 0;
    PreloadObstacle obstacle = PreloadObstacle::kNone;
    std::string path;  // "" of one for which there was no place on the board
  };
  enum class Moment : std::uint8_t {
    kGoesOn,
    kEnd,  // what is announced is taken for what happened: nobody looks again
  };

  /// The board has to live as long.
  explicit ProgramNotices(wire::NoticeBoard& board) : board_(board) {}

  /// Those that began since the last call. Cheap where nothing was written.
  std::vector<Found> read(Moment moment);

 private:
  wire::NoticeBoard& board_;
  std::uint32_t written_seen_ = 0;
  std::uint32_t lost_seen_ = 0;
  bool is_waiting_ = false;  // for something that was announced
};

}  // namespace mini::sources
