// Parts of the JSON forms that reports, diffs and inspections share, each a key and its value.
#pragma once

#include <cstdint>
#include <span>

#include "explain/heap_findings.h"
#include "model/heap_profile.h"
#include "views/json_writer.h"

namespace mini::views {

void write_process(JsonWriter& json, const model::HeapProfile& profile);
/// null of a process that began with nothing.
void write_inheritance(JsonWriter& json, const model::HeapProfile& profile);
/// null where the allocator was not asked.
void write_usable(JsonWriter& json, const model::HeapProfile& profile);
/// null where page faults were not asked for.
void write_first_touch(JsonWriter& json, const model::HeapProfile& profile);
void write_losses(JsonWriter& json, const model::HeapProfile& profile);
void write_findings(JsonWriter& json, std::span<const explain::Finding> findings);
/// Of a stack: its place, and its frames.
void write_frames(JsonWriter& json, const model::HeapProfile& profile, std::uint32_t node);

}  // namespace mini::views
