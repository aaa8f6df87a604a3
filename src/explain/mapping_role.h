// What the memory a call was about is for, in a word and in words.
#pragma once

#include <string>

#include "explain/attribution.h"
#include "model/event.h"
#include "model/process.h"

namespace mini::explain {

struct MappingMeaning {
  model::Role role = model::Role::kUnknown;
  std::string text;     // "libc.so.6 text r-x", "thread stack with its guard"
  bool labels = false;  // the call made these mappings: label them with role and cause
};

/// REQUIRES: the event's call succeeded and process.space is as it left it.
MappingMeaning describe_mapping(const model::Event& event, const Attribution& who,
                                const model::Process& process);

/// The role of a mapping that was there before anybody looked: at exec or attach. `before` is its
/// lower neighbour, nullptr where there is none.
model::Role role_at_start(const model::Mapping& mapping, const model::Mapping* before,
                          const model::Process& process);

/// Whether a path is an ELF library by its name: "libc.so.6", "libfoo.so".
bool is_library_path(std::string_view path);

}  // namespace mini::explain
