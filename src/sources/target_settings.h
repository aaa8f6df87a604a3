// What a program that we start gets which is not simply ours: variables, descriptors.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mini::sources {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct TargetSettings {
  Variables variables;  // set in its environment, beside what is in ours
  int input = -1;       // its standard input; -1: ours
  int output = -1;      // its standard output and standard error; -1: ours
};

/// "NAME=value" of our environment with `variables` set.
std::vector<std::string> environment_with(const Variables& variables);

/// For exec: a null pointer ends the list. Valid as long as `words` are and do not change.
std::vector<char*> pointers_to(std::vector<std::string>& words);

}  // namespace mini::sources
