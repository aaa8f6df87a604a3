// The beginning of glibc's decoder: finds malloc's main arena and its parameters in a target, reads
// what decides the next growth of the heap, and finds the request behind one.
//
// Everything read is the target's word: validated by content, never trusted. Nothing here depends
// on where the memory comes from, nor on symbols, though a symbol's address saves the search.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/memory_reader.h"
#include "base/units.h"
#include "model/event.h"

namespace mini::heaps {

/// What the caller knows of a process's libc before it looks inside.
struct GlibcHints {
  /// The writable segment of libc.so.6 (of the executable, if static) with its bss.
  AddressRange data;
  std::optional<Address> main_arena;  // by symbol, where one is known
  std::optional<Address> mp;          // likewise `mp_`
  std::string version;                // "2.36"; "" where unknown
};

/// Where malloc's state is and how it is laid out; made by locate_glibc only.
struct GlibcMalloc {
  Address main_arena;
  Address mp;
  int layout = 0;  // index into the layouts known
  std::string version;
};

/// Finds the main arena by its symbol or else by its structure: every bin is empty and linked to
/// itself or linked to chunks that link back, and `next` makes a ring. nullopt where malloc was not
/// used yet (without symbols), where nothing fits, or where more than one place does. Cost: one
/// read of the segment and a scan of it, a millisecond; keep the answer for the process.
std::optional<GlibcMalloc> locate_glibc(const MemoryReader& memory, const GlibcHints& hints);

/// The version in libc's own banner ("… release version 2.36."), searched in its read-only data;
/// "" where there is none.
std::string find_glibc_version(const MemoryReader& memory, AddressRange read_only_data);

/// What malloc knows now. For the state before a system call, call it at the call's entry. Three
/// small reads. nullopt where the state no longer makes sense.
std::optional<model::MallocState> read_malloc_state(const MemoryReader& memory,
                                                    const GlibcMalloc& malloc);

/// What malloc asked of the kernel.
struct GrowthEvidence {
  enum class Kind : std::uint8_t {
    kBreak,    // brk: `grown` is by how much the break rises
    kMapping,  // mmap of one chunk, or mremap by realloc: `grown` is its (new) length
  };
  Kind kind = Kind::kBreak;
  Bytes grown;
  Bytes page_size{4096};
  model::MallocState state;  // at the call's entry
};

/// Values found in the target.
struct CandidateValues {
  /// Callee-saved registers as they are in the frame of malloc, calloc or realloc itself.
  std::span<const std::uint64_t> entry_registers;
  /// The same registers, in the same order, as they were when it was called.
  std::span<const std::uint64_t> caller_registers;
  /// Callee-saved registers at the system call and the stack's words from there up to the end of
  /// that frame.
  std::span<const std::uint64_t> words;
};

/// The one (request, chunk) among the values for which malloc would have asked for exactly this
/// growth; nullopt where none or more than one fits.
///
/// While the arena is empty, the growth is sized by the thread cache's own chunk, not by the
/// request (model::thread_cache_chunk): then the growth must be the thread cache's, and the request
/// is known by its thread cache index, which malloc has put into another of its registers.
std::optional<model::MallocRequest> find_malloc_request(const GrowthEvidence& evidence,
                                                        const CandidateValues& values);

}  // namespace mini::heaps
