// How quantities are written for people: one place, so that every table and sentence agrees. And
// what all readers of text need.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

namespace mini {

/// Binary units, at most one decimal: "0 B", "656 B", "132 KiB", "1.5 MiB", "-" never.
std::string format_bytes(Bytes n);

/// The person's form with the exact number beside it: "132 KiB (135168 bytes)"; below 1 KiB,
/// where both would say the same, "656 bytes".
std::string format_bytes_exact(Bytes n);

/// "0x7f12…" in lower-case hexadecimal, no padding.
std::string format_address(Address a);

/// "0x1000-0x3000".
std::string format_range(AddressRange r);

/// Groups of three: "1,234,567".
std::string format_count(std::uint64_t n);

/// "1 call", "2,000 calls": a count with its noun.
std::string counted(std::uint64_t n, std::string_view noun);

/// "12.3%", "<0.1%" of a part that would be 0.0%, "-" of nothing.
std::string format_percent(double part, double whole);

/// The last component of a path: "libc.so.6" of "/lib/x86_64-linux-gnu/libc.so.6".
std::string_view path_basename(std::string_view path);

/// Whether any of the prefixes is one of the text.
bool begins_with_any(std::string_view text, std::span<const std::string_view> prefixes);

/// Takes the first line, and the newline behind it, from a text.
std::string_view take_line(std::string_view& text);

}  // namespace mini
