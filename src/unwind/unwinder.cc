// Unwinds a stopped thread from outside: the walk, and the cache of whole stacks.
#include "unwind/unwinder.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "unwind/code_map.h"
#include "unwind/pc_cache.h"
#include "unwind/stack_memory.h"
#include "unwind/stack_walker.h"

namespace mini::unwind {
namespace {

// Frames in all cached stacks together; each is some 200 bytes resolved. Programs with more
// different stacks (a compiler has 10^5) start anew now and then.
constexpr std::size_t kMaxCachedFrames = 1 << 20;
// Handlers on handlers on alternate stacks: how often a walk may go to lower addresses.
constexpr int kMaxStackSwitches = 16;
// Code from the ELF entry point on that is the start of everything though CFI does not say so:
// glibc's loader has none for _start and _dl_start_user.
constexpr std::uint64_t kEntryCodeBytes = 128;
constexpr std::uint64_t kLowestCode = 0x10000;
constexpr std::uint64_t kHighestCode = std::uint64_t{1} << 47;

struct CachedStack {
  std::vector<std::uint64_t> keys;
  CallStackRef stack;
};

}  // namespace

struct Unwinder::Impl {
  explicit Impl(std::shared_ptr<ModuleCache> cache)
      : code(std::move(cache)),
        frames(std::max<std::size_t>(1, code.cache().options().max_frames)) {}

  void walk(const Registers& registers);
  StackEnd walk_frames(const Registers& innermost);
  const UnwindRow& row_at(std::uint64_t address);
  bool is_entry_code(std::uint64_t pc);
  bool is_signal_trampoline(std::uint64_t pc);
  Step step_without_row(const Registers& inner, bool exact, Registers* outer, bool* signal_frame);
  CallStackRef resolve();
  void append_frames(std::size_t index, std::vector<Frame>* out);
  void forget_stacks() {
    stacks.clear();
    cached_frames = 0;
  }

  CodeMap code;
  PcCache rows;
  StackMemory stack;
  const MemoryReader* memory = nullptr;
  // The last walk: the first keys.size() of frames. keys[i] is frames[i]'s pc * 2 + whether it is
  // exact (interrupted, not calling).
  std::vector<Registers> frames;  // room for max_frames
  std::vector<std::uint64_t> keys;
  StackEnd end = StackEnd::kComplete;
  bool last_by_frame_pointer = false;

