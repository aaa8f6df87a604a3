// A library that looks different from the other one of its kind, and calls back.
#include <alloca.h>
#include <cstddef>

namespace {

void (*g_at_begin)(void*) = nullptr;
void* g_context = nullptr;

[[gnu::noinline]] std::size_t inner(void (*call)(void*), void* context, std::size_t size) {
#if PLUGIN_NUMBER == 2
  auto* const block = static_cast<volatile char*>(alloca(size * 32));
  block[0] = 1;
  call(context);
  return static_cast<std::size_t>(block[0]);
#else
  call(context);
  return size;
#endif
}

}  // namespace

// What the program sets before it opens the library.
extern "C" __attribute__((weak)) void (*plugin_observer(void** context))(void*);

__attribute__((constructor)) static void begin() {
  if (&plugin_observer == nullptr) return;
  g_at_begin = plugin_observer(&g_context);
  if (g_at_begin != nullptr) inner(g_at_begin, g_context, 3);
}

extern "C" std::size_t plugin_call(void (*call)(void*), void* context);
extern "C" std::size_t plugin_call(void (*call)(void*), void* context) {
  return inner(call, context, 5) + 1;
}
