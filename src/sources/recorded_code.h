// Where the code of a recorded process is: addresses become frames of its recording, and these get
// their names from the files in the end.
//
// The agent tells of the modules that are in its stacks. Pages are touched by others too: by the
// loader, before there is an agent; by libraries that ask for no memory; by the agent itself. Where
// these are, the kernel's list of the process's mappings says.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <tuple>
#include <vector>

#include "recording/writer.h"
#include "sources/told_record.h"
#include "unwind/code_map.h"
#include "unwind/module_cache.h"

namespace mini::sources {

/// Not thread-safe. The writer is that of the process's recording each time.
class RecordedCode {
 public:
  /// `executable`: what the program itself is, for which the loader has no name.
  RecordedCode(pid_t pid, std::string executable, std::shared_ptr<unwind::ModuleCache> modules);

  /// As the agent tells.
  void add_module(recording::Writer& writer, const ToldModule& told);
  void remove_module(std::uint64_t begin) { modules_.erase(begin); }

  /// Of a return address in a stack.
  recording::FrameNumber frame(recording::Writer& writer, std::uint64_t pc) const {
    const LoadedModule* const module = module_at(pc);
    if (module == nullptr) return writer.frame({.module = 0, .address = pc});
    return writer.frame({.module = module->number, .address = pc - module->load_bias});
  }
  /// The same of an address in code that the agent may not tell of; `time_ns` is when, for which
  /// the kernel's list is read anew now and then.
  recording::FrameNumber frame_of_any(recording::Writer& writer, std::uint64_t pc,
                                      std::uint64_t time_ns);

  /// What all frames mean that have no source so far.
  void define_sources(recording::Writer& writer) const;

 private:
  struct LoadedModule {
    std::uint64_t end = 0;
    std::uint64_t load_bias = 0;
    recording::ModuleNumber number = 0;
  };
  /// By which a module is the same: load bias, build id, name of its file.
  using ModuleKey = std::tuple<std::uint64_t, std::string, std::string>;

  std::string program_path(Address code) const;
  static ModuleKey key_of(const recording::ModuleFacts& facts);
  /// Of those that the agent has told of.
  const LoadedModule* module_at(std::uint64_t pc) const {
    const auto after = modules_.upper_bound(pc - 1);  // a return address: the call is before it
    if (after == modules_.begin()) return nullptr;
    const LoadedModule& module = std::prev(after)->second;
    return pc <= module.end ? &module : nullptr;
  }
  void read_map(std::uint64_t time_ns);
  recording::ModuleNumber number_of(recording::Writer& writer,
                                    const unwind::CodeMap::Region& region);
  void keep_file(recording::ModuleNumber number, unwind::ModuleMapping file);

  pid_t pid_;
  std::string executable_;
  std::shared_ptr<unwind::ModuleCache> cache_;
  std::map<std::uint64_t, LoadedModule> modules_;  // by begin
  std::vector<unwind::ModuleMapping> files_;       // by module number - 1; "" where there is none
  unwind::CodeMap map_;            // as it was when something was in no module of the agent's
  std::uint64_t next_map_ns_ = 0;  // from when on it may be read again
  std::map<ModuleKey, recording::ModuleNumber> map_modules_;  // of it, so far
};

}  // namespace mini::sources
