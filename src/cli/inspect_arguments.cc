#include "cli/inspect_arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/format.h>

#include "cli/help.h"
#include "cli/output_file.h"
#include "cli/own_words.h"
#include "cli/size.h"

namespace mini::cli {
namespace {

/// What CLI11 fills in, before it is checked.
struct RawArguments {
  InspectArguments parsed;
  RawInspectExtras extras;
  bool no_stop = false;
  std::string top;
  std::uint64_t max_pause_ms = 0;
  std::string max_copy;
  bool chunks = false;
  std::string arena;
  std::string size;
  bool free = false;
  bool live = false;
  std::string around;
  std::string output_path;
  RawLook look;
};

void add_show_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kShow = "What to show (summary, findings and tables if nothing is chosen)";
  app.add_flag("--chunks", raw.chunks, "the chunks of the heap, by address")->group(kShow);
  app.add_option("--arena", raw.arena, "of --chunks: only an arena's: main, a number, or mmapped")
      ->option_text("ARENA")
      ->group(kShow);
  app.add_option("--size", raw.size, "of --chunks: only of a size, or from one to another: 64K-1M")
      ->option_text("SIZE[-SIZE]")
      ->group(kShow);
  app.add_flag("--free", raw.free, "of --chunks: only free ones")->group(kShow);
  app.add_flag("--live", raw.live, "of --chunks: only live ones")->group(kShow);
  app.add_option("--around", raw.around, "what an address is, to program, allocator and kernel")
      ->option_text("ADDRESS")
      ->group(kShow);
  app.add_option("--top", raw.top, "rows of each table (10), of --chunks (100), or all")
      ->option_text("N")
      ->group(kShow);
}

void add_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kTarget = "What to read";
  app.add_option("--exe", raw.parsed.executable,
                 "the program's file, for a core whose program is elsewhere now")
      ->option_text("FILE")
      ->group(kTarget);
  app.add_flag("--no-stop", raw.no_stop,
               "read the process as it runs: what changes meanwhile may not fit together")
      ->group(kTarget);
  app.add_option("--max-pause", raw.max_pause_ms,
                 "stop the process for at most MS milliseconds; read the rest as it runs")
      ->check(CLI::NonNegativeNumber)
      ->option_text("MS")
      ->group(kTarget);
  app.add_option(
         "--max-copy", raw.max_copy,
         "copy a heap of up to SIZE (1G); one that is larger is read as the process runs on")
      ->option_text("SIZE")
      ->group(kTarget);

  add_show_options(app, raw);
  add_inspect_extras(app, raw.extras);

