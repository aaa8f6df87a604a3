// Which functions the agent stands before: those that its file exports.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mini::inject {

Result<std::vector<std::string>> read_agent_functions(const std::string& path);

}  // namespace mini::inject
