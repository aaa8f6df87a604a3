#include "inject/interrupted_calls.h"

namespace mini::inject {
namespace {

/// Where the kernel sets a thread that begins its call again; as it is where it does not.
kernel::ThreadContext begins_again(const kernel::ThreadContext& context) {
  return kernel::resume_point(context, false);
}

// By all that the program can see. The call's number is the kernel's own: it says none where an
// interrupt came in between. The flags differ in those that an interrupt sets (RF).
bool is_same(kernel::ThreadContext one, const kernel::ThreadContext& other) {
  one.system_call = other.system_call;
  one.flags = other.flags;
  return one == other;
}

}  // namespace

void InterruptedCalls::let_go(pid_t tid, const kernel::ThreadContext& context) {
  if (begins_again(context).rip == context.rip) {
    in_call_.erase(tid);
  } else {
    in_call_[tid] = context;
  }
}

kernel::ThreadContext InterruptedCalls::stopped(pid_t tid,
                                                const kernel::ThreadContext& context) const {
  const auto found = in_call_.find(tid);
  if (found == in_call_.end() || !is_same(begins_again(found->second), context)) return context;
  return kernel::write_context(tid, found->second) ? found->second : context;
}

}  // namespace mini::inject
