// The agent in a program that runs already: from when it is put in until it has no more to do
// there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "inject/import_binder.h"
#include "inject/loaded_modules.h"
#include "inject/process_view.h"
#include "inject/stopped_process.h"
#include "kernel/process_memory.h"

namespace mini::inject {

/// Not thread-safe: ptrace belongs to the thread that calls.
class Attachment {
 public:
  /// Loads the agent into `pid`, connects it with the channel, and sends the program's calls of the
  /// malloc family to it. On failure the program is as before; the agent may be loaded, and idle.
  static Result<std::unique_ptr<Attachment>> attach(pid_t pid, const std::string& agent,
                                                    const std::string& channel_path);
  ~Attachment();

  /// To be called every few milliseconds: libraries that were loaded since are bound as well. False
  /// where the process has become another program.
  bool look(std::uint64_t now_ns);

  /// Sends the program's calls back to where they went before. What was loaded stays loaded, since
  /// a thread may be inside it, and passes calls on. `while_stopped()` is called where all threads
  /// stand still before the change: what they tell after it is not all that they do. It is not
  /// called where nothing is to be changed, or the process cannot be stopped. To be called once.
  void detach(const std::function<void()>& while_stopped);

 private:
  explicit Attachment(pid_t pid, LoaderList list) : pid_(pid), memory_(pid), list_(list) {}
  Result<void> find_standins(const std::map<std::string, Address>& real);
  void find_new_imports(const ProcessView& view);
  bool bind(Direction direction, const ProcessView& view,
            const std::function<void()>& while_stopped = {});
  bool is_left_alone(const LoadedModule& module, const ProcessView& view,
                     const Landmarks& landmarks) const;

  pid_t pid_;
  kernel::ProcessMemory memory_;
  LoaderList list_;
  TraceLedger ledger_;
  LoadedModule agent_;
  Standins standins_;
  struct KnownModule {
    LoadedModule module;
    std::vector<Import> imports;
  };
  std::map<Address, KnownModule> known_;  // by link map
  std::vector<LoadedModule> bound_;       // the list when all of it was bound
  std::uint64_t looked_ns_ = 0;
  std::uint64_t bound_ns_ = 0;
};

}  // namespace mini::inject
