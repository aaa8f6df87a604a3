#include "views/terminal_layout.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/text.h"
#include "views/flow.h"
#include "views/terminal_heading.h"
#include "views/terminal_ledger.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

constexpr std::size_t kMaxWidth = 100;  // of the picture; wider adds only emptiness
constexpr std::size_t kMaxPictures = 4;
constexpr std::string_view kEllipsis = "...";
constexpr std::size_t kMaxLabel = 30;  // columns kept for labels before their protections

/// A band's height in lines: one, and one more each time it is 16 times larger.
std::size_t height_of(Bytes size) {
  static constexpr std::array<Bytes, 4> kSteps = {kKiB * 256, kMiB * 4, kMiB * 64, kGiB};
  return 1 + static_cast<std::size_t>(std::count_if(kSteps.begin(), kSteps.end(),
                                                    [size](Bytes b) { return size >= b; }));
}

std::string label_of(const Band& band) {
  if (band.things_count <= 1) return band.label;
  return fmt::format("{} and {} more", band.label, format_count(band.things_count - 1));
}

/// Between these two the x86-64 and aarch64 address spaces have nothing a program can map.
constexpr Address kUserEnd{std::uint64_t{1} << 56};
constexpr Address kKernelBegin{~(kUserEnd.value - 1)};

class Picture {
 public:
  Picture(std::string& out, const TextStyle& style, const Layout& layout)
      : out_(out), style_(style), glyphs_(style.glyphs()), layout_(layout) {
    for (const Band& band : layout.bands) {
      address_columns_ = std::max(address_columns_, format_address(band.range.end).size());
      label_columns_ =
          std::max(label_columns_,
                   std::min(kMaxLabel, column_width(printable(label_of(band), style.unicode))));
    }
    width_ = std::min(style.width, kMaxWidth);
    inner_ = width_ - address_columns_ - 3;
  }

  void draw() {
    marker_ = layout_.program_break;
    const std::vector<Band>& bands = layout_.bands;
    for (std::size_t i = bands.size(); i-- > 0;) {
      const AddressRange range = bands[i].range;
      border(range.end, i + 1 == bands.size() ? Edge::kTop : Edge::kMiddle, break_at_top(bands[i]));
      body(bands[i]);
      if (i > 0 && bands[i - 1].range.end < range.begin) {
        border(range.begin, Edge::kMiddle, std::nullopt);
        gap({bands[i - 1].range.end, range.begin});
      }
    }
    if (!bands.empty()) border(bands.front().range.begin, Edge::kBottom, std::nullopt);
  }

 private:
  enum class Edge : std::uint8_t { kTop, kMiddle, kBottom };

  /// The break, where it is the upper end of `band`: of the heap it may be anywhere in the last
  /// page. Shown once.
  std::optional<Address> break_at_top(const Band& band) {
    const bool here = marker_ && (*marker_ == band.range.end ||
                                  (band.role == model::Role::kHeap && *marker_ > band.range.begin &&
                                   *marker_ < band.range.end));
    return here ? std::exchange(marker_, std::nullopt) : std::nullopt;
  }

  void border(Address address, Edge edge, std::optional<Address> program_break) {
    const std::string_view left = edge == Edge::kTop      ? glyphs_.top_left
                                  : edge == Edge::kMiddle ? glyphs_.tee_left
                                                          : glyphs_.bottom_left;
    const std::string_view right = edge == Edge::kTop      ? glyphs_.top_right
                                   : edge == Edge::kMiddle ? glyphs_.tee_right
                                                           : glyphs_.bottom_right;
    const std::string_view rule = program_break ? glyphs_.break_rule : glyphs_.rule;
    std::string title;
    if (program_break) title = fmt::format(" program break {} ", format_address(*program_break));
    std::string line(left);
    for (int i = 0; i < 2; ++i) line += rule;
    line += title;
    for (std::size_t i = title.size() + 2; i < inner_; ++i) line += rule;
    line += right;
    const std::string text = format_address(address);
    Flow flow(out_, style_, 0);
    flow.column(address_columns_ - text.size())
        .put(Ink::kDim, text)
        .column(address_columns_ + 1)
        .piece(program_break ? Ink::kStrong : Ink::kDim, line)
        .end_line();
  }

  /// One line inside the frame: `left` as far as there is room, `right` at the margin.
  void row(std::string_view side, std::string_view left, std::string_view middle,
           std::string_view right, Ink ink) {
    const std::size_t room = inner_ - 2 - column_width(right) - (right.empty() ? 0 : 1);
    const auto [label, label_columns] = shortened(left, room);
    Flow flow(out_, style_, 0);
    flow.column(address_columns_ + 1).piece(Ink::kDim, side).put(" ").piece(ink, label);
    const std::size_t middle_column =
        address_columns_ + 3 + std::max(label_columns, label_columns_) + 2;
    if (!middle.empty() &&
        middle_column + column_width(middle) + 2 + column_width(right) + 2 <= width_) {
      flow.column(middle_column).piece(Ink::kDim, middle);
    }
    if (!right.empty()) {
      flow.column(width_ - 2 - column_width(right)).piece(Ink::kPlain, right);
    }
    flow.column(width_ - 1).piece(Ink::kDim, side).end_line();
  }

