// What a program that is observed prints: collected from a pseudo terminal, or from a pipe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::lab {

/// Programs print to a terminal, unless they are told otherwise, and stdio asks which it is: the
/// size of its buffer, which malloc has to provide, depends on it. So the lab's programs get a
/// terminal; a pipe where the system gives us none.
class TargetOutput {
 public:
  static Result<std::unique_ptr<TargetOutput>> open();
  TargetOutput(const TargetOutput&) = delete;
  TargetOutput& operator=(const TargetOutput&) = delete;
  ~TargetOutput() { collect(); }

  /// The end that the program writes to.
  int write_end() const { return write_end_.get(); }
  void close_write_end() { write_end_ = {}; }
  /// The buffer that stdio takes for it: st_blksize, as _IO_file_doallocate has it.
  Bytes stdio_buffer() const;

  /// Reads what comes from now on, so that the program never waits for us.
  void start();
  /// Closes our write end and returns all that was printed, once the program has closed its own.
  std::string collect();

  /// Without start(): reads up to the next line that begins with `mark`, and returns that line
  /// after what came before it. False at the end of the output; then `text` is all that was left.
  bool read_to_line(std::string_view mark, std::string* text);

 private:
  TargetOutput() = default;
  bool read_more();

  kernel::FileDescriptor read_end_;
  kernel::FileDescriptor write_end_;
  std::string text_;  // the reader's while there is one
  std::thread reader_;
};

}  // namespace mini::lab
