// Programs that are built with AddressSanitizer, whose malloc is recorded as any other.
#include "agent/export.h"

MINI_EXPORT const char* heapspy_agent_options_of_asan() asm("__asan_default_options");

// What the sanitizer's runtime asks each program for (sanitizer/asan_interface.h). It ends one
// where a library comes before itself, as the agent has to; options of the environment come after.
MINI_EXPORT const char* heapspy_agent_options_of_asan() {
  return "verify_asan_link_order=0";
}
