// Files that a command writes to, opened before it does anything.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/partial_file.h"
#include "base/result.h"
#include "views/output.h"

namespace mini::cli {

/// A descriptor that is closed at the end unless it is one of the standard three.
class OutputFile {
 public:
  OutputFile(int fd, std::string name, std::optional<PartialFile> partial = std::nullopt);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  int fd() const { return fd_; }
  /// As messages name it: "'out.txt'", "standard error".
  const std::string& name() const { return name_; }
  /// All was written: a whole output gets its name.
  Result<void> appear();

 private:
  int fd_;
  std::string name_;
  std::optional<PartialFile> partial_;  // of a whole output, until it has its name
};

/// The file that -o names; none where that is "-", standard output.
std::optional<std::string> output_path_of(const std::string& word);

/// What is written is there at once, for somebody to look on.
Result<OutputFile> open_output(const std::string& path);
/// The same, or standard output where no file was named.
Result<OutputFile> open_output_or_stdout(const std::optional<std::string>& path);
/// A file that appears when it is whole, see finish_output(): until then what was there before
/// stays. Pipes, devices, and files that another could not take the place of unnoticed, are written
/// to as they are; and standard output, where no file was named.
Result<OutputFile> open_whole_output(const std::optional<std::string>& path);

/// Whether two names are of one regular file, or of one that is not there yet.
bool is_same_file(const std::string& one, const std::string& other);

/// Whether OUT is none of the files that are read: opening it would empty that. Empty names are of
/// none. The error says what to type.
Result<void> check_not_input(const std::optional<std::string>& output,
                             std::span<const std::string> inputs);

/// Whether all went out that was written by `output`, which writes to `file`: then that is whole.
Result<void> finish_output(const views::Output& output, OutputFile& file);
/// Writes all of the text.
Result<void> write_whole(OutputFile& file, const std::string& text);

Result<void> write_stdout(const std::string& text);
/// The same; returns the exit status, where that failed after a complaint of `who`.
int show_text(std::string_view who, const std::string& text);

/// A file at its limit (ulimit -f) is an error of write, not our death; with
/// outlive_failed_writes() a closed pipe is, too. A handler, unlike SIG_IGN, does not pass to a
/// program that we start; where we were started with SIG_IGN, so would that program have been.
void outlive_full_files();
void outlive_failed_writes();

}  // namespace mini::cli
