// Which events are shown. What is hidden still counts in every total.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/event.h"

namespace mini::cli {

class EventFilter {
 public:
  /// What add_syscalls() takes: the calls that are shown as events, sorted.
  static std::vector<std::string> syscall_names();

  /// Names separated by commas, added to those already chosen.
  Result<void> add_syscalls(std::string_view names);
  Result<void> add_causes(std::string_view names);
  void set_minimum(Bytes minimum) { minimum_ = minimum; }

  /// The end of a process is always shown: without it a trace looks cut off.
  bool shows(const model::Event& event) const;

  /// As on the command line: "--filter brk,mmap", "--min 65536".
  std::vector<std::string> describe() const;

 private:
  std::vector<std::string> syscalls_;  // empty: all
  std::vector<model::Cause> causes_;   // empty: all
  Bytes minimum_;
};

}  // namespace mini::cli
