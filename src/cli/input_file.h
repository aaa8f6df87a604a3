// Small text files that an option names.
#pragma once

#include <string>

#include "base/result.h"

namespace mini::cli {

/// All of the file's text. An error says which file and why; one that is far too large for what
/// people write is not read.
Result<std::string> read_text_file(const std::string& path);

}  // namespace mini::cli
