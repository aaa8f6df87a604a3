// Who made a call, and in which phase of a process: the words every view and the JSON use.
#pragma once

#include <cstdint>
#include <string_view>

namespace mini::model {

/// Decided from the call's unwound stack, never from its order or size.
enum class Cause : std::uint8_t { kUnknown, kLoader, kLibcStartup, kMalloc, kProgram, kRuntime };
inline constexpr int kCauseCount = 6;

/// "unknown", "loader", "libc-startup", "malloc", "program", "runtime": the JSON's words.
std::string_view cause_name(Cause cause);

enum class Phase : std::uint8_t { kProgramStart, kLibraryLoading, kLibcStartup, kProgram, kExit };
inline constexpr int kPhaseCount = 5;

/// "Program start", "Library loading", "C library start-up", "Program", "Exit".
std::string_view phase_title(Phase phase);
/// "program-start", "library-loading", "libc-startup", "program", "exit": the JSON's words.
std::string_view phase_name(Phase phase);

}  // namespace mini::model
