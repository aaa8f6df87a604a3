// What came of malloc_trim(0) in a process.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace mini::model {

struct TrimTrial {
  Bytes before;  // VmRSS
  Bytes after;
  Bytes predicted;            // to be given back
  std::int32_t returned = 0;  // 1: malloc says that it gave something back

  /// May be negative: the process goes on meanwhile.
  std::int64_t given_back() const {
    return static_cast<std::int64_t>(before.count) - static_cast<std::int64_t>(after.count);
  }
};

}  // namespace mini::model
