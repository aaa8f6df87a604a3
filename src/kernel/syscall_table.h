// The memory system calls, as data: number, name, and what each parameter is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernel/flag_names.h"

namespace mini::kernel {

enum class SyscallId : std::uint8_t {
  kBrk,
  kMmap,
  kMunmap,
  kMremap,
  kMprotect,
  kPkeyMprotect,
  kMadvise,
  kProcessMadvise,
  kShmat,
  kShmdt,
  kMlock,
  kMlock2,
  kMunlock,
  kMlockall,
  kMunlockall,
  kPrctl,
  kExecve,
  kExecveat,
  kIoSetup,
  kIoDestroy,
  kRemapFilePages,
  kMapShadowStack,
  kExit,
  kExitGroup,
  kUserfaultfd,  // watched only, see SyscallSpec::shown
  kIoctl,
  kClone,  // the same, of processes that are to escape a tracer
};
inline constexpr std::size_t kSyscallIdCount = 27;

enum class ParameterForm : std::uint8_t {
  kNumber,    // unsigned long
  kInt,       // int: the lower 32 bits count
  kBytes,     // a size
  kAddress,   // a pointer or an address
  kFlags,     // by its table
  kFd,        // a file descriptor
  kText,      // pointer to a string
  kName,      // pointer to a short string: prctl's
  kTextList,  // pointer to a null-terminated array of strings
};

struct Parameter {
  std::string_view name;  // as in the manual page
  ParameterForm form = ParameterForm::kNumber;
  const FlagTable* flags = nullptr;  // of kFlags
  std::uint64_t if_flags = 0;  // where not 0: there only if the one before has one of these flags
};

/// A value that one argument must have for the call to be of interest, or one of whose bits it must
/// have; its lower 32 bits count.
struct ArgumentMatch {
  std::uint8_t index = 0;
  std::uint32_t value = 0;
  bool is_bits = false;
};

struct SyscallSpec {
  SyscallId id{};
  std::uint32_t number = 0;
  std::string_view name;
  std::span<const Parameter> parameters;
  bool changes_mappings = false;  // so that its order among others matters
  std::optional<ArgumentMatch> only = std::nullopt;
  bool shown = true;  // false: the tracer itself must know of it
};

/// Whether a call with these arguments is one that is traced.
bool matches(const SyscallSpec& spec, std::span<const std::uint64_t, 6> arguments);

/// Every call of this architecture that is traced, in the order of their numbers.
std::span<const SyscallSpec> memory_syscalls();

/// nullptr where the call is not a memory system call.
const SyscallSpec* find_syscall(std::uint64_t number);

}  // namespace mini::kernel
