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
  // Then the kernel keeps no room for it: mappings begin below the program, and go upwards.
  bool is_stack_unlimited = false;
  // Variables of the environment, and limits, that make malloc another than the predictions are
  // for: "MALLOC_TOP_PAD_=0", "ulimit -v 60000". They are left as they are, so that a reader may
  // try what they do.
  std::vector<std::string> altered_by = {};
};

Machine this_machine();

/// "glibc 2.36, pages of 4 KiB"
std::string describe(const Machine& machine);

}  // namespace mini::lab
