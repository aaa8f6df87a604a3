// The functions behind include/heapspy/annotate.h, which declares them weak and so is not included.
#include <cstddef>
#include <cstdint>

#include "agent/export.h"
#include "agent/guard.h"
#include "kernel/vm/shared.h"

extern "C" {
void heapspy_agent_mark(const char* text);
void heapspy_agent_pool_memory(const void* block);
void heapspy_agent_pool_allocated(const void* block, std::size_t bytes);
void heapspy_agent_pool_freed(const void* block);
void heapspy_agent_name_memory(const void* begin, std::size_t bytes, const char* name);
}

namespace mini::agent {
namespace {

// A pool may begin where a block of malloc does: theirs are other addresses, by a bit that no
// address of a program has.
const void* pool_address(const void* block) {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(block) |
                                       wire::kPoolAddress);
}

}  // namespace
}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names
using mini::wire::CallKind;

MINI_EXPORT void heapspy_agent_mark(const char* text) {
  if (text == nullptr) return;
  tell(capture_caller(), [&](ThreadLog& log) { log.add_marker(text); });
}

MINI_EXPORT void heapspy_agent_pool_memory(const void* block) {
  if (block == nullptr || is_free_unrecorded(block)) return;
  const Caller caller = capture_caller();
  tell(caller, [&](ThreadLog& log) { log.add_pool_memory(block, caller); });
}

MINI_EXPORT void heapspy_agent_pool_allocated(const void* block, std::size_t bytes) {
  if (block == nullptr) return;
  note_allocation(pool_address(block), bytes, CallKind::kPool, capture_caller());
}

MINI_EXPORT void heapspy_agent_pool_freed(const void* block) {
  if (block == nullptr) return;
  note_free(pool_address(block), capture_caller());
}

MINI_EXPORT void heapspy_agent_name_memory(const void* begin, std::size_t bytes, const char* name) {
  if (name != nullptr) mini::kernel::vm::name_memory(begin, bytes, name);
}
