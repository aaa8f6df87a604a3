// 0.5: the layout of a process, with real addresses.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "kernel/proc_maps.h"
#include "lab/elf_program.h"
#include "lab/experiment.h"
#include "lab/looked_run.h"
#include "lab/printed.h"
#include "model/malloc_arithmetic.h"

namespace mini::lab {
namespace {

constexpr std::string_view kSources[] = {"layout.c"};
constexpr std::string_view kTerms[] = {"program break", "bss", "mapping", "mmap threshold", "heap"};
constexpr Bytes kLargeRequest{1024 * 1024};

// The names that layout.c prints, in the order of their addresses.
constexpr std::array<std::string_view, 8> kThings = {
    "code",        "constant", "initialised variable", "zeroed variable", "small block",
    "large block", "library",  "local variable"};
enum Thing : std::size_t { kCode, kConstant, kData, kZeroed, kSmall, kLarge, kLibrary, kLocal };

/// How far a thing of the program is from the program's first byte in memory.
Result<Bytes> from_program_start(const std::string& path, std::string_view symbol) {
  const auto program = read_elf_program(path);
  if (!program) return std::unexpected(program.error());
  const auto address = symbol_address(path, symbol);
  if (!address || program->segments.empty()) {
    return fail(fmt::format("{} has no symbol '{}'", path, symbol));
  }
  return Bytes{*address - program->segments.front().address};
}

Result<std::vector<Prediction>> predict(const Bench& bench) {
  const std::string program = bench.places.program("layout");
  const auto code = from_program_start(program, "main");
  const auto variable = from_program_start(program, "initialised");
  if (!code) return std::unexpected(code.error());
  if (!variable) return std::unexpected(variable.error());
  const Bytes chunk = model::chunk_of_request(kLargeRequest).value_or(Bytes{});
  const Bytes mapping = model::mapping_of_chunk(chunk, bench.machine.page_size).value_or(Bytes{});
  const std::string by_header = "as the program's own headers say: ";
  return std::vector<Prediction>{
      {"addresses rise in this order", "Code, variables, heap, libraries, stack: in this order?",
       yes_or_no(!bench.machine.is_stack_unlimited),
       bench.machine.is_stack_unlimited
           ? "the stack has no limit (ulimit -s): mappings begin below the program"
           : "program, heap above it, mappings from the stack downwards, the stack on top"},
      {"main, from the program's start", "Where is main, from the program's first byte?",
       offset(*code), "its symbol's value; only the start is random"},
      {"the variable, from there", "And the initialised variable?", offset(*variable), "likewise"},
      {"rights of code", "Which rights has the code: r-x, rw- or r--?", word("r-x"),
       by_header + "to be read and executed, not written"},
      {"rights of a constant", "A constant?", word("r--"), by_header + "to be read only"},
      {"rights of a variable", "A variable?", word("rw-"), by_header + "to be read and written"},
      {"the small block is in", "The small block is in: [heap], [stack] or a mapping?",
       word("[heap]"),
       fmt::format("below {}: from the heap, which brk moves",
                   format_bytes(bench.machine.mmap_threshold))},
      {"the large block is in", "And the large block?", word("a mapping"),
       "from the mmap threshold on a block gets a mapping of its own, without a name"},
      {"bytes for the large block", "How many bytes does malloc ask for the large block?",
       bytes(mapping),
       fmt::format("{} + 16, rounded up to pages of {}", kLargeRequest.count,
                   bench.machine.page_size.count)},
      {"the local variable is in", "And the local variable?", word("[stack]"),
       "main's variables are on the main stack"}};
}

struct Process {
  std::array<Address, kThings.size()> things;
  std::vector<kernel::MapsEntry> maps;
  std::string program;
};

const kernel::MapsEntry* entry_of(const Process& process, Thing thing) {
  const auto at = std::ranges::find_if(process.maps, [&](const kernel::MapsEntry& entry) {
    return entry.range.contains(process.things[thing]);
  });
  return at == process.maps.end() ? nullptr : &*at;
}

std::optional<Answer> rights(const Process& process, Thing thing) {
  const kernel::MapsEntry* entry = entry_of(process, thing);
  if (entry == nullptr) return std::nullopt;
  return word(fmt::format("{}{}{}", entry->read ? 'r' : '-', entry->write ? 'w' : '-',
                          entry->execute ? 'x' : '-'));
}

std::optional<Answer> place(const Process& process, Thing thing) {
  const kernel::MapsEntry* entry = entry_of(process, thing);
  if (entry == nullptr) return std::nullopt;
  return word(entry->path.empty() ? "a mapping" : entry->path);
}

std::optional<Answer> from_start(const Process& process, Thing thing) {
  for (const kernel::MapsEntry& entry : process.maps) {
    if (entry.path == process.program) return offset(process.things[thing] - entry.range.begin);
  }
  return std::nullopt;
}

// Two neighbours without a name are one line of maps, so a block's mapping may look longer: what
// malloc asked for stands in its chunk's header, as the inspector reads it.
std::optional<Answer> mapping_bytes(const SeenHeap& heap, Address block) {
  const model::HeapPiece* piece = heap.block(block);
  if (piece == nullptr || piece->arena != model::kNoArena) return std::nullopt;
  return bytes(piece->range.size());
}

// Highest first, as the picture has it.
std::string draw(const Process& process) {
  std::string text;
  for (std::size_t i = kThings.size(); i-- > 0;) {
    const kernel::MapsEntry* entry = entry_of(process, static_cast<Thing>(i));
    const std::string name = entry == nullptr      ? "?"
                             : entry->path.empty() ? "a mapping without a name"
                                                   : std::string(path_basename(entry->path));
    text +=
        fmt::format("  {:<16}  {:<22}  {}\n", format_address(process.things[i]), kThings[i], name);
  }
  return text;
}

std::string maps_text(const Process& process) {
  std::string text;
  for (const kernel::MapsEntry& entry : process.maps) {
    if (entry.path == "[vsyscall]") continue;  // is in no process's address space
    text += fmt::format("  {:<30} {}{}{}  {:>9}  {}\n", format_range(entry.range),
                        entry.read ? 'r' : '-', entry.write ? 'w' : '-', entry.execute ? 'x' : '-',
                        format_bytes(entry.range.size()),
                        entry.path.empty() ? "-" : path_basename(entry.path));
  }
  return text;
}

Result<Observation> observe(const Bench& bench) {
  Process process;
  process.program = bench.places.program("layout");
  std::optional<SeenHeap> heap;
  const auto look = [&](const Look& at) -> Result<void> {
    for (std::size_t i = 0; i < kThings.size(); ++i) {
      const auto address = printed_address(at.printed, kThings[i]);
      if (!address) return fail(fmt::format("layout did not print '{}'", kThings[i]));
      process.things[i] = *address;
    }
    auto maps = kernel::read_maps(at.pid);
    if (!maps) return std::unexpected(maps.error());
    process.maps = std::move(*maps);
    auto seen = look_at_heap(at.pid);
    if (!seen) return std::unexpected(seen.error());
    heap = std::move(*seen);
    return {};
  };
  const auto printed = run_with_looks({.command = {process.program}, .at_look = look});
  if (!printed) return std::unexpected(printed.error());
  if (!heap) return fail("layout came to its end without a look");
  return Observation{
      .answers = {yes_or_no(std::ranges::is_sorted(process.things)), from_start(process, kCode),
                  from_start(process, kData), rights(process, kCode), rights(process, kConstant),
                  rights(process, kZeroed), place(process, kSmall), place(process, kLarge),
                  mapping_bytes(*heap, process.things[kLarge]), place(process, kLocal)},
      .exhibits = {{"What the program printed, highest address first", draw(process)},
                   {"LAB_WAIT=1 layout, and at its look: cat /proc/PID/maps", maps_text(process)}}};
}

std::string explain(const Bench& bench) {
  return fmt::format(
      "Every process has a map of its own, and it is drawn by the same hand each time. At the "
      "bottom lies the program, as its file says: code, constants, variables, and behind them the "
      "variables that are zero and need no place in the file. Then, after a gap of random length, "
      "the heap: the one region that grows by brk. {}: the loader, the libraries, then what the "
      "program maps later. On top is the main stack, which grows downwards by itself.\n"
      "\n"
      "The addresses are others in each run, since the kernel chooses the beginnings at random to "
      "make attacks harder. But only the beginnings: the distances within a file are fixed, and so "
      "the place of main could be predicted.\n"
      "\n"
      "Both blocks are malloc's. The small one is from the heap. The large one is not less than "
      "{}, the mmap threshold: for such blocks malloc asks for a mapping of their own, which free "
      "can give back at once, wherever it is.",
      bench.machine.is_stack_unlimited
          ? "Mappings are below all that here, since the stack has no limit (ulimit -s), and no "
            "room can be kept for it: they are laid one above the other"
          : "Far above, mappings are laid one below the other from a point under the stack",
      format_bytes(bench.machine.mmap_threshold));
}

}  // namespace

extern const Experiment kLayout;
const Experiment kLayout = {
    .id = "0.5",
    .title = "The layout of a process, with real addresses",
    .question =
        "Code, a constant, variables, a small block, a large one, a library, the stack: "
        "where is each, and in which order?",
    .sources = kSources,
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms};

}  // namespace mini::lab
