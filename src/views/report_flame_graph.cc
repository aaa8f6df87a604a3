// A flame graph as SVG: one file that needs nothing else, readable where no script runs. The script
// and the styles are files of their own, flame_graph.js and flame_graph.css, that the build puts
// in.
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <string>

#include "base/text.h"
#include "base/utf8.h"
#include "views/flame_boxes.h"
#include "views/flame_graph_assets.h"
#include "views/report_export.h"
#include "views/report_text.h"
#include "views/utf8.h"
#include "views/xml_text.h"

namespace mini::views {
namespace {

// Lengths in pixels.
constexpr double kWidth = 1200;
constexpr double kMargin = 10;
constexpr double kTop = 62;  // the headings
constexpr double kLevelHeight = 18;
constexpr double kBoxHeight = kLevelHeight - 1;
constexpr double kBaseline = 12.5;       // of a name, from its box's top
constexpr double kNameMargin = 3;        // on each side of a name in its box
constexpr double kCharacterWidth = 7.3;  // no font for monospace of 12 pixels is much wider
constexpr double kLeastWidth = 0.1;      // of a box

/// What a box says.
struct BoxWords {
  std::string name;
  std::string place;  // file and module; may be empty
};

/// The beginning of a name that fits into so many columns; empty where hardly anything would.
std::string fitted(const std::string& name, std::size_t columns) {
  std::string shown = is_plain_ascii(name) ? name : printable(name, true);
  if (column_width(shown) <= columns) return shown;
  if (columns < 3) return {};
  std::string out;
  std::size_t used = 0;
  for (std::string_view rest = shown; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    used += column_width(decoded.code);
    if (used > columns - 2) break;
    out += rest.substr(0, decoded.length);
    rest.remove_prefix(decoded.length);
  }
  return out + "..";
}

/// A light colour; modules have different ones, as far as there are.
std::string colour_of(const model::ProfileModule* module) {
  const std::size_t hash =
      module == nullptr ? 0 : std::hash<std::string_view>()(path_basename(module->path));
  return fmt::format("hsl({},{}%,{}%)", 10 + hash % 12 * 29, 48 + hash / 12 % 3 * 8, 78);
}

class FlameGraphWriter {
 public:
  FlameGraphWriter(Output& output, const model::HeapProfile& profile, const ExportOptions& options)
      : output_(output), profile_(profile), options_(options) {}

  void write() {
    const FlameLimits limits{.least_part = kLeastWidth / (kWidth - 2 * kMargin)};
    const FlameGraph graph = make_flame_graph(profile_, options_.measure, functions_, limits);
    total_ = graph.boxes.front().amount;
    write_head(kTop + kLevelHeight * graph.levels + kMargin);
    for (const FlameBox& box : graph.boxes) write_box(box);
    output_.write("</g>\n</svg>\n");
    output_.end_record();
  }

 private:
  template <typename... Values>
  void put(fmt::format_string<Values...> form, Values&&... values) {
    fmt::format_to(std::back_inserter(output_.buffer()), form, std::forward<Values>(values)...);
  }

  void write_head(double height) {
    put("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" data-name-margin=\"{2}\">\n",
        kWidth, height, kNameMargin);
    const std::string process = xml_text(describe_process(profile_));
    const std::string_view measure = measure_title(options_.measure, profile_.ends_early());
    put("<title>{}: {}</title>\n", process, measure);
    put("<metadata>heapspy {}</metadata>\n", xml_text(options_.version));
    put("<style>{}</style>\n<script><![CDATA[{}]]></script>\n", kFlameGraphStyle,
        kFlameGraphScript);
    put("<rect class=\"page\" width=\"{}\" height=\"{}\"/>\n", kWidth, height);
    put("<text class=\"heading\" x=\"{}\" y=\"24\">{}: {}, {}</text>\n", kMargin, process, measure,
        describe_total());
    put("<text class=\"hint\" x=\"{}\" y=\"42\">{}</text>\n", kMargin,
        total_ == 0 ? "No stack has any: there is nothing to draw."
                    : "A function is as wide as what it and all below it asked for; colours are "
                      "modules. Rest the pointer on one for more.");
    put("<text id=\"reset\" class=\"button\" x=\"{}\" y=\"24\">Whole graph</text>\n", kWidth - 200);
    put("<text id=\"search\" class=\"button\" x=\"{}\" y=\"24\">Search</text>\n", kWidth - 100);
    put("<text id=\"found\" class=\"hint\" x=\"{}\" y=\"56\"> </text>\n<g id=\"boxes\">\n",
        kMargin);
  }

  std::string describe_total() const {
    const std::string amount = measure_amount(options_.measure, total_);
    return profile_.is_estimate ? amount + " (estimated)" : amount;
  }

  BoxWords words_of(const FlameBox& box) const {
    if (box.level == 0) return {.name = "all", .place = ""};
    const ExportedFunction& function = functions_.functions()[box.function];
    BoxWords words{.name = function.name, .place = function.file};
    if (function.module != nullptr && !function.module->path.empty()) {
      words.place += (words.place.empty() ? "" : ", ") + function.module->path;
    }
    return words;
  }

  void write_box(const FlameBox& box) {
    const double scale =
        (kWidth - 2 * kMargin) / static_cast<double>(std::max<std::uint64_t>(total_, 1));
    const double x = kMargin + static_cast<double>(box.begin) * scale;
    const double width = static_cast<double>(box.amount) * scale;
    const double y = kTop + kLevelHeight * box.level;
    const BoxWords words = words_of(box);
    const auto columns =
        static_cast<std::size_t>(std::max(0.0, (width - 2 * kNameMargin) / kCharacterWidth));
    const model::ProfileModule* module =
        box.level == 0 ? nullptr : functions_.functions()[box.function].module;
    put("<g data-amount=\"{}\"><title>{}\n{}, {}{}{}</title>", box.amount, xml_text(words.name),
        measure_amount(options_.measure, box.amount),
        xml_text(format_percent(static_cast<double>(box.amount), static_cast<double>(total_))),
        words.place.empty() ? "" : "\n", xml_text(words.place));
    put(R"(<rect x="{:.2f}" y="{}" width="{:.2f}" height="{}" fill="{}"/>)", x, y, width,
        kBoxHeight, colour_of(module));
    put("<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n", x + kNameMargin, y + kBaseline,
        xml_escaped(fitted(words.name, columns)));
    output_.end_record();
  }

  Output& output_;
  const model::HeapProfile& profile_;
  ExportOptions options_;
  FunctionTable functions_;
  std::uint64_t total_ = 0;
};

}  // namespace

void write_flame_graph(Output& output, const model::HeapProfile& profile,
                       const ExportOptions& options) {
  FlameGraphWriter(output, profile, options).write();
}

}  // namespace mini::views
