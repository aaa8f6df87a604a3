// Turns measured events into explained ones: phase, cause, role, sentence; and keeps the ledger.
// Pure: reads the event and the model, asks nothing of the operating system.
#pragma once

#include "model/event.h"
#include "model/process.h"

namespace mini::explain {

/// Completes `event` (everything under "Added by explain/"), labels the mappings it made in the
/// process's address space, advances the process's phase and its ledger. Events of one process
/// must come in their order. Cost: linear in the stack's depth plus, once per labelled range,
/// logarithmic in the mappings; amortised over events, never linear in the mappings.
void explain(model::Event& event, model::Process& process);

/// Recomputes ledger.mapped_by_role and mapped_by_cause from the address space: linear in the
/// mappings, so for the end of a process or a summary, not for each event.
void settle(model::Process& process);

/// "main at heap_spy.c:7", "xmalloc in ls", "libc internal, under malloc".
std::string describe_frame(const unwind::CallStack& stack, std::size_t index);

}  // namespace mini::explain
