// The reader of core files over hostile files: must neither crash nor hang, whatever the headers
// and notes say. What it takes for memory is read and, as heaps/ would, searched for glibc's
// malloc.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "fuzz_target.h"
#include "heaps/glibc.h"
#include "sources/core_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  const auto core = mini::sources::CoreFile::parse(
      [bytes](std::uint64_t offset, std::span<std::byte> out) -> std::size_t {
        if (offset >= bytes.size()) return 0;
        const std::size_t count = std::min(out.size(), bytes.size() - offset);
        std::ranges::copy(std::as_bytes(bytes.subspan(offset, count)), out.begin());
        return count;
      },
      size);
  if (!core) {
    if (core.error().message.empty()) __builtin_trap();
    return 0;
  }
  std::vector<std::byte> page(4096);
  for (const mini::sources::CoreSegment& segment : (*core)->segments()) {
    if (segment.range.begin >= segment.range.end) __builtin_trap();
    (void)(*core)->read(segment.range.begin, page);
    (void)(*core)->read(segment.range.end - mini::Bytes{1}, page);
  }
  mini::heaps::GlibcHints hints;
  hints.data = (*core)->segments().front().range;
  (void)mini::heaps::locate_glibc(**core, hints);
  return 0;
}
