// Keeps a process's ledger as its events come.
#pragma once

#include "model/event.h"
#include "model/process.h"

namespace mini::explain {

/// Begins a ledger where an address space begins: at exec, at fork, at attach.
void open_ledger(const model::Event& event, model::Process& process);

/// Books one explained event. What no event accounts for goes to Ledger::without_call, so that L1
/// holds.
void book(const model::Event& event, model::Process& process);

/// Books that `now` is mapped though no call is known to have changed anything since the last.
void book_without_call(model::Ledger& ledger, model::Phase phase, Bytes now);

}  // namespace mini::explain
