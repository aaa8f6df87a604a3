// What a process's calls added up to, by cause and by role, and what is still mapped at the end.
//
//  L1  sum over causes and without_call of (gained - returned)
//      == mapped bytes now - mapped bytes at exec
//  L2  mapped_now == AddressSpace::mapped_bytes() at the same moment
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/units.h"
#include "model/cause.h"
#include "model/mapping.h"

namespace mini::model {

/// One row: calls by one cause.
struct LedgerRow {
  std::uint64_t calls_count = 0;
  std::uint64_t failed_count = 0;
  Bytes gained;                         // address space added by these calls
  Bytes returned;                       // address space taken away by them
  std::uint64_t break_moves_count = 0;  // calls that changed the program break
  std::int64_t break_moved_bytes = 0;   // by how much in sum
};

/// What changed between two calls: the kernel extended the main stack, a child of vfork was at work
/// in the same memory.
struct ChangeWithoutCall {
  Bytes gained;
  Bytes returned;
};

struct PhaseRow {
  std::uint64_t calls_count = 0;
  Bytes gained;
  Bytes returned;
};

struct Ledger {
  std::array<LedgerRow, kCauseCount> by_cause;
  ChangeWithoutCall without_call;
  std::array<PhaseRow, kPhaseCount> by_phase;  // calls, and what changed without one
  std::map<std::string, std::uint64_t, std::less<>> calls_by_syscall;
  std::map<Role, Bytes> mapped_by_role;  // at the last event (or at exit): what is still there
  std::array<Bytes, kCauseCount> mapped_by_cause{};  // the same, by who mapped it
  Bytes mapped_at_exec;
  Bytes mapped_now;
  Bytes peak_mapped;
  Bytes heap_now;
  Bytes peak_heap;
  Bytes peak_rss;
  bool knows_whole_peak = false;  // peak_rss is the kernel's own; else the most at an event
  std::uint64_t events_count = 0;
  std::uint64_t unknown_stacks_count = 0;    // events whose stack was missing
  std::uint64_t truncated_stacks_count = 0;  // events whose stack ended early
};

}  // namespace mini::model
