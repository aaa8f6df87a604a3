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

/// One piece of code at an address, and zeros around it.
class CodeMemory final : public MemoryReader {
 public:
  CodeMemory(Address at, std::span<const std::byte> code) : at_(at), code_(code) {}
  std::size_t read(Address from, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint64_t offset = from.value + i - at_.value;
      out[i] = offset < code_.size() ? code_[offset] : std::byte{0};
    }
    return out.size();
  }

 private:
  Address at_;
  std::span<const std::byte> code_;
};

TEST(CallCodeTest, IsKnownWhereverAThreadIsInIt) {
  kernel::ThreadContext back{};
  back.rip = 0x1122334455667788;
  back.rdi = 0x99;
  const auto system_call = system_call_code(back);
  const std::pair<Address, std::span<const std::byte>> pieces[] = {{Address{0x7000}, call_code()},
                                                                   {Address{0x7120}, system_call}};
  for (const auto& [at, code] : pieces) {
    const CodeMemory memory(at, code);
    for (std::uint64_t i = 0; i < code.size(); ++i) {
      EXPECT_TRUE(is_in_our_code(at + Bytes{i}, memory)) << i;
    }
    EXPECT_FALSE(is_in_our_code(Address{at.value - 1}, memory));
    EXPECT_FALSE(is_in_our_code(at + Bytes{0x1000}, memory));
    const CodeMemory cut(at, code.first(code.size() / 2));
    EXPECT_FALSE(is_in_our_code(at, cut));
  }
}

}  // namespace
}  // namespace mini::inject
