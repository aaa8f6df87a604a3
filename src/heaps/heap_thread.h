// A thread of a target, as far as decoders need it: by which to find whose cache one is.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"

namespace mini::heaps {

struct HeapThread {
  std::int64_t id = 0;
  std::optional<Address> thread_pointer;  // FS base, TPIDR_EL0
};

}  // namespace mini::heaps