  constexpr auto kOutput = "Where it goes";
  app.add_flag("--json", raw.parsed.json, "one JSON object instead of text")->group(kOutput);
  app.add_option("-o,--output", raw.output_path, "write to OUT (default, or -: standard output)")
      ->option_text("OUT")
      ->group(kOutput);
  add_look_options(app, raw.look, kOutput);
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

template <typename T>
std::optional<T> to_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

Result<void> check_arena(const std::string& text, model::PieceFilter& filter) {
  if (text == "main") {
    filter.arena = 0;
  } else if (text == "mmapped") {
    filter.arena = model::kNoArena;
  } else {
    filter.arena = to_number<std::uint32_t>(text);
    if (filter.arena == model::kNoArena) filter.arena.reset();
  }
  if (filter.arena) return {};
  return fail(
      fmt::format("--arena {}: type main, mmapped, or a number of the table of arenas", text));
}

Result<void> check_size(const std::string& text, model::PieceFilter& filter) {
  const auto dash = text.find('-', 1);
  const auto least = parse_size(text.substr(0, dash));
  if (!least) return fail("--size: " + least.error().message);
  const auto most = dash == std::string::npos ? least : parse_size(text.substr(dash + 1));
  if (!most) return fail("--size: " + most.error().message);
  if (*least > *most) return fail(fmt::format("--size {}: type the smaller size first", text));
  filter.least_size = *least;
  filter.most_size = *most;
  return {};
}

Result<void> check_chunks(const RawArguments& raw, const CLI::App& app, InspectArguments& out) {
  const bool filters = app.count("--arena") + app.count("--size") != 0 || raw.free || raw.live;
  if (!raw.chunks) {
    return filters ? fail("--arena, --size, --free and --live choose chunks: add --chunks")
                   : Result<void>{};
  }
  if (raw.free && raw.live) return fail("--free and --live exclude each other: choose one");
  model::PieceFilter filter{.only_free = raw.free, .only_live = raw.live};
  if (app.count("--top") != 0) filter.most = out.top;
  if (app.count("--arena") != 0) {
    if (auto checked = check_arena(raw.arena, filter); !checked) return checked;
  }
  if (app.count("--size") != 0) {
    if (auto checked = check_size(raw.size, filter); !checked) return checked;
  }
  out.chunks = filter;
  return {};
}

Result<void> check_around(const RawArguments& raw, const CLI::App& app, InspectArguments& out) {
  if (app.count("--around") == 0) return {};
  std::string_view digits = raw.around;
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  const auto address = to_number<std::uint64_t>(digits, 16);
  if (!address) {
    return fail(
        fmt::format("--around {}: type an address in hexadecimal, as 0x55e0c0de1000", raw.around));
  }
  if (raw.chunks) return fail("--around and --chunks are two views: choose one");
  out.around = Address{*address};
  return {};
}

Result<void> check_extras(const RawArguments& raw, const CLI::App& app, InspectArguments& out) {
  const auto extras = check_inspect_extras(raw.extras, app);
  if (!extras) return std::unexpected(extras.error());
  out.extras = *extras;
  if (out.extras.leaks && raw.no_stop) {
    return fail("--leaks needs a process that stands still: leave out --no-stop");
  }
  if ((out.extras.leaks || out.extras.map) && (raw.chunks || out.around)) {
    return fail("--leaks and --map are views of their own: leave out --chunks and --around");
  }
  return {};
}

Result<void> check_target(const std::vector<std::string>& operands, InspectArguments& out) {
  if (operands.empty()) {
    return fail("which process? type 'heapspy inspect PID' or 'heapspy inspect CORE'");
  }
  if (operands.size() > 1) {
    return fail(fmt::format("one process or core at a time: leave out '{}'", operands[1]));
  }
  const std::string& word = operands.front();
  out.pid = to_number<pid_t>(word);
  if (!out.pid) out.core = word;
  if (out.pid && *out.pid <= 0) return fail(fmt::format("no process has the id {}", word));
  if (out.pid && !out.executable.empty()) {
    return fail("--exe is for a core: a process tells its program itself");
  }
  if ((out.extras.watch_ns || out.extras.try_trim) && !out.pid) {
    return fail("--watch and --try-trim are for a process: a core does not change");
  }
  if (!out.stop && !out.pid) return fail("--no-stop is for a process: a core stands still");
  return {};
}

Result<void> check_pause(const RawArguments& raw, const CLI::App& app, InspectArguments& out) {
  if (app.count("--max-pause") == 0) return {};
  constexpr std::uint64_t kMostMs = 600'000;
  constexpr std::uint64_t kNsPerMs = 1'000'000;
  if (raw.max_pause_ms == 0 || raw.max_pause_ms > kMostMs) {
    return fail(fmt::format("--max-pause {}: type milliseconds, from 1 to {}, or --no-stop",
                            raw.max_pause_ms, kMostMs));
  }
  if (out.extras.leaks) {
    return fail("--leaks needs a process that stands still: leave out --max-pause");
  }
  if (!out.stop) return fail("--max-pause and --no-stop exclude each other: choose one");
  if (!out.pid) return fail("--max-pause is for a process: a core stands still");
  out.most_pause_ns = raw.max_pause_ms * kNsPerMs;
  return {};
}

Result<void> check_copy(const RawArguments& raw, const CLI::App& app, InspectArguments& out) {
  if (app.count("--max-copy") == 0) return {};
  const auto size = parse_size(raw.max_copy);
  if (!size) return fail("--max-copy: " + size.error().message);
  if (!out.pid) return fail("--max-copy is for a process: a core stands still");
  if (out.extras.leaks) {
    return fail("--leaks reads a heap where it is: leave out --max-copy");
  }
  if (!out.stop) return fail("--no-stop reads a heap where it is: leave out --max-copy");
  out.most_copied = *size;
  return {};
}

Result<InspectArguments> check(RawArguments& raw, const CLI::App& app,
                               const std::vector<std::string>& operands) {
  InspectArguments& out = raw.parsed;
  if (out.help) return out;
  out.stop = !raw.no_stop;
  if (app.count("--output") != 0) out.output_path = output_path_of(raw.output_path);
  if (app.count("--width") != 0) out.width = raw.look.width;
  std::optional<std::size_t> top;
  if (auto read = read_top(app, raw.top, top); !read) return std::unexpected(read.error());
  out.top = top.value_or(out.top);
  const auto color = parse_color_choice(raw.look.color);
  if (!color) return std::unexpected(color.error());
  out.color = *color;
  for (auto checked :
       {check_chunks(raw, app, out), check_around(raw, app, out), check_extras(raw, app, out),
        check_width(out.width), check_target(operands, out), check_pause(raw, app, out),
        check_copy(raw, app, out)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  return out;
}

}  // namespace

Result<InspectArguments> parse_inspect_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  const auto operands = parse_options_and_operands(app, words, "inspect");
  if (!operands) return std::unexpected(operands.error());
  return check(raw, app, *operands);
}

std::string inspect_help() {
  return with_options(add_options, format_inspect_help);
}

std::vector<std::string> inspect_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
