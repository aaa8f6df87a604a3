#pragma once

namespace mini::agent {

/// Has the agent know of forks from here on.
void watch_forks();

}  // namespace mini::agent
