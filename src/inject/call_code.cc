// Position-independent x86-64; addresses of the block are relative to the code's own.
#include "inject/call_code.h"

#include <algorithm>
#include <cstring>

#include "inject/code_slack.h"
#include "kernel/proc_status.h"

namespace mini::inject {

#if defined(__x86_64__)

// The offsets from 0x400 on are those of CallBlock; what follows the code checks them.
asm(R"(
    .pushsection .rodata.heapspy_call, "a", @progbits
    .balign 16
    .globl heapspy_call_begin
    .hidden heapspy_call_begin
    .globl heapspy_call_end
    .hidden heapspy_call_end
    .globl heapspy_call_wait
    .hidden heapspy_call_wait
    .globl heapspy_call_known
    .hidden heapspy_call_known
    .set block, heapspy_call_begin + 0x400
heapspy_call_begin:
    cld
    movl  $14, %eax                     # rt_sigprocmask(SIG_SETMASK, blocked, 0): no handler may
    movl  $2, %edi                      # run on this stack, or leave dlopen by a longjmp
    leaq  block+0x38(%rip), %rsi
    xorl  %edx, %edx
    movl  $8, %r10d
    syscall
    call  *block+0x00(%rip)             # errno
    movl  (%rax), %ecx
    movl  %ecx, block+0x30(%rip)
    leaq  block+0xe0(%rip), %rdi        # dlopen(path, flags)
    movl  block+0x48(%rip), %esi
    call  *block+0x08(%rip)
    movq  %rax, block+0x28(%rip)
    testq %rax, %rax
    jz    1f
    movq  %rax, %rdi                    # dlsym(handle, function)
    leaq  block+0x4e0(%rip), %rsi
    call  *block+0x10(%rip)
    testq %rax, %rax
    jz    1f
    movq  block+0x4d0(%rip), %rdi       # function(argument)
    call  *%rax
    movl  %eax, block+0x24(%rip)
    jmp   3f
1:  movl  $-1, block+0x24(%rip)         # it failed: keep what dlerror() says
    cmpq  $0, block+0x18(%rip)
    je    3f
    call  *block+0x18(%rip)
    testq %rax, %rax
    jz    3f
    movq  %rax, %rsi
    leaq  block+0x500(%rip), %rdi
    movl  $255, %ecx
2:  lodsb
    stosb
    testb %al, %al
    jz    3f
    decl  %ecx
    jnz   2b
3:  call  *block+0x00(%rip)
    movl  block+0x30(%rip), %ecx
    movl  %ecx, (%rax)
    movl  $0xe7, %eax                   # x87, SSE, AVX, AVX-512: what a function may change
    xorl  %edx, %edx
    xrstor64 heapspy_call_begin+0x2000(%rip)
    movl  $1, block+0x20(%rip)          # CallState::kDone
    movl  $128, %eax                    # rt_sigtimedwait(none, 0, time): of the calls that wait, one
    leaq  block+0x600(%rip), %rdi       # that does not make the kernel forget the rest of another's
    xorl  %esi, %esi                    # time (restart_syscall)
    leaq  block+0x608(%rip), %rdx
    movl  $8, %r10d
    syscall
heapspy_call_wait:
    movl  $14, %eax                     # rt_sigprocmask(SIG_SETMASK, saved, 0)
    movl  $2, %edi
    leaq  block+0x40(%rip), %rsi
    xorl  %edx, %edx
    movl  $8, %r10d
    syscall
    pushq block+0xd0(%rip)
    popfq
    movq  block+0x50(%rip), %r15
    movq  block+0x58(%rip), %r14
    movq  block+0x60(%rip), %r13
    movq  block+0x68(%rip), %r12
    movq  block+0x70(%rip), %rbp
    movq  block+0x78(%rip), %rbx
    movq  block+0x80(%rip), %r11
    movq  block+0x88(%rip), %r10
    movq  block+0x90(%rip), %r9
    movq  block+0x98(%rip), %r8
    movq  block+0xa0(%rip), %rax
    movq  block+0xa8(%rip), %rcx
    movq  block+0xb0(%rip), %rdx
    movq  block+0xb8(%rip), %rsi
    movq  block+0xc0(%rip), %rdi
    movq  block+0xc8(%rip), %rsp
    jmp   *block+0xd8(%rip)
heapspy_call_known:                     # in the place of dlopen and dlsym
    movq  block+0x4d8(%rip), %rax
    ret
heapspy_call_end:
    .popsection
)");

// NOLINTBEGIN(readability-identifier-naming): labels of the assembler
extern "C" const std::byte heapspy_call_begin[];
extern "C" const std::byte heapspy_call_end[];
extern "C" const std::byte heapspy_call_wait[];
extern "C" const std::byte heapspy_call_known[];
// NOLINTEND(readability-identifier-naming)

static_assert(offsetof(CallBlock, state) == 0x20 && offsetof(CallBlock, result) == 0x24);
static_assert(offsetof(CallBlock, handle) == 0x28 && offsetof(CallBlock, saved_errno) == 0x30);
static_assert(offsetof(CallBlock, blocked_signals) == 0x38);
static_assert(offsetof(CallBlock, saved_mask) == 0x40);
static_assert(offsetof(CallBlock, open_flags) == 0x48 && offsetof(CallBlock, r15) == 0x50);
static_assert(offsetof(CallBlock, rax) == 0xa0 && offsetof(CallBlock, rsp) == 0xc8);
static_assert(offsetof(CallBlock, flags) == 0xd0 && offsetof(CallBlock, rip) == 0xd8);
static_assert(offsetof(CallBlock, path) == 0xe0 && offsetof(CallBlock, function) == 0x4e0);
static_assert(offsetof(CallBlock, argument) == 0x4d0 && offsetof(CallBlock, known) == 0x4d8);
static_assert(offsetof(CallBlock, error) == 0x500 && sizeof(CallBlock::error) == 256);
static_assert(offsetof(CallBlock, no_signals) == 0x600);
static_assert(offsetof(CallBlock, wait_seconds) == 0x608 && offsetof(CallBlock, wait_ns) == 0x610);
static_assert(offsetof(CallBlock, order) == 0x618);

std::span<const std::byte> call_code() {
  return {heapspy_call_begin, heapspy_call_end};
}

std::uint64_t call_code_wait() {
  return static_cast<std::uint64_t>(heapspy_call_wait - heapspy_call_begin);
}

static Bytes known_function_offset() {
  return {static_cast<std::uint64_t>(heapspy_call_known - heapspy_call_begin)};
}

std::vector<std::byte> system_call_code(const kernel::ThreadContext& back) {
  std::vector<std::byte> code;
  const auto put = [&](std::initializer_list<int> bytes) {
    for (const int byte : bytes) code.push_back(static_cast<std::byte>(byte));
  };
  const auto put_word = [&](std::uint64_t word) {
    for (unsigned i = 0; i < 8; ++i) code.push_back(static_cast<std::byte>(word >> 8 * i));
  };
  // movabs into each register that a system call takes or changes.
  struct Load {
    int prefix, opcode;
    std::uint64_t value;
  };
  const Load loads[] = {{0x48, 0xb8, back.rax}, {0x48, 0xb9, back.rcx}, {0x48, 0xba, back.rdx},
                        {0x48, 0xbe, back.rsi}, {0x48, 0xbf, back.rdi}, {0x49, 0xb8, back.r8},
                        {0x49, 0xb9, back.r9},  {0x49, 0xba, back.r10}, {0x49, 0xbb, back.r11}};
  put({0x0f, 0x05});  // syscall
  for (const Load& load : loads) {
    put({load.prefix, load.opcode});
    put_word(load.value);
  }
  put({0xff, 0x25, 0, 0, 0, 0});  // jmp to the address behind it
  put_word(back.rip);
  return code;
}

#else

std::span<const std::byte> call_code() {
  return {};
}
std::uint64_t call_code_wait() {
  return 0;
}
static Bytes known_function_offset() {
  return {};
}
std::vector<std::byte> system_call_code(const kernel::ThreadContext&) {
  return {};
}

#endif

namespace {

bool is_there(std::span<const std::byte> code, Address at, const MemoryReader& memory) {
  std::vector<std::byte> found(code.size());
  return memory.read(at, found) == found.size() && std::ranges::equal(code, found);
}

/// Whether a system call's code is there, whatever its way back is.
bool is_system_call_there(Address at, const MemoryReader& memory) {
  kernel::ThreadContext other{};
  std::memset(&other, 0xff, sizeof other);
  const std::vector<std::byte> one = system_call_code({});
  const std::vector<std::byte> another = system_call_code(other);
  std::vector<std::byte> found(one.size());
  if (memory.read(at, found) != found.size()) return false;
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (one[i] == another[i] && found[i] != one[i]) return false;
  }
  return true;
}

}  // namespace

