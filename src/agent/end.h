// What a process still has to do before its memory is gone.
#pragma once

namespace mini::agent {

/// Keeps this process waiting until the recorder has measured its memory, for two seconds at the
/// most: to be called before it becomes another program. In a child of vfork, whose memory is its
/// parent's, it does nothing.
void await_last_sample();

}  // namespace mini::agent
