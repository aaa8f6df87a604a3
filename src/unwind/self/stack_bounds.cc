// Looks a stack up in the kernel's list of mappings.
#include "unwind/self/stack_bounds.h"

#include <algorithm>

#include "kernel/vm/own_mappings.h"

namespace mini::unwind::self {

constinit std::atomic<std::uint64_t> StackBounds::s_epoch{0};

namespace {

// The first thread's stack grows downwards by itself into the gap below it. No mapping is put there
// by the kernel's own choice: 128 MiB at least are left free (Linux, arch/x86/mm/mmap.c, MIN_GAP).
constexpr std::uintptr_t kGrowthBytes = std::uintptr_t{64} << 20;

// A thread's own stack, once it was found. A copy of the process has it too, where all else that
// was known is forgotten, and files may not be opened any more.
constinit thread_local ByteRange t_own_stack __attribute__((tls_model("initial-exec")));

/// Which units of the address space are in a set, by their numbers modulo kUnits: others may seem
/// to be in it.
class UnitMarks {
 public:
  void add(ByteRange range) {
    visit(range, [](std::atomic<std::uint64_t>& word, std::uint64_t bits) {
      word.fetch_or(bits);
      return true;
    });
  }
  bool touches(ByteRange range) {
    bool any = false;
    visit(range, [&any](const std::atomic<std::uint64_t>& word, std::uint64_t bits) {
      any = (word.load() & bits) != 0;
      return !any;
    });
    return any;
  }
  void clear() {
    for (std::atomic<std::uint64_t>& word : words_) word.store(0);
  }

 private:
  static constexpr std::uintptr_t kUnitBytes = std::uintptr_t{64} << 10;
  static constexpr std::uintptr_t kUnits = 4096;

  // apply(word, bits) until it says false.
  template <typename Apply>
  void visit(ByteRange range, const Apply& apply) {
    if (range.begin >= range.end) return;
    const std::uintptr_t first = range.begin / kUnitBytes;
    const std::uintptr_t last = std::min((range.end - 1) / kUnitBytes, first + kUnits - 1);
    for (std::uintptr_t unit = first; unit <= last; ++unit) {
      if (!apply(words_[unit % kUnits / 64], std::uint64_t{1} << (unit % 64))) return;
    }
  }

  std::array<std::atomic<std::uint64_t>, kUnits / 64> words_{};
};

constinit UnitMarks g_foreign_stacks;

}  // namespace

void StackBounds::forget_foreign_stacks(ByteRange memory) {
  if (!g_foreign_stacks.touches(memory)) return;
  g_foreign_stacks.clear();
  s_epoch.fetch_add(1);
}

bool StackBounds::is_own(std::uintptr_t sp) {
  return t_own_stack.contains(sp);
}

bool StackBounds::find(std::uintptr_t sp, std::span<char> buffer, Stack* found) const {
  const std::uint64_t epoch = s_epoch.load();
  if (t_own_stack.contains(sp)) {
    *found = {.range = t_own_stack, .epoch = epoch, .is_own = true};
    return true;
  }
  kernel::vm::OwnMapping mapping;
  if (!kernel::vm::find_own_mapping(sp, buffer, &mapping) || !mapping.readable) return false;
  found->range = {mapping.begin, mapping.end};
  found->epoch = epoch;
  if (mapping.is_main_stack) {
    const std::uintptr_t lowest = mapping.end - std::min(mapping.end, kGrowthBytes);
    found->range.begin = std::min(mapping.begin, std::max(lowest, mapping.previous_end));
    found->is_own = true;
  } else {
    // glibc and musl keep a thread's control block at the far end of its stack, beyond all frames.
    // The mapping may go on: the kernel makes one of neighbours, and that part is not the stack's.
    const auto control_block = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
    found->is_own = found->range.contains(control_block) && sp < control_block;
    if (found->is_own) found->range.end = control_block;
  }
  if (found->is_own) {
    t_own_stack = found->range;
  } else {
    g_foreign_stacks.add(found->range);
  }
  return true;
}

ByteRange StackBounds::locate_slowly(std::uintptr_t sp, std::span<char> buffer) {
  auto* const end = stacks_.data() + stacks_.size();
  auto* place = std::find_if(stacks_.data(), end, [sp](const Stack& stack) {
    return stack.range.contains(sp) && is_valid(stack);
  });
  if (place == end) {
    Stack found;
    if (!find(sp, buffer, &found)) return {};
    // Instead of the oldest, or of one that this one has taken the place of.
    place = std::find_if(stacks_.data(), end - 1, [&](const Stack& stack) {
      return stack.range.begin < found.range.end && found.range.begin < stack.range.end;
    });
    *place = found;
  }
  std::rotate(stacks_.data(), place, place + 1);
  return stacks_[0].range;
}

}  // namespace mini::unwind::self
