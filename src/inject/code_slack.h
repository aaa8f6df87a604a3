// Bytes of a program's code pages that are no code: what is left of the last page of a segment.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <sys/types.h>

#include "base/memory_reader.h"
#include "base/units.h"

namespace mini::inject {

inline constexpr Bytes kSlackAlignment{16};

/// `bytes` of them, executable, aligned so; nullopt where no module has that many. Rather not
/// where `left_behind` stands already: a thread may yet have to come through it.
std::optional<Address> find_code_slack(pid_t pid, Bytes bytes,
                                       std::span<const std::byte> left_behind,
                                       const MemoryReader& memory);

}  // namespace mini::inject
