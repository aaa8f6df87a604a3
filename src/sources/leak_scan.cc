#include "sources/leak_scan.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/address_ranges.h"
#include "base/text.h"
#include "heaps/glibc.h"
#include "heaps/glibc_layout.h"
#include "kernel/page_scan.h"
#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"
#include "kernel/process_memory.h"
#include "sources/leak_roots.h"

namespace mini::sources {
namespace {

using kernel::MapsEntry;

#if defined(__x86_64__)
constexpr std::size_t kStackPointer = 7;  // by DWARF number
#elif defined(__aarch64__)
constexpr std::size_t kStackPointer = 31;
#endif

/// The writable data of libc with its bss, which has no name.
std::optional<AddressRange> libc_data(std::span<const MapsEntry> maps) {
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const std::string_view name = path_basename(maps[i].path);
    if (!maps[i].write || !(name.starts_with("libc.so") || name.starts_with("libc-2."))) continue;
    AddressRange range = maps[i].range;
    if (i + 1 < maps.size() && maps[i + 1].path.empty() && maps[i + 1].write &&
        maps[i + 1].range.begin == range.end) {
      range.end = maps[i + 1].range.end;
    }
    return range;
  }
  return std::nullopt;
}

/// malloc's own lists lead to free chunks, and a free chunk's address can be that of the end of a
/// live block before it.
std::vector<AddressRange> allocator_state(const MemoryReader& memory,
                                          std::span<const MapsEntry> maps) {
  const auto data = libc_data(maps);
  if (!data) return {};
  const auto malloc =
      heaps::locate_glibc(memory, {.data = *data, .main_arena = {}, .mp = {}, .version = ""});
  if (!malloc) return {};
  return {{malloc->main_arena, malloc->main_arena + heaps::kLargestState}};
}

/// Leaves of `ranges` what can hold pointers: memory that was never written is no memory, and there
/// may be terabytes of it, as a sanitizer's shadow. Bytes that are left out though nothing is known
/// of them.
Bytes keep_written(pid_t pid, std::vector<AddressRange>& ranges) {
  if (const auto runs = kernel::PageScan(pid).read_all()) {
    ranges = intersection(merged(std::move(ranges)), kernel::ranges_of(*runs));
    return {};
  }
  constexpr Bytes kMostUnknown{std::uint64_t{64} << 30U};
  Bytes left_out;
  std::erase_if(ranges, [&](const AddressRange& range) {
    if (range.size() <= kMostUnknown) return false;
    left_out += range.size();
    return true;
  });
  return left_out;
}

}  // namespace

recording::LeakScan scan_for_leaks(pid_t pid, std::span<const StoppedThread> threads,
                                   std::span<const heaps::LiveRange> blocks, bool has_all_blocks) {
  recording::LeakScan scan;
  const auto maps = kernel::read_maps(pid);
  if (!maps || maps->empty()) return scan;
  kernel::ProcessMemory memory(pid);
  if (kernel::has_userfaultfd(pid)) memory.read_present_pages_only();
  RootFacts facts{.maps = *maps,
                  .blocks = blocks,
                  .stack_pointers = {},
                  .registers = {},
                  .excluded = allocator_state(memory, *maps),
                  .has_all_blocks = has_all_blocks};
  for (const StoppedThread& thread : threads) {
    if (!thread.registers) continue;
    facts.stack_pointers.push_back(thread.registers->dwarf[kStackPointer]);
    facts.thread_pointers.push_back(thread.registers->thread_pointer);
    facts.registers.insert(facts.registers.end(), thread.registers->dwarf.begin(),
                           thread.registers->dwarf.end());
  }
  exclude(ended_stacks(memory, facts), facts);
  heaps::RootSet roots = find_roots(facts);
  const Bytes left_out = keep_written(pid, roots.ranges);
  const heaps::Reachability found = heaps::find_reachable(memory, blocks, roots);
  // One that was killed meanwhile has no memory: what leads to its blocks was not seen.
  const auto left = kernel::read_maps(pid);
  if (!left || left->empty()) return scan;
  scan.is_done = true;
  scan.scanned_bytes = found.scanned_bytes;
  scan.unreadable_bytes = found.unreadable_bytes + left_out.count;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (found.of_block[i] == heaps::Reach::kReachable) continue;
    scan.lost.push_back({.address = Address{blocks[i].begin},
                         .is_indirect = found.of_block[i] == heaps::Reach::kLostIndirectly});
  }
  return scan;
}

}  // namespace mini::sources
