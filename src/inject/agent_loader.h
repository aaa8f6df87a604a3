// Has a running process load the agent and call it: waits for a moment at which one of its threads
// may be borrowed, borrows it, and watches the call come to its end.
#pragma once

#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "base/result.h"
#include "inject/loaded_modules.h"
#include "inject/stopped_process.h"

namespace mini::inject {

struct AgentOrder {
  pid_t pid = 0;
  std::string agent;                   // path of libheapspy-agent.so, as the process sees it
  std::string channel_path;            // the same
  std::vector<std::string> functions;  // that the agent stands before
};

struct LoadedAgent {
  Address link_map;
  std::map<std::string, Address> real;  // of the functions that there are
};

Result<LoadedAgent> load_agent(const AgentOrder& order, const LoaderList& list,
                               const MemoryReader& memory, TraceLedger& ledger);

}  // namespace mini::inject
