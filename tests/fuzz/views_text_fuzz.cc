// Any bytes as names, functions and sentences of an event: the terminal form stays within its width
// and sends the terminal nothing that it would obey; a JSON string and text in XML stay
// well-formed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/utf8.h"
#include "fuzz_target.h"
#include "model/event.h"
#include "views/json_writer.h"
#include "views/layout.h"
#include "views/terminal_event.h"
#include "views/terminal_layout.h"
#include "views/utf8.h"
#include "views/xml_text.h"

namespace {

using namespace mini;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_terminal_text(const std::string& text, const views::TextStyle& style) {
  std::size_t columns = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    require(decoded.valid && (style.unicode || decoded.code < 0x80));
    require(decoded.code == '\n' || (decoded.code >= 0x20 && decoded.code != 0x7f));
    require(decoded.code < 0x80 || decoded.code >= 0xa0);
    columns = decoded.code == '\n' ? 0 : columns + views::column_width(decoded.code);
    require(columns <= style.width);
    rest.remove_prefix(decoded.length);
  }
}

model::Event event_with(const std::string& text, std::uint8_t choice) {
  static constexpr std::string_view kCalls[] = {"mmap", "brk", "mprotect", "prctl"};
  model::Event event;
  event.syscall = kCalls[choice & 3];
  event.error_number = (choice & 4) != 0 ? choice : 0;
  event.kind = (choice & 8) != 0 ? model::EventKind::kExec : model::EventKind::kSystemCall;
  event.note = event.mapping_text = event.cause_detail = event.explanation = text;
  event.arguments = {
      {.name = "fd", .form = model::Argument::Form::kText, .value = choice, .text = text},
      {.name = "val", .form = model::Argument::Form::kText, .value = 0, .text = text}};
  unwind::Frame frame;
  frame.function = frame.module = frame.file = text;
  frame.line = choice;
  event.stack = std::make_shared<unwind::CallStack>(
      unwind::CallStack{{frame}, static_cast<unwind::StackEnd>(choice % 5)});
  event.origin_frame = choice & 1;  // 1 is past the end
  return event;
}

views::Layout layout_with(const std::string& text) {
  std::vector<model::Mapping> mappings;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    model::Mapping mapping;
    mapping.range = {Address{i << 30}, Address{(i << 30) + 4096}};
    mapping.path = i == 2 ? "[" + text + "]" : text;
    mappings.push_back(std::move(mapping));
  }
  return views::make_layout(mappings, Address{1 << 30});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  views::TextStyle style;
  style.width = views::kMinWidth + data[0] / 2;
  style.unicode = (data[0] & 1) != 0;
  std::string text;
  for (std::size_t i = 2; i < size; ++i) text += static_cast<char>(data[i]);

  std::string out;
  views::write_event(out, style, event_with(text, data[1]), true);
  views::write_layout(out, style, layout_with(text));
  check_terminal_text(out, style);

  std::string json;
  views::append_json_string(json, text);
  for (std::string_view rest = json; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    require(decoded.valid && decoded.code >= 0x20);
    rest.remove_prefix(decoded.length);
  }
  const std::string xml = views::xml_text(text);
  require(well_formed_utf8(xml) == xml && xml.find_first_of("<>\"") == std::string::npos);
  return 0;
}
