#include "cli/run_arguments.h"

#include <fmt/format.h>

#include "cli/help.h"
#include "cli/own_words.h"

namespace mini::cli {
namespace {

struct RawArguments {
  RunArguments parsed;
  bool stats = false;
  bool verbose = false;
  std::string library;
  std::vector<std::string> settings;
};

void add_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kLibrary = "The library";
  app.add_flag("--stats", raw.stats, "show what is in the heap when CMD exits: --set STATS=1")
      ->group(kLibrary);
  app.add_flag("--verbose", raw.verbose,
               "show the version and the options when CMD starts: --set VERBOSE=1")
      ->group(kLibrary);
  app.add_option("--set", raw.settings,
                 "set an option of the library: RETAIN, THREAD_CACHE, HUGE_PAGES, ... (repeatable)")
      ->option_text("NAME=VALUE")
      ->expected(1)
      ->take_all();
  app.get_option("--set")->group(kLibrary);
  app.add_option("--library", raw.library, "the libminimalloc.so to use, not the installed one")
      ->option_text("FILE")
      ->group(kLibrary);
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

Result<void> add_setting(const std::string& text, RunArguments& out) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const bool is_name =
      !name.empty() && name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string::npos;
  if (equals == std::string::npos || !is_name) {
    return fail(fmt::format("--set {}: type a name and a value, as in --set RETAIN=64M", text));
  }
  out.settings.emplace_back(name, text.substr(equals + 1));
  return {};
}

Result<RunArguments> check(RawArguments& raw, const CLI::App& app) {
  RunArguments& out = raw.parsed;
  if (out.help) return out;
  if (raw.stats) out.settings.emplace_back("STATS", "1");
  if (raw.verbose) out.settings.emplace_back("VERBOSE", "1");
  for (const std::string& text : raw.settings) {
    if (auto added = add_setting(text, out); !added) return std::unexpected(added.error());
  }
  if (app.count("--library") != 0) out.library = raw.library;
  if (out.command.empty()) return fail("nothing to run: type 'heapspy run ls'");
  return out;
}

}  // namespace

Result<RunArguments> parse_run_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  auto command = parse_own_words(app, words, "run");
  if (!command) return std::unexpected(command.error());
  raw.parsed.command = std::move(*command);
  return check(raw, app);
}

std::string run_help() {
  return with_options(add_options, format_run_help);
}

std::vector<std::string> run_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