  std::unordered_map<std::uint64_t, CachedStack> stacks;  // by hash of the keys and the end
  std::size_t cached_frames = 0;
  std::uint64_t stacks_count = 0;
  std::uint64_t truncated_count = 0;
};

const UnwindRow& Unwinder::Impl::row_at(std::uint64_t address) {
  if (const UnwindRow* known = rows.find(address)) return *known;
  UnwindRow row;
  const CodeMap::Region* region = code.find(address, *memory);
  if (region != nullptr && region->module != nullptr)
    row = region->module->row_at(address - region->bias);
  return *rows.insert(address, row);
}

bool Unwinder::Impl::is_entry_code(std::uint64_t pc) {
  const CodeMap::Region* region = code.find(pc, *memory);
  if (region == nullptr || region->module == nullptr) return false;
  return pc - region->bias - region->module->file().entry() < kEntryCodeBytes;
}

bool Unwinder::Impl::is_signal_trampoline(std::uint64_t pc) {
  // mov $15, %rax; syscall: the rt_sigreturn that a handler returns to, in musl and Go as in glibc.
  constexpr std::uint64_t kFirstBytes = 0x0f0000000fc0c748;
  if (stack.word(pc) != kFirstBytes) return false;
  const auto last = stack.word(pc + 1);
  return last && *last >> 56 == 0x05;
}

Step Unwinder::Impl::step_without_row(const Registers& inner, bool exact, Registers* outer,
                                      bool* signal_frame) {
  const std::uint64_t pc = inner.value[Registers::kInstructionPointer];
  // A return address at the begin of a function, behind no call: whoever made the stack has put it
  // there, for when all of it has returned (glibc's makecontext).
  if (!exact && row_at(pc).kind == UnwindRow::Kind::kCompact) return Step::kOutermost;
  // The psABI marks the outermost frame by a frame pointer of zero: believed of entry code, and
  // where frame pointers were in use up to here.
  if (inner.value[Registers::kFramePointer] == 0 && (last_by_frame_pointer || is_entry_code(pc)))
    return Step::kOutermost;
  if (!exact && is_signal_trampoline(pc)) {
    *signal_frame = true;
    return step_by_signal_frame(inner, stack, outer);
  }
  const Step step = step_by_frame_pointer(inner, stack, outer);
  if (step != Step::kStepped) return Step::kNoRule;
  const std::uint64_t caller = outer->value[Registers::kInstructionPointer];
  if (caller != 0 && (caller < kLowestCode || caller >= kHighestCode)) return Step::kNoRule;
  last_by_frame_pointer = true;
  return Step::kStepped;
}

StackEnd Unwinder::Impl::walk_frames(const Registers& innermost) {
  frames[0] = innermost;
  Registers beyond;  // the frame after the last there is room for
  bool exact = true;
  int switches = 0;
  for (std::size_t i = 0;; ++i) {
    const Registers& current = frames[i];
    Registers& outer = i + 1 < frames.size() ? frames[i + 1] : beyond;
    const std::uint64_t pc = current.value[Registers::kInstructionPointer];
    const UnwindRow& row = row_at(exact ? pc : pc - 1);
    bool signal_frame = row.signal_frame;
    Step step = step_by_row(row, current, stack, &outer);
    if (step == Step::kNoRule) {
      step = step_without_row(current, exact, &outer, &signal_frame);
    } else {
      last_by_frame_pointer = false;
    }
    // The trampoline a handler returns to was never called from: its pc is exact too.
    keys.push_back(pc * 2 + (exact || signal_frame ? 1 : 0));
    switch (step) {
      case Step::kOutermost:
        return StackEnd::kComplete;
      case Step::kNoRule:
      case Step::kCut:
        return StackEnd::kNoUnwindInfo;
      case Step::kUnreadable:
        return StackEnd::kUnreadable;
      case Step::kStepped:
        break;
    }
    if (outer.value[Registers::kInstructionPointer] == 0) return StackEnd::kComplete;
    if (outer.value[Registers::kStackPointer] <= current.value[Registers::kStackPointer] &&
        (!signal_frame || ++switches > kMaxStackSwitches))
      return StackEnd::kNoProgress;
    if (i + 1 == frames.size()) return StackEnd::kDepthLimit;
    exact = signal_frame;
  }
}

void Unwinder::Impl::walk(const Registers& registers) {
  keys.clear();
  last_by_frame_pointer = false;
  stack.reset(registers.value[Registers::kStackPointer], *memory,
              code.cache().options().max_stack_bytes);
  end = walk_frames(registers);
  // Frame pointers through code outside all modules (JIT) are believed only up to the last frame
  // that is in a module: beyond it they may be anything.
  while (keys.size() > 1 && !code.contains((keys.back() >> 1) - ((keys.back() & 1) ^ 1))) {
    keys.pop_back();
    end = StackEnd::kNoUnwindInfo;
  }
}

void Unwinder::Impl::append_frames(std::size_t index, std::vector<Frame>* out) {
  const std::uint64_t pc = frames[index].value[Registers::kInstructionPointer];
  const bool exact = (keys[index] & 1) != 0;
  const CodeMap::Region* region = code.find(exact ? pc : pc - 1, *memory);
  if (region == nullptr || region->module == nullptr) {
    Frame& frame = out->emplace_back();
    frame.pc = Address{pc};
    if (region == nullptr) return;
    frame.module = region->mapping.path;
    frame.module_offset = pc - region->mapping.range.begin.value + region->mapping.file_offset;
    return;
  }
  for (const Frame& resolved : region->module->resolve(pc - region->bias, exact)) {
    Frame& frame = out->emplace_back(resolved);
    frame.pc = Address{pc};
    frame.module = region->mapping.path;
  }
}

CallStackRef Unwinder::Impl::resolve() {
  std::uint64_t hash = static_cast<std::uint64_t>(end) + 1;
  for (const std::uint64_t key : keys) {
    hash = (hash ^ key) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  }
  CachedStack& cached = stacks[hash];
  if (cached.stack != nullptr && cached.stack->end == end && cached.keys == keys)
    return cached.stack;
  auto made = std::make_shared<CallStack>();
  made->end = end;
  for (std::size_t i = 0; i < keys.size(); ++i) append_frames(i, &made->frames);
  cached_frames += made->frames.size();
  cached = {keys, std::move(made)};
  CallStackRef result = cached.stack;
  if (cached_frames > kMaxCachedFrames) forget_stacks();
  return result;
}

Unwinder::Unwinder(std::shared_ptr<ModuleCache> modules)
    : impl_(std::make_unique<Impl>(std::move(modules))) {}
Unwinder::Unwinder(Unwinder&&) noexcept = default;
Unwinder& Unwinder::operator=(Unwinder&&) noexcept = default;
Unwinder::~Unwinder() = default;

void Unwinder::set_modules(std::vector<ModuleMapping> modules, const std::string& root) {
  if (!impl_->code.assign(std::move(modules), root)) return;
  impl_->rows.clear();
  impl_->forget_stacks();
}

CallStackRef Unwinder::unwind(const Registers& registers, const MemoryReader& memory) {
  impl_->memory = &memory;
  impl_->walk(registers);
  ++impl_->stacks_count;
  if (impl_->end != StackEnd::kComplete) ++impl_->truncated_count;
  return impl_->resolve();
}

std::span<const std::uint64_t> Unwinder::last_stack_words() const {
  return impl_->stack.stack_words();
}

std::span<const Registers> Unwinder::last_frame_registers() const {
  return std::span(impl_->frames).first(impl_->keys.size());
}

UnwinderStatistics Unwinder::statistics() const {
  const ModuleCache& cache = impl_->code.cache();
  return {impl_->stacks_count, impl_->truncated_count, cache.modules_count(),
          cache.rejected_count()};
}

std::shared_ptr<ModuleCache> make_module_cache(const UnwinderOptions& options) {
  return std::make_shared<ModuleCache>(options);
}

std::optional<Address> find_symbol(ModuleCache& cache, const ModuleMapping& mapping,
                                   const std::string& root, const std::string& symbol) {
  const std::shared_ptr<Module> module = cache.open(mapping, root);
  if (module == nullptr) return std::nullopt;
  const auto bias = module->file().load_bias(mapping.range.begin.value, mapping.file_offset);
  const auto address = module->address_of(symbol);
  if (!bias || !address) return std::nullopt;
  return Address{*bias + *address};
}

}  // namespace mini::unwind
