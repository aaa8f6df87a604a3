// A stopped thread's registers, and the little else that differs between processor architectures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <optional>
#include <sys/types.h>

namespace mini::kernel {

#if defined(__x86_64__)
inline constexpr std::uint32_t kNativeAuditArch = AUDIT_ARCH_X86_64;
inline constexpr std::size_t kDwarfRegisterCount = 17;  // 16 is the instruction pointer
#elif defined(__aarch64__)
inline constexpr std::uint32_t kNativeAuditArch = AUDIT_ARCH_AARCH64;
inline constexpr std::size_t kDwarfRegisterCount = 33;  // 32 is the instruction pointer
#else
#error "heapspy knows the registers of x86-64 and aarch64 only"
#endif

struct ThreadRegisters {
  std::array<std::uint64_t, kDwarfRegisterCount> dwarf{};  // by DWARF number
  std::uint64_t syscall_number = 0;                        // of the call the thread is in
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t thread_pointer = 0;  // fs_base, tpidr_el0: where thread-local storage is
  bool native = true;                // false: running 32-bit code

  /// In a system call that it waited in until it was stopped: it was changing nothing. False also
  /// where that cannot be told (aarch64).
  bool is_waiting() const;
};

/// The same by what the registers hold of a system call on x86-64.
bool is_waiting_call(std::uint64_t number, std::uint64_t result);

/// nullopt where the thread is gone (or not stopped).
std::optional<ThreadRegisters> read_registers(pid_t tid);

/// Changes the first argument of the call that the thread is about to make; false where it is gone.
bool write_first_argument(pid_t tid, std::uint64_t value);

}  // namespace mini::kernel
