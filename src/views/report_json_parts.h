// Parts of the JSON forms that reports, diffs and inspections share, each a key and its value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "explain/heap_findings.h"
#include "explain/stack_list.h"
#include "model/heap_profile.h"
#include "views/json_writer.h"
#include "views/output.h"

namespace mini::views {

void write_process(JsonWriter& json, const model::HeapProfile& profile);
/// null of a process that began with nothing. Lists of stacks as `top` says.
void write_inheritance(Output& output, JsonWriter& json, const model::HeapProfile& profile,
                       std::optional<std::size_t> top);
/// null where the allocator was not asked. Of its stacks so many at most.
void write_usable(JsonWriter& json, const model::HeapProfile& profile, std::size_t most_stacks);
/// null where page faults were not asked for. Lists of stacks as `top` says.
void write_first_touch(Output& output, JsonWriter& json, const model::HeapProfile& profile,
                       std::optional<std::size_t> top);
void write_losses(JsonWriter& json, const model::HeapProfile& profile);
/// What ran beside it and is in no recording.
void write_unrecorded_programs(JsonWriter& json, const model::HeapProfile& profile);
void write_findings(JsonWriter& json, std::span<const explain::Finding> findings);
/// Of a stack: its place, and its frames.
void write_frames(JsonWriter& json, const model::HeapProfile& profile, std::uint32_t node);
/// Of an entry of a list: how many stacks it is merged of, null of a stack by itself; its place,
/// and the frames that all of these have.
void write_listed_frames(JsonWriter& json, const model::HeapProfile& profile, std::uint32_t node,
                         std::size_t merged_stacks);

/// A list of stacks; `write` writes what there is of each beside its frames.
template <typename Stack>
void write_stack_list(Output& output, JsonWriter& json, const model::HeapProfile& profile,
                      const char* name, const std::vector<explain::Listed<Stack>>& list,
                      const auto& write) {
  json.key(name).begin_array();
  for (const auto& [stack, merged] : list) {
    json.begin_object();
    write(stack);
    write_listed_frames(json, profile, stack.node, merged);
    json.end_object();
    output.end_record();
  }
  json.end_array();
}

}  // namespace mini::views
