// The reader over any bytes: no crash, no hang, times in order, places as promised, counts that
// agree.
//
// Input: the file. Checks are made right first where the first byte is even, so that what the
// fuzzer changes in a block reaches the code behind them.
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz_target.h"
#include "recording/block.h"
#include "recording/checksum.h"
#include "recording/reader.h"

namespace {

using namespace mini::recording;

struct Checker final : Visitor {
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t last_time_ns = 0;

  void at(std::uint64_t time_ns) {
    if (time_ns < last_time_ns) __builtin_trap();
    last_time_ns = time_ns;
  }
  std::vector<mini::Address> places;  // from 1 on, since the last events_end()

  /// An index of somebody's without another look: see Visitor::events_end().
  void at(std::uint16_t place, mini::Address address) {
    if (place == 0 || place > places.size() + 1) __builtin_trap();
    if (place > places.size()) places.push_back(address);
    if (places[place - std::size_t{1}] != address) __builtin_trap();
  }
  void events_end() override { places.clear(); }
  void stack(StackNumber number, const StackFacts& stack) override {
    if (stack.caller >= number) __builtin_trap();
  }
  void allocation(const Allocation& allocation) override {
    ++allocations;
    at(allocation.time_ns);
    at(allocation.place, allocation.address);
  }
  void free(const Free& free) override {
    ++frees;
    at(free.time_ns);
    at(free.place, free.address);
  }
  void sample(const KernelSample& sample) override { at(sample.time_ns); }
  void mapping(const Mapping& mapping) override { at(mapping.time_ns); }
  void marker(const Marker& marker) override { at(marker.time_ns); }
};

/// The magic number, and both checks of whatever has the marker of a block.
void mend(std::vector<std::uint8_t>& file) {
  if (file.size() < kHeadBytes) return;
  const auto head = make_file_head(kMajorVersion, kMinorVersion);
  std::copy(head.begin(), head.end(), file.begin());
  for (std::size_t at = kHeadBytes; at + kBlockHeaderBytes <= file.size(); ++at) {
    if (!std::equal(kMarker.begin(), kMarker.end(), file.begin() + static_cast<long>(at))) continue;
    const std::span<std::uint8_t> block = std::span(file).subspan(at);
    const auto stored = load_number<std::uint32_t>(block.data() + 12);
    if (stored > block.size() - kBlockHeaderBytes) continue;
    const auto header =
        make_block_header({.type = block[4],
                           .flags = block[5],
                           .sequence = load_number<std::uint32_t>(block.data() + 8),
                           .stored_bytes = stored,
                           .raw_bytes = load_number<std::uint32_t>(block.data() + 16),
                           .checksum = xxh64(ByteSpan(block).subspan(kBlockHeaderBytes, stored))});
    std::copy(header.begin(), header.end(), block.begin());
    at += kBlockHeaderBytes + stored - 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file(data, data + size);
  if (!file.empty() && file[0] % 2 == 0) mend(file);
  Checker checker;
  const auto summary = read_recording(std::as_bytes(std::span(file)), checker);
  if (!summary) {
    if (summary.error().message.empty()) __builtin_trap();
    return 0;
  }
  if (summary->allocations > checker.allocations || summary->frees > checker.frees)
    __builtin_trap();
  if (summary->damage.skipped_bytes > size) __builtin_trap();
  return 0;
}
