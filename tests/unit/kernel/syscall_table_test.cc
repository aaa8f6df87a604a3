#include "kernel/syscall_table.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <sys/syscall.h>

namespace mini::kernel {
namespace {

TEST(SyscallTable, HoldsEachCallOnceInTheOrderOfNumbers) {
  const auto table = memory_syscalls();
  EXPECT_EQ(table.size(), kSyscallIdCount);
  EXPECT_TRUE(std::ranges::is_sorted(table, std::less{}, &SyscallSpec::number));
  std::set<SyscallId> ids;
  std::set<std::string_view> names;
  for (const SyscallSpec& spec : table) {
    ids.insert(spec.id);
    names.insert(spec.name);
  }
  EXPECT_EQ(ids.size(), kSyscallIdCount);
  EXPECT_EQ(names.size(), kSyscallIdCount);
}

TEST(SyscallTable, FindsByNumberAndOnlyWhatItHolds) {
  ASSERT_NE(find_syscall(SYS_mmap), nullptr);
  EXPECT_EQ(find_syscall(SYS_mmap)->name, "mmap");
  EXPECT_EQ(find_syscall(SYS_mmap)->parameters.size(), 6U);
  EXPECT_EQ(find_syscall(SYS_exit_group)->id, SyscallId::kExitGroup);
  EXPECT_EQ(find_syscall(SYS_getpid), nullptr);
  EXPECT_EQ(find_syscall(~std::uint64_t{0}), nullptr);
  EXPECT_EQ(find_syscall(std::uint64_t{SYS_mmap} | 0x4000'0000), nullptr);  // an x32 call
}

TEST(SyscallTable, FlagParametersHaveATable) {
  for (const SyscallSpec& spec : memory_syscalls()) {
    EXPECT_LE(spec.parameters.size(), 6U) << spec.name;
    for (const Parameter& parameter : spec.parameters) {
      EXPECT_FALSE(parameter.name.empty()) << spec.name;
      EXPECT_EQ(parameter.flags != nullptr, parameter.form == ParameterForm::kFlags)
          << spec.name << " " << parameter.name;
    }
  }
}

}  // namespace
}  // namespace mini::kernel
