// Compiles rows, and keeps them in step with what is loaded.
#include "unwind/self/code_table.h"

#include <cstring>

#include "kernel/vm/own_mappings.h"
#include "kernel/vm/vm.h"
#include "unwind/self/loader_index.h"

namespace mini::unwind::self {
namespace {

struct Lists {
  const ModuleList& before;
  const ModuleList& after;
};

// Rows of a module that was there and still is. All others may be wrong now: those of code that was
// in no known module were guesses.
bool is_in_both(const void* context, std::uintptr_t pc) {
  const auto& lists = *static_cast<const Lists*>(context);
  const Module* const module = lists.after.find(pc);
  return module != nullptr && lists.before.has(module);
}

// mov $SYS_rt_sigreturn, %eax, in two encodings, and the system call: what a handler returns to
// where the C library's own has no call frame information (musl; programs with their own).
bool is_signal_return([[maybe_unused]] ByteRange code) {
#if defined(__x86_64__)
  constexpr unsigned char kLong[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  constexpr unsigned char kShort[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  const auto is_at_begin = [code](const unsigned char* bytes, std::size_t count) {
    return code.end - code.begin >= count &&
           std::memcmp(reinterpret_cast<const void*>(code.begin), bytes, count) == 0;
  };
  return is_at_begin(&kLong[0], sizeof kLong) || is_at_begin(&kShort[0], sizeof kShort);
#else
  return false;  // the kernel leaves a frame pointer for its frame
#endif
}

// The same code and its description a distance further on: what describes code does so by its
// distance from itself. Where it does not, nothing is found there.
[[maybe_unused]] Row compile_from_pages(const Module& module, std::uintptr_t pc) {
  const std::uintptr_t distance = module.frame_pages.begin - module.frame_pages_of;
  return compile_row({module.frames.header + distance, module.frame_pages}, pc + distance);
}

std::uint64_t bit_of(const Module& module) {
  return std::uint64_t{1} << module.index % 64;
}

// Calls visit(begin, bytes) for what rows may have been read from, of the modules in `read`.
template <typename Visit>
void for_each_read(const ModuleList& list, std::uint64_t read, Visit&& visit) {
  for (std::size_t i = 0; i < list.count; ++i) {
    const ByteRange pages = list.modules[i]->frame_pages;
    if ((read & bit_of(*list.modules[i])) != 0) visit(pages.begin, pages.end - pages.begin);
  }
}

// `pc` is in no code that is described. Its mapping says whether it is code at all.
Row row_without_description(std::uintptr_t pc, std::span<char> buffer) {
  kernel::vm::OwnMapping mapping;
  if (!kernel::vm::find_own_mapping(pc, buffer, &mapping) || !mapping.executable) {
    return Row(RowKind::kNotCode);
  }
  const bool is_trampoline = mapping.readable && is_signal_return({pc + 1, mapping.end});
  return Row(is_trampoline ? RowKind::kSignal : RowKind::kFramePointer);
}

}  // namespace

void CodeTable::refresh(const ModuleListener& listener) {
  // Whoever raises the count from 0 works until nobody has raised it meanwhile. No thread waits for
  // another one here, so it does not matter which locks of the loader it holds.
  if (requests_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
  std::uint32_t seen = 1;
  do {
    seen = requests_.load(std::memory_order_relaxed);
    const ModuleList& before = modules_.list();
    if (modules_.refresh(listener)) {
      const Lists lists{before, modules_.list()};
      rows_.forget(&is_in_both, &lists);
    }
  } while (!requests_.compare_exchange_strong(seen, 0, std::memory_order_acq_rel));
}

// The loader's index is asked first: it is never out of date, and while another thread's dlclose is
// at work the list still has what was unmapped.
bool CodeTable::find_sections(std::uintptr_t pc, EhFrame* sections) const {
  const Module* const listed = modules_.list().find(pc);
  LoaderObject object;
  if (ask_loader_index(pc, &object) != LoaderAnswer::kModule) {
    if (listed == nullptr || listed->is_in_loaders_index) return false;
    *sections = listed->frames;
    return true;
  }
  if (object.frames_header == 0) return false;
  if (listed != nullptr && listed->frames.header == object.frames_header) {
    *sections = listed->frames;
    return true;
  }
  Module module;
  if (!describe_mapped_module(object, &module)) return false;
  *sections = module.frames;
  return true;
}

Row CodeTable::compile_uncached(std::uintptr_t pc, std::span<char> buffer) {
#if defined(__x86_64__)
  EhFrame sections;
  if (find_sections(pc, &sections)) {
    const Module* const listed = modules_.list().find(pc);
    Row row(RowKind::kFramePointer);
    if (listed != nullptr && listed->frame_pages.begin != 0 &&
        listed->frames.header == sections.header) {
      row = compile_from_pages(*listed, pc);
      read_modules_.fetch_or(bit_of(*listed), std::memory_order_relaxed);
    }
    if (row.kind() == RowKind::kFramePointer) row = compile_row(sections, pc);
    if (row.kind() != RowKind::kFramePointer) return row;
  }
#endif
  return row_without_description(pc, buffer);
}

bool CodeTable::discard_read_pages(std::uint64_t now, std::uint64_t kept_bytes) {
  constexpr std::uint64_t kQuietTicks = std::uint64_t{1} << 18;  // some 100 microseconds
  const std::uint64_t count = compiled_count_.load(std::memory_order_relaxed);
  if (seen_compiled_count_.load(std::memory_order_relaxed) != count) {
    seen_compiled_count_.store(count, std::memory_order_relaxed);
    seen_compiled_at_.store(now, std::memory_order_relaxed);
    return false;
  }
  if (now - seen_compiled_at_.load(std::memory_order_relaxed) < kQuietTicks ||
      now < next_discard_.load(std::memory_order_relaxed)) {
    return false;
  }
  // The kernel maps 64 KiB around the description that a row is made of. Of two rows it is often
  // the same; the module's index, which is read too, takes about as much as that saves.
  constexpr std::uint64_t kBytesARow = std::uint64_t{64} << 10;
  const std::uint64_t rows = count - discarded_count_.load(std::memory_order_relaxed);
  if (rows * kBytesARow <= kept_bytes) return false;
  std::uint64_t bytes = 0;
  for_each_read(modules_.list(), read_modules_.load(std::memory_order_relaxed),
                [&bytes](std::uintptr_t, std::size_t more) { bytes += more; });
  if (bytes <= kept_bytes) {
    discard_no_pages_until(now + kQuietTicks);
    return false;
  }
  discarded_count_.store(count, std::memory_order_relaxed);
  const std::uint64_t read = read_modules_.exchange(0, std::memory_order_relaxed);
  for_each_read(modules_.list(), read, [](std::uintptr_t begin, std::size_t more) {
    kernel::vm::discard(reinterpret_cast<void*>(begin), more);
  });
  return read != 0;
}

Row CodeTable::compile(std::uintptr_t pc, std::span<char> buffer) {
  compiled_count_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t generation = rows_.generation();
  const Row row = compile_uncached(pc, buffer);
  if (pc != 0) rows_.insert(pc, row, generation);
  return row;
}

}  // namespace mini::unwind::self
