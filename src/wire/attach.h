// What heapspy tells the agent that it put into a running program, in that program's memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mini::wire {

inline constexpr char kAttachFunction[] = "heapspy_agent_attach";

inline constexpr std::size_t kMostRealFunctions = 96;
inline constexpr std::size_t kMostChannelPathBytes = 64;

/// A function that the agent stands before: the one that the program's own calls went to so far.
struct RealFunction {
  char name[40];  // the longest of operator new has 34
  std::uint64_t address;
};

struct AttachOrder {
  char channel_path[kMostChannelPathBytes];
  std::uint64_t functions_count;
  RealFunction functions[kMostRealFunctions];
};

/// What heapspy_agent_attach() returns.
enum class AttachAnswer : std::int32_t {
  kAttached,
  kIsRecorded,  // another heapspy does it
  kNoChannel,   // it cannot be opened, or mapped
};

}  // namespace mini::wire
