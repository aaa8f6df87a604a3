// What heapspy calls in a program that it put the agent into while it ran: on a thread that it
// borrowed, on a stack of its own, before any call of the program's is sent here.
#include "wire/attach.h"

#include <cstring>

#include "agent/code.h"
#include "agent/guard.h"
#include "agent/real.h"
#include "agent/session.h"

namespace mini::agent {
namespace {

// Set while the agent is told, by one thread at a time.
constinit const wire::AttachOrder* g_order = nullptr;

void* find_in_order(const char* name) {
  for (std::uint64_t i = 0; i < g_order->functions_count && i < wire::kMostRealFunctions; ++i) {
    const wire::RealFunction& function = g_order->functions[i];
    if (std::strncmp(function.name, name, sizeof function.name) == 0) {
      return reinterpret_cast<void*>(function.address);
    }
  }
  return nullptr;
}

wire::AttachAnswer attach(const wire::AttachOrder& order) {
  if (!Session::renew(order.channel_path)) return wire::AttachAnswer::kIsRecorded;
  // The order of libraries begins, for one that came by dlopen, with its own: heapspy knows whom
  // the program's calls go to.
  g_order = &order;
  take_real_functions(find_in_order);
  take_real_operators(find_in_order);
  g_order = nullptr;
  code_table().refresh();
  return Session::current() != nullptr ? wire::AttachAnswer::kAttached
                                       : wire::AttachAnswer::kNoChannel;
}

}  // namespace
}  // namespace mini::agent

extern "C" __attribute__((visibility("default"))) mini::wire::AttachAnswer heapspy_agent_attach(
    const mini::wire::AttachOrder* order);

mini::wire::AttachAnswer heapspy_agent_attach(const mini::wire::AttachOrder* order) {
  using namespace mini::agent;  // NOLINT(google-build-using-namespace)
  t_inside = capture_caller().sp;
  const mini::wire::AttachAnswer answer = attach(*order);
  t_inside = 0;
  return answer;
}
