// The decoding is heaps/'s; here is found where libc is and which values may hold the request.
#include "sources/malloc_evidence.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "heaps/glibc.h"
#include "sources/glibc_location.h"

namespace mini::sources {
namespace {

using kernel::SyscallId;

// Each costs a scan of libc's data; malloc's state has no shape before its first use.
constexpr int kMostSearches = 16;
constexpr std::array<std::size_t, 6> kCalleeSaved = {3, 6, 12, 13, 14, 15};  // rbx rbp r12-r15

// The entry points, by their public names and the names libc's own symbol table has for them.
constexpr auto kEntryPoints = std::to_array<std::string_view>(
    {"malloc",         "calloc",
     "realloc",        "reallocarray",
     "memalign",       "aligned_alloc",
     "posix_memalign", "valloc",
     "pvalloc",        "free",
     "cfree",          "malloc_trim",
     "__libc_malloc",  "__libc_calloc",
     "__libc_realloc", "__libc_memalign",
     "__libc_free",    "__libc_valloc",
     "__libc_pvalloc", "_mid_memalign"});  // aligned_alloc ends in a jump to it

bool is_libc(std::string_view path, const TracedProcess& process) {
  if (is_libc_path(path)) return true;
  return process.model.interpreter.empty() && path == process.model.executable;
}

// The outermost of the family's frames next to the call: what the caller of malloc called.
struct EntryFrame {
  std::size_t physical = 0;  // index among the frames that are not inlined
  std::string module;
};

std::optional<EntryFrame> find_entry_frame(const unwind::CallStack& stack,
                                           const TracedProcess& process) {
  std::size_t physical = 0;
  for (const unwind::Frame& frame : stack.frames) {
    if (std::ranges::find(kEntryPoints, frame.function) != kEntryPoints.end() &&
        is_libc(frame.module, process)) {
      return EntryFrame{physical, frame.module};
    }
    if (!frame.inlined) ++physical;
  }
  return std::nullopt;
}

void locate(TracedProcess& process, unwind::ModuleCache& modules, const std::string& module) {
  TracedSpace& space = *process.space;
  if (space.malloc || space.malloc_searches >= kMostSearches) return;
  ++space.malloc_searches;
  const auto hints = find_glibc_hints(process.memory, space.model->mappings(), module, modules,
                                      space.root, process.reader);
  if (!hints) return;
  space.malloc = heaps::locate_glibc(process.memory, *hints);
}

std::optional<heaps::GrowthEvidence> growth_of(const TracedSpace& space,
                                               const kernel::SyscallSpec& spec,
                                               const kernel::ThreadRegisters& registers) {
  heaps::GrowthEvidence growth;
  growth.page_size = kernel::page_size();
  const auto program_break = space.model->program_break();
  if (spec.id == SyscallId::kBrk) {
    if (!program_break || registers.arguments[0] <= program_break->value) return std::nullopt;
    growth.grown = Address{registers.arguments[0]} - *program_break;
    return growth;
  }
  if (spec.id != SyscallId::kMmap && spec.id != SyscallId::kMremap) return std::nullopt;
  growth.kind = heaps::GrowthEvidence::Kind::kMapping;
  growth.grown = Bytes{registers.arguments[spec.id == SyscallId::kMmap ? 1 : 2]};
  return growth;
}

std::array<std::uint64_t, kCalleeSaved.size()> callee_saved(const unwind::Registers& registers) {
  std::array<std::uint64_t, kCalleeSaved.size()> values{};
  std::ranges::transform(kCalleeSaved, values.begin(),
                         [&](std::size_t i) { return registers.value[i]; });
  return values;
}

std::optional<model::MallocRequest> find_request(const unwind::Unwinder& unwinder,
                                                 std::size_t entry_frame,
                                                 const heaps::GrowthEvidence& growth) {
  const auto frames = unwinder.last_frame_registers();
  const auto stack_words = unwinder.last_stack_words();
  if (entry_frame + 1 >= frames.size()) return std::nullopt;
  const auto stack_pointer = [&](std::size_t i) {
    return frames[i].value[unwind::Registers::kStackPointer];
  };
  const auto at_entry = callee_saved(frames[entry_frame]);
  const auto in_caller = callee_saved(frames[entry_frame + 1]);
  const auto at_call = callee_saved(frames[0]);
  const std::uint64_t frame_end = stack_pointer(entry_frame + 1);
  if (frame_end < stack_pointer(0)) return std::nullopt;
  const std::size_t count = std::min<std::size_t>(
      (frame_end - stack_pointer(0)) / sizeof(std::uint64_t), stack_words.size());
  std::vector<std::uint64_t> words(at_call.begin(), at_call.end());
  words.insert(words.end(), stack_words.begin(),
               stack_words.begin() + static_cast<std::ptrdiff_t>(count));
  return heaps::find_malloc_request(
      growth, {.entry_registers = at_entry, .caller_registers = in_caller, .words = words});
}

bool concerns_malloc(SyscallId id) {
  return id == SyscallId::kBrk || id == SyscallId::kMmap || id == SyscallId::kMunmap ||
         id == SyscallId::kMremap || id == SyscallId::kMprotect;
}

}  // namespace

MallocEvidence find_malloc_evidence(TracedProcess& process, unwind::ModuleCache& modules,
                                    const kernel::SyscallSpec& spec,
                                    const kernel::ThreadRegisters& registers,
                                    const unwind::CallStack& stack) {
  MallocEvidence evidence;
  if (!concerns_malloc(spec.id)) return evidence;
  const auto entry = find_entry_frame(stack, process);
  if (!entry) return evidence;
  locate(process, modules, entry->module);
  TracedSpace& space = *process.space;
  if (!space.malloc || !space.unwinder) return evidence;
  evidence.state = heaps::read_malloc_state(process.memory, *space.malloc);
  auto growth = growth_of(space, spec, registers);
  if (!evidence.state || !growth) return evidence;
  growth->state = *evidence.state;
  evidence.request = find_request(*space.unwinder, entry->physical, *growth);
  return evidence;
}

}  // namespace mini::sources
