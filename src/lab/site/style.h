// site/style.css, as the build put it in.
#pragma once

#include <string_view>

namespace mini::lab {

extern const std::string_view kSiteStyle;

}  // namespace mini::lab
