// Pages of a file that this process has mapped already, a second time: what is read there need not
// stay in its memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mini::kernel::vm {

inline constexpr std::size_t kFilePageBytes = 4096;

/// Maps `bytes` of a file, "" for the program's own, from `offset` on, read-only; 0 where that
/// fails, or where the file does not begin with the bytes at `first_page`. REQUIRES: all are
/// multiples of a page, and there is one of them at `first_page`.
std::uintptr_t map_file_pages(const char* path, std::uintptr_t first_page, std::uint64_t offset,
                              std::size_t bytes);

}  // namespace mini::kernel::vm
