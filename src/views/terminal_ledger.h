// The ledger: what the calls added up to, by cause and by kind, in tables whose rows add up.
#pragma once

#include <string>

#include "views/text_style.h"
#include "views/trace_view.h"

namespace mini::views {

void write_ledger(std::string& out, const TextStyle& style, const TraceSummary& summary);

/// "heap_spy (4711), exit status 0".
std::string describe_process(const ProcessSummary& process);

}  // namespace mini::views
