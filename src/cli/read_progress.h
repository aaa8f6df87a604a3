// How far the reading of a file is, on a terminal: one line that is written over and erased.
#pragma once

#include <cstdint>
#include <string>

namespace mini::cli {

/// "reading: 45%, 3 s to go"; without a guess at the rest where it is too early for one.
std::string progress_text(std::uint64_t read_bytes, std::uint64_t file_bytes,
                          std::uint64_t elapsed_ns);

class ReadProgressLine {
 public:
  /// Silent unless standard error is a terminal.
  ReadProgressLine();
  ReadProgressLine(const ReadProgressLine&) = delete;
  ReadProgressLine& operator=(const ReadProgressLine&) = delete;
  ~ReadProgressLine() { erase(); }

  void update(std::uint64_t read_bytes, std::uint64_t file_bytes);
  void erase();

 private:
  bool is_terminal_;
  bool is_shown_ = false;
  std::uint64_t began_ns_;
  std::uint64_t shown_ns_;
};

}  // namespace mini::cli
