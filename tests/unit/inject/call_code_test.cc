// The code runs for real in the system tests; here is what can be seen without a target.
#include "inject/call_code.h"

#include <cstring>
#include <gtest/gtest.h>

namespace mini::inject {
namespace {

TEST(CallCodeTest, FitsWhereItIsPut) {
  EXPECT_LE(system_call_code({}).size(), kSystemCallCodeBytes.count);
  EXPECT_LE(call_code().size(), kBlockOffset);
  EXPECT_EQ(kExtendedStateOffset % 64, 0U) << "XRSTOR needs it";
  EXPECT_EQ(kStackEnd % 16, 0U);
}

TEST(CallCodeTest, TheSystemCallEndsWithTheWayBack) {
  kernel::ThreadContext back{};
  back.rip = 0x1122334455667788;
  back.rax = 0x99;
  const auto code = system_call_code(back);
  ASSERT_GT(code.size(), 16U);
  EXPECT_EQ(code[0], std::byte{0x0f});
  EXPECT_EQ(code[1], std::byte{0x05});
  std::uint64_t target = 0;
  std::memcpy(&target, code.data() + code.size() - sizeof target, sizeof target);
  EXPECT_EQ(target, back.rip);
}

TEST(CallCodeTest, TheWayBackHasEveryRegister) {
  kernel::ThreadContext back{};
  std::uint64_t next = 100;
  for (std::uint64_t* reg : {&back.r15, &back.r14, &back.r13, &back.r12, &back.rbp, &back.rbx,
                             &back.r11, &back.r10, &back.r9, &back.r8, &back.rax, &back.rcx,
                             &back.rdx, &back.rsi, &back.rdi, &back.rsp, &back.flags, &back.rip}) {
    *reg = next++;
  }
  CallBlock block{};
  set_way_back(block, back);
  std::uint64_t words[18];
  std::memcpy(words, &block.r15, sizeof words);
  for (std::uint64_t i = 0; i < 18; ++i) EXPECT_EQ(words[i], 100 + i);
}

}  // namespace
}  // namespace mini::inject
