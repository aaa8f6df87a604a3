// Sends a running program's calls of the malloc family to the agent, and back again.
//
// What is changed are the words in which each module keeps where the functions are that it imports
// (its global offset table, and pointers in its data). A word is changed only from the function's
// own address to the agent's, and back: so it needs no list of what was changed, and a word that
// holds anything else stays as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "inject/dynamic_module.h"
#include "inject/loaded_modules.h"

namespace mini::inject {

/// A function that the agent stands before.
struct Standin {
  Address real;
  Address agent;
};
using Standins = std::map<std::string, Standin, std::less<>>;

/// The functions of `names` as the program's calls find them: by the first module that defines
/// them, apart from the agent. Of operator new and delete those that come with malloc, in one
/// module: all others call malloc and free.
std::map<std::string, Address> find_real_functions(const std::vector<std::string>& names,
                                                   const std::vector<LoadedModule>& modules,
                                                   const MemoryReader& memory);

/// One word to be changed.
struct Change {
  Address slot;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

enum class Direction : std::uint8_t { kToAgent, kToReal };

/// The words of a module that hold functions with stand-ins, or will.
std::vector<Import> find_imports(const LoadedModule& module, const Standins& standins,
                                 const MemoryReader& memory);

/// What has to change in them. `is_code(address)` says whether it is in the module's own code: a
/// word for calls that points there has not been looked up yet.
std::vector<Change> find_changes(const std::vector<Import>& imports, const Standins& standins,
                                 Direction direction, const MemoryReader& memory,
                                 const std::function<bool(Address)>& is_code);

/// Makes the changes of which the word is still as it was. REQUIRES: all threads of the process are
/// stopped, `stopped_thread` one of them: a word is not written in one go.
std::size_t apply(pid_t pid, const std::vector<Change>& changes, const MemoryReader& memory,
                  pid_t stopped_thread);

}  // namespace mini::inject
