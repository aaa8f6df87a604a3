// The files that a flame graph brings along, as the build put them in.
#pragma once

#include <string_view>

namespace mini::views {

extern const std::string_view kFlameGraphStyle;   // flame_graph.css
extern const std::string_view kFlameGraphScript;  // flame_graph.js; without "]]>"

}  // namespace mini::views
