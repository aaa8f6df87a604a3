// Parameter names are those of the manual pages (section 2); the numbers are the architecture's.
#include "kernel/syscall_table.h"

#include <algorithm>
#include <array>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <vector>

// Newer than the oldest C library we build with; the same number on every architecture.
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif

namespace mini::kernel {
namespace {

using enum ParameterForm;
template <std::size_t N>
using Parameters = std::array<Parameter, N>;

constexpr Parameters<1> kBrk = {{{"addr", kAddress}}};
constexpr Parameters<6> kMmap = {{{"addr", kAddress},
                                  {"length", kBytes},
                                  {"prot", kFlags, &kProtectionFlags},
                                  {"flags", kFlags, &kMmapFlags},
                                  {"fd", kFd},
                                  {"offset", kBytes}}};
constexpr Parameters<2> kMunmap = {{{"addr", kAddress}, {"length", kBytes}}};
constexpr std::uint64_t kMremapToAddress = 2 | 4;  // MREMAP_FIXED, MREMAP_DONTUNMAP
constexpr Parameters<5> kMremap = {{{"old_address", kAddress},
                                    {"old_size", kBytes},
                                    {"new_size", kBytes},
                                    {"flags", kFlags, &kMremapFlags},
                                    {"new_address", kAddress, nullptr, kMremapToAddress}}};
constexpr Parameters<3> kMprotect = {
    {{"addr", kAddress}, {"len", kBytes}, {"prot", kFlags, &kProtectionFlags}}};
constexpr Parameters<4> kPkeyMprotect = {
    {{"addr", kAddress}, {"len", kBytes}, {"prot", kFlags, &kProtectionFlags}, {"pkey", kInt}}};
constexpr Parameters<3> kMadvise = {
    {{"addr", kAddress}, {"length", kBytes}, {"advice", kFlags, &kAdviceNames}}};
constexpr Parameters<5> kProcessMadvise = {{{"pidfd", kFd},
                                            {"iovec", kAddress},
                                            {"vlen", kNumber},
                                            {"advice", kFlags, &kAdviceNames},
                                            {"flags", kNumber}}};
constexpr Parameters<3> kShmat = {
    {{"shmid", kInt}, {"shmaddr", kAddress}, {"shmflg", kFlags, &kShmatFlags}}};
constexpr Parameters<1> kShmdt = {{{"shmaddr", kAddress}}};
constexpr Parameters<2> kMlock = {{{"addr", kAddress}, {"len", kBytes}}};
constexpr Parameters<3> kMlock2 = {
    {{"addr", kAddress}, {"len", kBytes}, {"flags", kFlags, &kMlock2Flags}}};
constexpr Parameters<1> kMlockall = {{{"flags", kFlags, &kMlockallFlags}}};
constexpr Parameters<5> kPrctl = {{{"option", kFlags, &kPrctlOptions},
                                   {"attr", kFlags, &kVmaAttributes},
                                   {"addr", kAddress},
                                   {"size", kBytes},
                                   {"val", kName}}};
constexpr Parameters<3> kExecve = {{{"pathname", kText}, {"argv", kTextList}, {"envp", kAddress}}};
constexpr Parameters<5> kExecveat = {{{"dirfd", kFd},
                                      {"pathname", kText},
                                      {"argv", kTextList},
                                      {"envp", kAddress},
                                      {"flags", kFlags, &kExecveatFlags}}};
constexpr Parameters<2> kIoSetup = {{{"nr_events", kInt}, {"ctx_idp", kAddress}}};
constexpr Parameters<1> kIoDestroy = {{{"ctx_id", kAddress}}};
constexpr Parameters<5> kRemapFilePages = {{{"addr", kAddress},
                                            {"size", kBytes},
                                            {"prot", kFlags, &kProtectionFlags},
                                            {"pgoff", kNumber},
                                            {"flags", kFlags, &kMmapFlags}}};
constexpr Parameters<3> kMapShadowStack = {
    {{"addr", kAddress}, {"size", kBytes}, {"flags", kFlags, &kShadowStackFlags}}};
constexpr Parameters<1> kExit = {{{"status", kInt}}};

constexpr ArgumentMatch kSetVma{.index = 0, .value = PR_SET_VMA};
constexpr ArgumentMatch kUntraced{.index = 0, .value = CLONE_UNTRACED, .is_bits = true};
constexpr ArgumentMatch kNewUserfaultfd{.index = 1, .value = 0xaa00};  // USERFAULTFD_IOC_NEW

std::vector<SyscallSpec> make_table() {
  std::vector<SyscallSpec> table = {
      {SyscallId::kBrk, SYS_brk, "brk", kBrk, true},
      {SyscallId::kMmap, SYS_mmap, "mmap", kMmap, true},
      {SyscallId::kMunmap, SYS_munmap, "munmap", kMunmap, true},
      {SyscallId::kMremap, SYS_mremap, "mremap", kMremap, true},
      {SyscallId::kMprotect, SYS_mprotect, "mprotect", kMprotect, true},
      {SyscallId::kPkeyMprotect, SYS_pkey_mprotect, "pkey_mprotect", kPkeyMprotect, true},
      {SyscallId::kMadvise, SYS_madvise, "madvise", kMadvise},
      {SyscallId::kProcessMadvise, SYS_process_madvise, "process_madvise", kProcessMadvise},
      {SyscallId::kShmat, SYS_shmat, "shmat", kShmat, true},
      {SyscallId::kShmdt, SYS_shmdt, "shmdt", kShmdt, true},
      {SyscallId::kMlock, SYS_mlock, "mlock", kMlock},
      {SyscallId::kMlock2, SYS_mlock2, "mlock2", kMlock2},
      {SyscallId::kMunlock, SYS_munlock, "munlock", kMlock},
      {SyscallId::kMlockall, SYS_mlockall, "mlockall", kMlockall},
      {SyscallId::kMunlockall, SYS_munlockall, "munlockall", {}},
      {SyscallId::kPrctl, SYS_prctl, "prctl", kPrctl, true, kSetVma},
      {SyscallId::kExecve, SYS_execve, "execve", kExecve},
      {SyscallId::kExecveat, SYS_execveat, "execveat", kExecveat},
      {SyscallId::kIoSetup, SYS_io_setup, "io_setup", kIoSetup, true},
      {SyscallId::kIoDestroy, SYS_io_destroy, "io_destroy", kIoDestroy, true},
      {SyscallId::kRemapFilePages, SYS_remap_file_pages, "remap_file_pages", kRemapFilePages, true},
      {SyscallId::kMapShadowStack, SYS_map_shadow_stack, "map_shadow_stack", kMapShadowStack, true},
      {SyscallId::kExit, SYS_exit, "exit", kExit},
      {SyscallId::kExitGroup, SYS_exit_group, "exit_group", kExit},
      {SyscallId::kUserfaultfd, SYS_userfaultfd, "userfaultfd", {}, false, {}, false},
      {SyscallId::kIoctl, SYS_ioctl, "ioctl", {}, false, kNewUserfaultfd, false},
      {SyscallId::kClone, SYS_clone, "clone", {}, false, kUntraced, false},
  };
  std::ranges::sort(table, {}, &SyscallSpec::number);
  return table;
}

}  // namespace

bool matches(const SyscallSpec& spec, std::span<const std::uint64_t, 6> arguments) {
  if (!spec.only) return true;
  const auto argument = static_cast<std::uint32_t>(arguments[spec.only->index]);
  return spec.only->is_bits ? (argument & spec.only->value) != 0 : argument == spec.only->value;
}

std::span<const SyscallSpec> memory_syscalls() {
  static const std::vector<SyscallSpec> table = make_table();
  return table;
}

const SyscallSpec* find_syscall(std::uint64_t number) {
  const auto table = memory_syscalls();
  const auto it = std::ranges::lower_bound(
      table, number, {}, [](const SyscallSpec& spec) { return std::uint64_t{spec.number}; });
  return it != table.end() && it->number == number ? &*it : nullptr;
}

}  // namespace mini::kernel
