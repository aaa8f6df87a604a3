// Tells the recorder of programs that this process becomes or starts and that go without the agent.
//
// May run in a child of vfork, as all of exec_environment.h.
#pragma once

#include <cstdint>

#include "kernel/vm/program_file.h"
#include "wire/channel.h"

namespace mini::agent {

/// A program that is about to be run, looked at where somebody records this process.
class NextProgram {
 public:
  /// `path`, as look_at_program() takes it.
  NextProgram(int folder, const char* path);
  /// `file`, to be looked for as execvp() does.
  explicit NextProgram(const char* file);
  NextProgram(const NextProgram&) = delete;
  NextProgram& operator=(const NextProgram&) = delete;

  PreloadObstacle obstacle() const { return file_.obstacle; }

  /// To be called before this process becomes it.
  void announce();
  /// The same call came back.
  void take_back();
  /// It was started as another process, a child of this one.
  void tell_started(std::uint32_t pid) const;

 private:
  void find(const char* file);
  void look(int folder, const char* path);
  wire::ProgramNotice* write(wire::NoticeState state, std::uint32_t pid,
                             std::uint32_t parent_pid) const;

  static constexpr std::size_t kMostPathBytes = 4096;  // PATH_MAX

  wire::Channel* channel_;
  kernel::vm::ProgramFile file_;
  const char* path_ = "";
  wire::ProgramNotice* notice_ = nullptr;
  char found_[kMostPathBytes];  // where it had to be looked for
};

}  // namespace mini::agent
