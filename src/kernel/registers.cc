// Reads registers by ptrace; the only file with one branch per architecture.
#include "kernel/registers.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace mini::kernel {

bool is_waiting_call(std::uint64_t number, std::uint64_t result) {
  constexpr std::uint64_t kNoCall = UINT64_MAX;
  // include/linux/errno.h: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK.
  constexpr std::array<std::uint64_t, 5> kErrors = {512, 513, 514, 516, EINTR};
  return number != kNoCall && std::ranges::find(kErrors, 0 - result) != kErrors.end();
}

bool ThreadRegisters::is_waiting() const {
#if defined(__x86_64__)
  return is_waiting_call(syscall_number, dwarf.front());
#else
  return false;
#endif
}

#if defined(__x86_64__)

namespace {
constexpr std::uint64_t kUserCodeSegment64 = 0x33;  // __USER_CS, arch/x86/include/asm/segment.h
}

std::optional<ThreadRegisters> read_registers(pid_t tid) {
  user_regs_struct regs{};
  if (::ptrace(PTRACE_GETREGS, tid, nullptr, &regs) != 0) return std::nullopt;
  ThreadRegisters out;
  // DWARF numbering: System V psABI for x86-64, table "DWARF Register Number Mapping".
  out.dwarf = {regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi,
               regs.rbp, regs.rsp, regs.r8,  regs.r9,  regs.r10, regs.r11,
               regs.r12, regs.r13, regs.r14, regs.r15, regs.rip};
  out.syscall_number = regs.orig_rax;
  out.arguments = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
  out.thread_pointer = regs.fs_base;
  out.native = regs.cs == kUserCodeSegment64;
  return out;
}

bool write_first_argument(pid_t tid, std::uint64_t value) {
  return ::ptrace(PTRACE_POKEUSER, tid, offsetof(user_regs_struct, rdi), value) == 0;
}

#elif defined(__aarch64__)

std::optional<ThreadRegisters> read_registers(pid_t tid) {
  user_regs_struct regs{};
  iovec whole{&regs, sizeof regs};
  if (::ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &whole) != 0) return std::nullopt;
  ThreadRegisters out;
  out.native = whole.iov_len == sizeof regs;
  for (std::size_t i = 0; i < 31; ++i) out.dwarf[i] = regs.regs[i];
  out.dwarf[31] = regs.sp;
  out.dwarf[32] = regs.pc;
  out.syscall_number = regs.regs[8];
  for (std::size_t i = 0; i < out.arguments.size(); ++i) out.arguments[i] = regs.regs[i];
  iovec tls{&out.thread_pointer, sizeof out.thread_pointer};
  ::ptrace(PTRACE_GETREGSET, tid, NT_ARM_TLS, &tls);
  return out;
}

bool write_first_argument(pid_t tid, std::uint64_t value) {
  user_regs_struct regs{};
  iovec whole{&regs, sizeof regs};
  if (::ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &whole) != 0) return false;
  regs.regs[0] = value;
  return ::ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &whole) == 0;
}

#endif

}  // namespace mini::kernel
