// glibc's decoder over hostile memory: must neither crash nor hang, whatever a target holds.
//
// Input: 8 bytes of choices, then the bytes of a data segment at a fixed address. What lies beyond
// it reads as the same bytes again at a few heap addresses, so that links can lead somewhere.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "fuzz_target.h"
#include "heaps/glibc.h"
#include "heaps/glibc_heap.h"
#include "hostile_heap.h"

namespace {

constexpr mini::Address kData = MirroredMemory::kBegin;
constexpr std::size_t kChoices = 8;

void find_requests(const mini::model::MallocState& state, std::span<const std::uint8_t> bytes) {
  std::vector<std::uint64_t> words(bytes.size() / 8);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * 8);
  const std::span<const std::uint64_t> all(words);
  const auto registers = [&](std::size_t from) {
    const auto rest = all.subspan(std::min(from, all.size()));
    return rest.first(std::min<std::size_t>(rest.size(), 6));
  };
  const mini::heaps::CandidateValues values{
      .entry_registers = registers(0), .caller_registers = registers(6), .words = all};
  using Kind = mini::heaps::GrowthEvidence::Kind;
  for (const Kind kind : {Kind::kBreak, Kind::kMapping}) {
    for (const std::uint64_t grown : {std::uint64_t{0x21000}, all.empty() ? 0 : all.front()}) {
      mini::heaps::GrowthEvidence evidence{
          .kind = kind, .grown = mini::Bytes{grown}, .state = state};
      const auto request = mini::heaps::find_malloc_request(evidence, values);
      if (request && request->chunk <= request->requested) __builtin_trap();
    }
  }
}

void read_heap(const MirroredMemory& memory, const mini::heaps::GlibcMalloc& malloc,
               std::uint8_t choice) {
  mini::heaps::GlibcTarget target{.malloc = malloc, .threads = {}, .writable = {}};
  target.threads.push_back({.id = 1, .thread_pointer = kData + mini::Bytes{choice * 64ULL}});
  target.writable.push_back({kData, kData + mini::Bytes{0x10000}});
  target.writable.push_back({kData + mini::Bytes{0x20000}, kData + mini::Bytes{0x40000}});
  mini::Address end;
  for (const mini::AddressRange& range : mini::heaps::survey_glibc_heap(memory, target)) {
    if (range.begin < end || range.begin >= range.end) __builtin_trap();
    end = range.end;
  }
  OrderedSink sink;
  const mini::model::Heap heap = mini::heaps::read_glibc_heap(memory, target, sink);
  if (heap.damages.size() > heap.damages_count) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kChoices || size > 0x8000) return 0;
  const std::span<const std::uint8_t> choices(data, kChoices);
  const std::span<const std::uint8_t> bytes(data + kChoices, size - kChoices);
  const MirroredMemory memory(bytes);

  mini::heaps::GlibcHints hints;
  hints.data = {kData, kData + mini::Bytes{bytes.size()}};
  hints.version = mini::heaps::find_glibc_version(memory, hints.data);
  if ((choices[0] & 1) != 0) hints.main_arena = kData + mini::Bytes{choices[1] * 8ULL};
  if ((choices[0] & 2) != 0) hints.mp = kData + mini::Bytes{choices[2] * 8ULL};
  if ((choices[0] & 4) != 0) hints.version = "2.36";
  if ((choices[0] & 8) != 0) hints.version = "2.43";
  mini::model::MallocState state;
  if (const auto found = mini::heaps::locate_glibc(memory, hints)) {
    state = mini::heaps::read_malloc_state(memory, *found).value_or(state);
    read_heap(memory, *found, choices[4]);
  } else {
    state.top_bytes = mini::Bytes{choices[3] * 16ULL};
    state.top_pad = mini::Bytes{131072};
  }
  find_requests(state, bytes);
  return 0;
}
