// Programs that ran beside a recorded one and are in no recording, in words.
#pragma once

#include <string>

#include "model/heap_profile.h"

namespace mini::views {

/// "/usr/bin/tool, 3 times: it is statically linked". Not yet printable.
std::string describe(const model::UnrecordedProgram& program);

}  // namespace mini::views
