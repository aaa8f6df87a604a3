// Parts of an inspection that are shown on demand, each as text and as JSON.
#pragma once

#include <string>

#include "model/heap_map.h"
#include "model/inspection.h"
#include "views/inspect_view.h"
#include "views/json_writer.h"

namespace mini::views {

/// Blocks that nothing leads to; nothing where they were not searched for.
void write_inspect_lost(std::string& out, const model::Inspection& inspection,
                        const InspectOptions& options);
/// The key "leaks" of the object that is open.
void write_lost_json(JsonWriter& json, const model::Inspection& inspection);

/// The heap drawn: for each stretch of it a line of cells for what is live and one below for what
/// is resident.
void write_inspect_map(std::string& out, const model::Inspection& inspection,
                       const model::HeapMap& map, const InspectOptions& options);
/// The key "map".
void write_map_json(JsonWriter& json, const model::Inspection& inspection,
                    const model::HeapMap& map, const InspectOptions& options);

/// What came of a trial.
void write_inspect_trim(std::string& out, const model::TrimTrial& trial,
                        const InspectOptions& options);
/// The key "trim".
void write_trim_json(JsonWriter& json, const model::TrimTrial& trial);

}  // namespace mini::views
