// One mapping of an address space, in the terms of /proc/PID/maps plus what we know of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"
#include "model/cause.h"

namespace mini::model {

struct Protection {
  bool read = false;
  bool write = false;
  bool execute = false;
  friend bool operator==(Protection, Protection) = default;
};

/// "r-x"
std::string format_protection(Protection protection);

/// What a mapping is for, as far as evidence tells; decided by explain/, drawn by views/.
enum class Role : std::uint8_t {
  kUnknown,
  kProgramFile,  // a segment of the executable
  kLibraryFile,  // a segment of a shared object
  kLoader,       // the loader's file or its own memory
  kBss,          // anonymous tail of a file's data segment
  kDataFile,     // any other file: locale-archive, a database
  kHeap,         // the kernel's [heap], moved by brk
  kMainStack,
  kThreadStack,   // with its guard
  kGuard,         // PROT_NONE beside something
  kMallocArena,   // a glibc arena's heap other than the main one, reserved part included
  kMmappedChunk,  // one malloc block with a mapping of its own
  kRuntimeHeap,   // of another allocator or runtime
  kAnonymous,     // the program's own
  kSharedMemory,  // SysV, memfd, MAP_SHARED|MAP_ANONYMOUS
  kKernel,        // vdso, vvar, vsyscall
  kAgent,         // heapspy's own, in a program that is recorded, or was
};

/// "malloc arena"
std::string_view role_name(Role role);

/// Whether what the kernel calls a mapping is the path of a file. Anonymous memory in huge pages of
/// the pool (MAP_HUGETLB) has a name that looks like one.
bool is_path_of_file(std::string_view path);

struct Mapping {
  AddressRange range;
  Protection protection;
  bool shared = false;
  std::uint64_t file_offset = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  // Of a part of an ELF file that may be written: where the file's data ends in memory, the zeros
  // behind what is in the file included. 0: not known.
  Address data_end = {};
  std::string path;  // as in maps: "/usr/bin/ls", "[heap]", "[anon:name]", "" where anonymous
  // Labels: set by explain/, kept through splits, not part of what is reconciled.
  Role role = Role::kUnknown;
  Cause cause = Cause::kUnknown;
};

/// Private and without a file: its offset means nothing and counts as equal everywhere.
bool is_anonymous(const Mapping& mapping);

/// Whether `second` begins where `first` ends and, labels apart, /proc/PID/maps could show both as
/// one: equal in protection, sharing and file, with contiguous offsets.
bool continues(const Mapping& first, const Mapping& second);

/// The part of a mapping, with its file offset moved along. REQUIRES: part inside mapping.range.
Mapping slice(const Mapping& mapping, AddressRange part);

}  // namespace mini::model
