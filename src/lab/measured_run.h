// What a program costs: time, peak of resident memory, memory system calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "lab/places.h"
#include "sources/target_settings.h"

namespace mini::lab {

struct Cost {
  std::uint64_t elapsed_ns = 0;  // of the run without a tracer
  Bytes peak_resident;           // VmHWM at its end: not what a parent had before exec
  std::uint64_t page_faults = 0;
  std::uint64_t memory_calls = 0;  // brk, mmap, munmap, mremap, mprotect, madvise; by the tracer
  std::uint64_t break_calls = 0;   // of them, brk
};

/// Runs it twice: once for time and memory, once under the tracer for the calls. What it prints is
/// dropped.
Result<Cost> measure(const std::vector<std::string>& command, const sources::Variables& variables);

/// A malloc to run a program on.
struct Allocator {
  std::string name;     // "stage 3", "glibc", "libminimalloc"
  std::string library;  // "" for the C library's own
};

/// Stages `first` to 8, glibc, and libminimalloc where it is there.
std::vector<Allocator> allocators(const Places& places, int first_stage);

/// LD_PRELOAD for it.
sources::Variables preload(const Allocator& allocator);

}  // namespace mini::lab
