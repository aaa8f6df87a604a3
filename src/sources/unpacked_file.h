// A zstd file, as systemd-coredump writes cores, unpacked into a file without a name, so that it
// can be read at any place with little memory.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "kernel/file_descriptor.h"

namespace mini::sources {

struct UnpackedFile {
  kernel::FileDescriptor file = {};  // is gone when it is closed
  std::uint64_t size = 0;
  std::string loss =
      {};  // what is wrong with the packed file, from where on nothing was unpacked; or ""
};

/// Unpacks `packed` from its begin on, into $TMPDIR or /var/tmp; zeros become holes. At most as
/// much as half of the room there. What is damaged or cut is unpacked up to there.
Result<UnpackedFile> unpack_zstd(int packed);

}  // namespace mini::sources
