#include "views/gzip_writer.h"

#include <cstddef>
#include <new>

namespace mini::views {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kMostAtOnce = std::size_t{1} << 30U;  // zlib counts in 32 bits
constexpr int kWindowBits = 15;
constexpr int kGzipHeader = 16;  // added to the above: a header without a name and a time
constexpr int kMemoryLevel = 8;

}  // namespace

GzipWriter::GzipWriter(Output& output) : output_(output), block_(kBlockBytes, '\0') {
  const int result = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                  kWindowBits + kGzipHeader, kMemoryLevel, Z_DEFAULT_STRATEGY);
  // Nothing else can go wrong with constant arguments.
  if (result != Z_OK) throw std::bad_alloc();
}

void GzipWriter::compress(std::string_view bytes, int flush) {
  do {
    const std::string_view part = bytes.substr(0, kMostAtOnce);
    bytes.remove_prefix(part.size());
    stream_.next_in = reinterpret_cast<const Bytef*>(part.data());
    stream_.avail_in = static_cast<uInt>(part.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(block_.data());
      stream_.avail_out = static_cast<uInt>(block_.size());
      deflate(&stream_, flush);
      output_.write(std::string_view(block_).substr(0, block_.size() - stream_.avail_out));
      output_.end_record();
    } while (stream_.avail_out == 0);
  } while (!bytes.empty());
}

}  // namespace mini::views
