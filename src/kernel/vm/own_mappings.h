// Which mapping of this process an address lies in, without libc: for code that runs inside malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mini::kernel::vm {

/// One line of the kernel's list, and where the mapping before it ends (0 for the first).
struct OwnMapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::uintptr_t previous_end = 0;
  bool readable = false;
  bool executable = false;
  bool is_main_stack = false;  // the one that the kernel lets grow downwards
};

/// Finds a mapping in the text of /proc/PID/maps, which may come in pieces of any size.
class MappingSearch {
 public:
  explicit MappingSearch(std::uintptr_t address) : address_(address) {}

  /// True once the mapping was found, or is known not to be there. Then no more is needed.
  bool take(std::span<const char> piece);
  bool found() const { return found_; }
  const OwnMapping& mapping() const { return mapping_; }

 private:
  bool take_line();

  // What is read of a line: two addresses, permissions and the name, which the kernel puts into
  // column 73 (fs/proc/task_mmu.c, show_map_vma).
  static constexpr std::size_t kHeadBytes = 96;

  std::uintptr_t address_;
  OwnMapping mapping_;
  std::uintptr_t last_end_ = 0;
  std::size_t length_ = 0;
  bool found_ = false;
  char head_[kHeadBytes] = {};
};

/// The mapping of this process that contains `address`. False where there is none, or no /proc.
/// Reads by way of `buffer`; the larger it is, the fewer system calls. Changes no errno.
bool find_own_mapping(std::uintptr_t address, std::span<char> buffer, OwnMapping* mapping);

/// Writes the path of the file that is mapped at `address`, without a zero at its end: its bytes; 0
/// where there is none, no room for it, or no /proc. Reads by way of the same memory before.
std::size_t find_own_file(std::uintptr_t address, std::span<char> out);

}  // namespace mini::kernel::vm
