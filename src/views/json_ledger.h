// The last object of a trace: what each process's calls, and all of them, added up to.
#pragma once

#include <string>

#include "views/trace_view.h"

namespace mini::views {

/// Appends one JSON object without a line end.
void write_json_ledger(std::string& out, const TraceSummary& summary);

}  // namespace mini::views