bool is_in_our_code(Address at, const MemoryReader& memory) {
  const std::span<const std::byte> call = call_code();
  const Address page{at.value & ~(kernel::page_size().count - 1)};
  if (at - page < Bytes{call.size()} && is_there(call, page, memory)) return true;
  const std::size_t most = system_call_code({}).size();
  constexpr std::uint64_t kStep = kSlackAlignment.count;
  for (std::uint64_t back = at.value % kStep; back < most; back += kStep) {
    if (is_system_call_there(Address{at.value - back}, memory)) return true;
  }
  return false;
}

void set_known_function(CallBlock& block, Address function, Address place) {
  block.known = function.value;
  block.dlopen = block.dlsym = (place + known_function_offset()).value;
}

void set_way_back(CallBlock& block, const kernel::ThreadContext& back) {
  block.r15 = back.r15;
  block.r14 = back.r14;
  block.r13 = back.r13;
  block.r12 = back.r12;
  block.rbp = back.rbp;
  block.rbx = back.rbx;
  block.r11 = back.r11;
  block.r10 = back.r10;
  block.r9 = back.r9;
  block.r8 = back.r8;
  block.rax = back.rax;
  block.rcx = back.rcx;
  block.rdx = back.rdx;
  block.rsi = back.rsi;
  block.rdi = back.rdi;
  block.rsp = back.rsp;
  block.flags = back.flags;
  block.rip = back.rip;
}

}  // namespace mini::inject
