// The address space as a picture: high addresses on top, one band a library or purpose.
#pragma once

#include <string>

#include "views/text_style.h"
#include "views/trace_view.h"

namespace mini::views {

/// Every process's layout, or the first's and the largest's where there are many.
void write_layouts(std::string& out, const TextStyle& style, const TraceSummary& summary);

void write_layout(std::string& out, const TextStyle& style, const Layout& layout);

}  // namespace mini::views
