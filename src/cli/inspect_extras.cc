#include "cli/inspect_extras.h"

#include <charconv>
#include <fmt/format.h>

#include "cli/duration.h"

namespace mini::cli {
namespace {

constexpr std::uint64_t kLeastWatchNs = 100'000'000;

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  return is_whole ? std::optional(Address{value}) : std::nullopt;
}

Result<AddressRange> parse_range(const std::string& text) {
  const auto dash = text.find('-');
  const auto begin = parse_address(std::string_view(text).substr(0, dash));
  const auto end = dash != std::string::npos
                       ? parse_address(std::string_view(text).substr(dash + 1))
                       : std::nullopt;
  if (begin && end && *begin < *end) return AddressRange{*begin, *end};
  return fail(
      fmt::format("--range {}: type two addresses, the lower one first, as in "
                  "0x55e0c0de1000-0x55e0c0e00000",
                  text));
}

}  // namespace

void add_inspect_extras(CLI::App& app, RawInspectExtras& raw) {
  constexpr auto kShow = "What to show (summary, findings and tables if nothing is chosen)";
  app.add_flag("--leaks", raw.parsed.leaks,
               "blocks that nothing leads to any more, by size and type")
      ->group(kShow);
  app.add_flag("--map", raw.parsed.map, "the heap as a drawing: what is live, what is resident")
      ->group(kShow);
  app.add_option("--range", raw.range, "of --map: only what is from A to B")
      ->option_text("A-B")
      ->group(kShow);
  app.add_option("--watch", raw.watch, "show it again after each TIME, until the process ends")
      ->option_text("TIME")
      ->group(kShow);
  app.add_option("--recording", raw.parsed.recording,
                 "a recording of the process: says who allocated the blocks that keep memory")
      ->option_text("FILE")
      ->group(kShow);
  app.add_flag("--try-trim", raw.parsed.try_trim,
               "have the process call malloc_trim(0), and show what it gave back")
      ->group("What to try");
}

Result<InspectExtras> check_inspect_extras(const RawInspectExtras& raw, const CLI::App& app) {
  InspectExtras out = raw.parsed;
  if (app.count("--range") != 0) {
    if (!out.map) return fail("--range chooses a part of the map: add --map");
    const auto range = parse_range(raw.range);
    if (!range) return std::unexpected(range.error());
    out.range = *range;
  }
  if (app.count("--watch") != 0) {
    const auto interval = parse_duration(raw.watch);
    if (!interval) return fail("--watch: " + interval.error().message);
    if (*interval < kLeastWatchNs) return fail("--watch: type a time from 100ms on");
    out.watch_ns = *interval;
    if (out.try_trim) return fail("--try-trim is done once: leave out --watch");
  }
  return out;
}

}  // namespace mini::cli
