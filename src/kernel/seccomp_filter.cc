// Builds the classic BPF program. Jumps in it are forward and at most 255 instructions long.
#include "kernel/seccomp_filter.h"

#include <cerrno>
#include <cstddef>
#include <linux/seccomp.h>
#include <span>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/registers.h"
#include "kernel/syscall_table.h"

namespace mini::kernel {
namespace {

constexpr sock_filter statement(int code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}

constexpr sock_filter jump(int code, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), k};
}

constexpr sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

constexpr sock_filter kTrace = statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
constexpr sock_filter kAllow = statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

void append(std::vector<sock_filter>& code, std::initializer_list<sock_filter> more) {
  code.insert(code.end(), more);
}

// What to do with the one call that is left to compare with.
void emit_leaf(std::vector<sock_filter>& code, const SyscallSpec& spec) {
  if (!spec.only) {
    append(code, {jump(BPF_JMP | BPF_JEQ | BPF_K, spec.number, 0, 1), kTrace, kAllow});
    return;
  }
  // Arguments are 64 bits wide and little-endian here; those that are matched are 32 bits.
  const std::size_t argument =
      offsetof(seccomp_data, args) + spec.only->index * sizeof(std::uint64_t);
  const int test = spec.only->is_bits ? BPF_JSET : BPF_JEQ;
  append(code, {jump(BPF_JMP | BPF_JEQ | BPF_K, spec.number, 1, 0), kAllow, load(argument),
                jump(BPF_JMP | test | BPF_K, spec.only->value, 0, 1), kTrace, kAllow});
}

void emit_search(std::vector<sock_filter>& code, std::span<const SyscallSpec> calls) {
  if (calls.size() == 1) return emit_leaf(code, calls.front());
  const std::size_t middle = calls.size() / 2;
  std::vector<sock_filter> lower;
  emit_search(lower, calls.first(middle));
  code.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, calls[middle].number, lower.size(), 0));
  code.insert(code.end(), lower.begin(), lower.end());
  emit_search(code, calls.subspan(middle));
}

int set_filter(const sock_fprog& program, unsigned flags) {
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0 ? 0 : errno;
}

// Without SPEC_ALLOW kernels before 5.16 slow the whole target down by disabling speculation.
int set_filter_fast(const sock_fprog& program) {
  const int error = set_filter(program, SECCOMP_FILTER_FLAG_SPEC_ALLOW);
  return error == EINVAL ? set_filter(program, 0) : error;
}

}  // namespace

std::vector<sock_filter> build_memory_filter() {
  std::vector<sock_filter> code = {
      load(offsetof(seccomp_data, arch)),
      jump(BPF_JMP | BPF_JEQ | BPF_K, kNativeAuditArch, 1, 0),
      kAllow,
      load(offsetof(seccomp_data, nr)),
  };
  emit_search(code, memory_syscalls());
  return code;
}

int install_filter(const std::vector<sock_filter>& filter) {
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  const int error = set_filter_fast(program);
  if (error != EACCES) return error;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return set_filter_fast(program);
}

}  // namespace mini::kernel
