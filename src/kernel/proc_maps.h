// /proc/PID/maps: the kernel's own list of a process's mappings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "kernel/file_descriptor.h"

namespace mini::kernel {

struct MapsEntry {
  AddressRange range;
  bool read = false;
  bool write = false;
  bool execute = false;
  bool shared = false;
  std::uint64_t file_offset = 0;
  std::uint64_t device = 0;  // as in stat's st_dev
  std::uint64_t inode = 0;
  std::string path;  // " (deleted)" kept, "" where anonymous
};

/// One line without its newline; nullopt where it is malformed.
std::optional<MapsEntry> parse_maps_line(std::string_view line);

/// All well-formed lines; a malformed one is dropped and counted in *malformed_count.
std::vector<MapsEntry> parse_maps(std::string_view text, std::size_t* malformed_count = nullptr);

Result<std::vector<MapsEntry>> read_maps(pid_t pid);

/// Looks up single mappings of one address space, by the PROCMAP_QUERY ioctl (Linux 6.11) or, where
/// the kernel lacks it, by reading all of maps.
class MapsQuery {
 public:
  explicit MapsQuery(pid_t pid) : pid_(pid) {}
  /// The mapping that contains `address`.
  std::optional<MapsEntry> find(Address address);
  /// To be called after execve: the file stays with the address space it was opened on.
  void reopen() { file_ = {}; }

 private:
  std::optional<MapsEntry> find_by_ioctl(Address address);

  pid_t pid_;
  bool has_ioctl_ = true;
  FileDescriptor file_;
};

}  // namespace mini::kernel
