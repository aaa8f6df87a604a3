// The environment of a program that this one becomes or starts: it leads to the recorder as long as
// there is one, and not to one that is gone.
//
// All of this may run in a child of vfork, on its parent's stack and in its parent's memory: it
// allocates nothing and changes nothing, what is made is made where the caller says.
#pragma once

#include <cstddef>

#include "agent/session.h"
#include "base/preload_obstacle.h"

namespace mini::agent {

using Words = char* const*;

/// What becomes of an environment.
struct EnvironmentPlan {
  enum class Change { kNone, kLead, kLeave };  // kLeave: without what leads to a recorder
  Change change = Change::kNone;
  Carried carried;
  std::size_t words_count = 0;
  const char* preload = "";  // the value of LD_PRELOAD in it
};

/// `obstacle`: of the program that is to have it.
EnvironmentPlan plan_environment(Words environment,
                                 PreloadObstacle obstacle = PreloadObstacle::kNone);

/// Bytes of both variables as the plan has them, names and zeros included.
std::size_t variables_bytes(const EnvironmentPlan& plan);

/// Writes LD_PRELOAD's value as the plan has it, and a zero; its end. Empty: there is to be none.
char* write_preload(const EnvironmentPlan& plan, char* out);

/// The environment as the plan has it: `room` is for words_count + 3 words, `text` for
/// variables_bytes().
Words write_environment(Words environment, const EnvironmentPlan& plan, char** room, char* text);

}  // namespace mini::agent
