// One event as a person reads it: the call, what the addresses are, who, why, what changed.
#pragma once

#include <string>
#include <string_view>

#include "model/event.h"
#include "views/text_style.h"

namespace mini::views {

/// "malloc", "the program itself", "C library start-up": causes in sentences and tables.
std::string_view cause_title(model::Cause cause);

/// Appends the event's lines. `full_stack`: each frame on a line of its own.
void write_event(std::string& out, const TextStyle& style, const model::Event& event,
                 bool full_stack);

}  // namespace mini::views
