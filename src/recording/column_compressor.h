// Compresses the columns of one events block after the other.
#pragma once

#include <array>
#include <cstddef>

#include "recording/bytes.h"
#include "recording/compression.h"
#include "recording/format.h"

namespace mini::recording {

/// Blocks of one program are alike: what matches gain in a column of one is what they gain in those
/// that follow, and to look for them is most of the time that compressing takes. Not thread-safe.
class ColumnCompressor {
 public:
  /// The next block's, as Compressor::append().
  std::size_t append(Column column, ByteSpan bytes, ByteVector& out);

 private:
  struct Habit {
    bool seeks_matches = true;
    unsigned blocks_left = 0;  // until both ways are tried again
    unsigned blocks = 1;       // from one trial to the next; the more, the longer it has held
  };

  std::size_t try_both(Habit& habit, ByteSpan bytes, ByteVector& out);

  Compressor with_matches_{Content::kNumbers};
  Compressor without_{Content::kRandomNumbers};
  std::array<Habit, kColumns> habits_{};
  ByteVector other_;  // as it is without matches
};

}  // namespace mini::recording
