// MINIMALLOC_… in the environment, and the same by function.
#pragma once

#include <cstddef>

namespace mini::api {

enum class StatsAtExit : std::size_t { kNo, kYes, kForChildrenToo };
StatsAtExit stats_at_exit();

/// Sets what the environment says. A name or a value that there is not is named in one line on
/// standard error. Does nothing in a program that runs with more rights than its user.
void read_environment(const char* const* environment);

/// 0, ENOENT for a name that there is not, EINVAL for a value that the option does not take.
int set_option(const char* name, const char* value);
/// 0, ENOENT, or ERANGE where the value does not fit.
int get_option(const char* name, char* value, std::size_t size);

/// Where verbosity is asked for: one line with the version and all options.
void describe_options();

}  // namespace mini::api
