// Why a call was made, in one sentence with its arithmetic. Where the numbers do not come out as
// observed, the sentence says what was observed and claims nothing.
#pragma once

#include <string>

#include "base/units.h"
#include "explain/attribution.h"
#include "explain/mapping_role.h"
#include "model/event.h"
#include "model/process.h"

namespace mini::explain {

/// "" where there is nothing to add to what the call says by itself.
std::string explain_call(const model::Event& event, const Attribution& who,
                         const MappingMeaning& meaning, const model::Process& process);

/// Calls that glibc's malloc made; part of explain_call.
std::string explain_malloc_call(const model::Event& event, const Attribution& who,
                                const MappingMeaning& meaning);

/// "135168 bytes", "1 byte": as one reckons with it.
std::string in_bytes(Bytes n);

}  // namespace mini::explain
