// What a memory system call that has returned did to the model of its address space.
#pragma once

#include <cstdint>
#include <vector>

#include "model/mapping.h"
#include "sources/tracee.h"

namespace mini::sources {

struct CallResult {
  std::int64_t value = 0;  // -errno where it failed
  bool failed = false;
};

struct Effect {
  AddressRange range;                    // what the call was about, in whole pages
  std::vector<model::Mapping> mappings;  // what was there before; for what it mapped, after
};

/// Brings process.space up to date. REQUIRES: the calling thread is stopped at the call's exit and
/// no other call that changes mappings is in flight, unless order_lost is set.
Effect apply_call(TracedProcess& process, const Call& call, CallResult result);

}  // namespace mini::sources
