// GDB's manual, "MiniDebugInfo", has the format: an ELF file, packed by xz. It is the target's,
// hence hostile: what it may unpack to has a bound.
#include "unwind/mini_debug_info.h"

#include <algorithm>
#include <cstdint>
#include <lzma.h>
#include <span>
#include <utility>
#include <vector>

namespace mini::unwind {
namespace {

constexpr std::uint64_t kMostDecoderBytes = std::uint64_t{128} << 20;  // xz -9 needs half of it
constexpr std::size_t kMostBytes = std::size_t{128} << 20;
constexpr std::size_t kLeastBytes = std::size_t{64} << 10;

/// Empty where it is malformed, or too large.
std::vector<std::byte> unpack_xz(std::span<const std::byte> packed) {
  std::vector<std::byte> out;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMostDecoderBytes, 0) != LZMA_OK) return out;
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  lzma_ret state = LZMA_OK;
  while (state == LZMA_OK && out.size() < kMostBytes) {
    const std::size_t done = out.size();
    out.resize(std::clamp(2 * done, kLeastBytes, kMostBytes));
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data()) + done;
    stream.avail_out = out.size() - done;
    state = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
  }
  lzma_end(&stream);
  if (state != LZMA_STREAM_END) out.clear();
  return out;
}

}  // namespace

std::unique_ptr<ElfFile> unpack_mini_debug_info(const ElfFile& module) {
  Elf_Scn* const section = module.section(".gnu_debugdata");
  const Elf_Data* const data = section != nullptr ? elf_rawdata(section, nullptr) : nullptr;
  if (data == nullptr || data->d_buf == nullptr) return nullptr;
  auto file =
      ElfFile::from_memory(unpack_xz({static_cast<const std::byte*>(data->d_buf), data->d_size}));
  return file ? std::move(*file) : nullptr;
}

}  // namespace mini::unwind
