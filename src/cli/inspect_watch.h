// One view after the other of something that changes, until it ends or somebody has seen enough.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace mini::cli {

/// On a terminal each view takes the place of the one before, on a screen of its own that is left
/// as it was found; elsewhere they follow each other. Ends with 0 when `render` fails after it has
/// worked once (what is watched has ended), or at SIGINT, SIGTERM or SIGHUP; fails where it never
/// worked, or the views cannot be written.
Result<void> watch(int fd, std::uint64_t interval_ns,
                   const std::function<Result<std::string>()>& render);

}  // namespace mini::cli
