// Compresses what is written, in the gzip format (RFC 1952), on its way to an Output.
#pragma once

#include <string>
#include <string_view>
#define ZLIB_CONST  // zlib promises not to write to its input
#include <zlib.h>

#include "views/output.h"

namespace mini::views {

class GzipWriter {
 public:
  explicit GzipWriter(Output& output);
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  ~GzipWriter() { deflateEnd(&stream_); }

  void write(std::string_view bytes) { compress(bytes, Z_NO_FLUSH); }
  /// Writes what is buffered and the end of the file. Nothing may follow.
  void finish() { compress({}, Z_FINISH); }

 private:
  void compress(std::string_view bytes, int flush);

  Output& output_;
  z_stream stream_{};
  std::string block_;  // what comes out, before it goes on
};

}  // namespace mini::views
