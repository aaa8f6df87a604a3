// What the lab's programs print of themselves, read back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace mini::lab {

/// Of a line "first block: 0x55e0… (…)": the address. nullopt where there is no such line.
std::optional<Address> printed_address(std::string_view printed, std::string_view name);

/// Of a line "blocks: 12": the number.
std::optional<std::uint64_t> printed_number(std::string_view printed, std::string_view name);

/// The rest of a line that begins with "name: "; nullopt where there is none.
std::optional<std::string_view> printed_text(std::string_view printed, std::string_view name);

}  // namespace mini::lab