  /// A label too long for its line loses its end: the picture's only cut, and no number is in it;
  /// the ledger's JSON has the whole. Returns its columns too.
  std::pair<std::string, std::size_t> shortened(std::string_view text, std::size_t room) const {
    std::size_t columns = column_width(printable(text, style_.unicode));
    if (columns <= room) return {std::string(text), columns};
    std::size_t kept_size = 0;
    columns = 0;
    while (kept_size < text.size()) {
      const std::size_t length = decode_utf8(text.substr(kept_size)).length;
      const std::size_t more =
          column_width(printable(text.substr(kept_size, length), style_.unicode));
      if (columns + more + kEllipsis.size() > room) break;
      columns += more;
      kept_size += length;
    }
    return {std::string(text.substr(0, kept_size)).append(kEllipsis), columns + kEllipsis.size()};
  }

  /// "r-- 488 KiB · r-x 1.3 MiB".
  std::string parts_of(const Band& band) const {
    std::string parts;
    for (const BandPart& part : band.parts) {
      if (!parts.empty()) parts += fmt::format(" {} ", glyphs_.dot);
      parts += fmt::format("{} {}", model::format_protection(part.protection),
                           format_bytes(part.mapped_bytes));
    }
    return parts;
  }

  void body(const Band& band) {
    const Bytes size = band.mapped_bytes;
    std::string protections;
    for (const BandPart& part : band.parts) {
      if (!protections.empty()) protections += ' ';
      protections += model::format_protection(part.protection);
    }
    const Ink ink = ink_of(band.cause);
    row(glyphs_.side, label_of(band), protections, format_bytes(size), ink);
    const std::size_t height = height_of(size);
    std::size_t used = 1;
    if (height > 1 && band.parts.size() > 1) {
      row(glyphs_.side, "  " + parts_of(band), "", "", Ink::kDim);
      ++used;
    }
    for (; used < height; ++used) row(glyphs_.side, "", "", "", Ink::kPlain);
  }

  void gap(AddressRange range) {
    if (marker_ && range.begin < *marker_ && *marker_ < range.end) {
      const Address at = *marker_;
      marker_.reset();
      gap_line({at, range.end});
      border(at, Edge::kMiddle, at);
      gap_line({range.begin, at});
    } else {
      gap_line(range);
    }
  }

  void gap_line(AddressRange range) {
    const bool unusable = range.begin < kUserEnd && kKernelBegin < range.end;
    row(glyphs_.gap, unusable ? "not for programs" : "not mapped", "",
        unusable ? "" : format_bytes(range.size()), Ink::kDim);
  }

  std::string& out_;
  const TextStyle& style_;
  const Glyphs& glyphs_;
  const Layout& layout_;
  std::optional<Address> marker_;  // the break, until it is drawn
  std::size_t address_columns_ = 0;
  std::size_t label_columns_ = 0;  // where protections begin
  std::size_t width_ = 0;
  std::size_t inner_ = 0;  // between the sides
};

}  // namespace

void write_layout(std::string& out, const TextStyle& style, const Layout& layout) {
  Picture(out, style, layout).draw();
}

void write_layouts(std::string& out, const TextStyle& style, const TraceSummary& summary) {
  std::vector<const ProcessSummary*> drawn;
  for (const ProcessSummary& process : summary.processes) {
    if (!process.layout.bands.empty()) drawn.push_back(&process);
  }
  const std::size_t all_count = drawn.size();
  if (all_count > kMaxPictures) {
    const auto* largest = *std::max_element(drawn.begin(), drawn.end(), [](auto* a, auto* b) {
      return a->ledger.peak_mapped < b->ledger.peak_mapped;
    });
    drawn = {drawn.front()};
    if (largest != drawn.front()) drawn.push_back(largest);
  }
  for (const ProcessSummary* process : drawn) {
    write_heading(out, style, "Layout", describe_process(*process));
    write_layout(out, style, process->layout);
  }
  if (drawn.empty()) return;
  Flow flow(out, style, 2);
  flow.column(2).put(
      Ink::kDim,
      "Scale: a band is one line high, two from 256 KiB, three from 4 MiB, four from "
      "64 MiB, five from 1 GiB; what is not mapped is one line whatever its size.");
  if (all_count > drawn.size()) {
    flow.put(Ink::kDim, fmt::format(" Drawn: the first and the largest of {} processes; --json "
                                    "has them all.",
                                    format_count(all_count)));
  }
  flow.end_line();
}

}  // namespace mini::views
