// What heapspy blocks in a thread of the target, so that no handler of the program's runs there.
#pragma once

#include <csignal>
#include <cstdint>

namespace mini {

/// As the kernel has sets of signals: all but SIGSYS, by which the sandbox of a browser answers.
/// Blocked, it would end the process.
inline constexpr std::uint64_t kBlockedSignals = ~(std::uint64_t{1} << (SIGSYS - 1));

}  // namespace mini
