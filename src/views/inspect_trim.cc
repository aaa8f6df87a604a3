// What malloc_trim(0) gave back, beside what was predicted.
#include <cstdlib>
#include <fmt/format.h>

#include "base/text.h"
#include "views/inspect_parts.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

std::string change_words(std::int64_t given_back) {
  const Bytes size{static_cast<std::uint64_t>(std::llabs(given_back))};
  return fmt::format("{} {}", format_bytes_exact(size), given_back < 0 ? "more" : "given back");
}

}  // namespace

void write_inspect_trim(std::string& out, const model::TrimTrial& trial,
                        const InspectOptions& options) {
  write_heading(out, options.style, "malloc_trim(0)", fmt::format("returned {}", trial.returned));
  out += fmt::format("  resident   {} before, {} after\n", format_bytes(trial.before),
                     format_bytes(trial.after));
  out += fmt::format("  measured   {}\n", change_words(trial.given_back()));
  out += fmt::format("  predicted  {}\n",
                     change_words(static_cast<std::int64_t>(trial.predicted.count)));
}

void write_trim_json(JsonWriter& json, const model::TrimTrial& trial) {
  json.key("trim").begin_object();
  json.key("returned").signed_number(trial.returned);
  json.key("rss_before_bytes").bytes(trial.before);
  json.key("rss_after_bytes").bytes(trial.after);
  json.key("given_back_bytes").signed_number(trial.given_back());
  json.key("predicted_bytes").bytes(trial.predicted);
  json.end_object();
}

}  // namespace mini::views
