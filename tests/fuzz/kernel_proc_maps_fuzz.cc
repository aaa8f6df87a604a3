// Text of /proc files as a hostile kernel, or a recording, might hold it: any bytes at all.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "fuzz_target.h"
#include "kernel/elf_class.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t malformed = 0;
  for (const mini::kernel::MapsEntry& entry : mini::kernel::parse_maps(text, &malformed)) {
    if (entry.range.begin >= entry.range.end) std::abort();
    if (entry.path.size() > size || entry.path.starts_with(' ')) std::abort();
  }
  if (malformed > size) std::abort();
  if (const auto status = mini::kernel::parse_status(text); status && status->thread_group <= 0) {
    std::abort();
  }
  if (mini::kernel::parse_heap_start(text) == mini::Address{0}) std::abort();
  mini::kernel::parse_statm(text, mini::Bytes{4096});
  mini::kernel::parse_auxv(bytes);
  mini::kernel::classify(bytes);
  return 0;
}
