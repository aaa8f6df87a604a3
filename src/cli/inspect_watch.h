// One view after the other of something that changes, until it ends or somebody has seen enough.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "cli/output_file.h"

namespace mini::cli {

/// On a terminal each view takes the place of the one before, on a screen of its own that is left
/// as it was found; elsewhere they follow each other. Where `render` fails after it has worked
/// once, that ends with 0 if `is_end` says so of the error (what is watched has ended), and else is
/// shown, for the next view may be there again. Ends with 0 at SIGINT, SIGTERM or SIGHUP too; fails
/// where `render` never worked, or the views cannot be written.
Result<void> watch(const OutputFile& file, std::uint64_t interval_ns,
                   const std::function<Result<std::string>()>& render,
                   const std::function<bool(const Error&)>& is_end);

}  // namespace mini::cli
