// What predictions are made from: the machine's own C library, its pages, its defaults.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"

namespace mini::lab {

struct Machine {
  std::string glibc_version;  // "2.36"
  Bytes page_size;
  unsigned processors = 1;
  // What malloc starts with: "M_TOP_PAD", "M_MMAP_THRESHOLD", "M_TRIM_THRESHOLD".
  Bytes top_pad{128 * 1024};
  Bytes mmap_threshold{128 * 1024};
  Bytes trim_threshold{128 * 1024};
  // Variables of the environment that make malloc another than the predictions are for:
  // "MALLOC_TOP_PAD_=0". They are left as they are, so that a reader may try what they do.
  std::vector<std::string> altered_by = {};
};

Machine this_machine();

/// "glibc 2.36, pages of 4 KiB"
std::string describe(const Machine& machine);

}  // namespace mini::lab
