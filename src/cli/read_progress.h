// How far the reading of a file or of a process is, on a terminal: one line that is written over
// and erased.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mini::cli {

/// "reading: 45%, 3 s to go"; without a guess at the rest where it is too early for one.
std::string progress_text(std::string_view what, std::uint64_t read_bytes, std::uint64_t file_bytes,
                          std::uint64_t elapsed_ns);

class ReadProgressLine {
 public:
  /// Silent unless standard error is a terminal that can erase a line.
  ReadProgressLine();
  ReadProgressLine(const ReadProgressLine&) = delete;
  ReadProgressLine& operator=(const ReadProgressLine&) = delete;
  ~ReadProgressLine() { erase(); }

  bool is_wanted() const { return can_erase_; }
  void update(std::uint64_t read_bytes, std::uint64_t file_bytes);
  /// Of one step after the other, each of which is shown when it begins, and is timed by itself.
  /// `all_bytes` is 0 where nobody knows it.
  void update(std::string_view step, std::uint64_t done_bytes, std::uint64_t all_bytes);
  void erase();

 private:
  void show(std::string_view text);

  bool can_erase_;
  bool is_shown_ = false;
  std::string step_ = "reading";
  std::uint64_t began_ns_;
  std::uint64_t shown_ns_;
};

}  // namespace mini::cli
