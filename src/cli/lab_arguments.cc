#include "cli/lab_arguments.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/help.h"
#include "cli/likely_word.h"
#include "cli/own_words.h"
#include "lab/registry.h"

namespace mini::cli {
namespace {

constexpr std::string_view kGlossary = "glossary";

/// What CLI11 fills in, before it is checked.
struct RawArguments {
  LabArguments parsed;
  std::string html_folder;
  RawLook look;
};

void add_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kHow = "How";
  app.add_flag("--ask", raw.parsed.ask, "ask for your own prediction first, then compare")
      ->group(kHow);
  constexpr auto kOutput = "What is written";
  app.add_flag("--json", raw.parsed.json, "one JSON object instead of text")->group(kOutput);
  app.add_option("--html", raw.html_folder,
                 "carry out all experiments and write them into DIR as web pages")
      ->option_text("DIR")
      ->group(kOutput);
  add_look_options(app, raw.look, kOutput);
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

Result<void> check_html(const RawArguments& raw, const CLI::App& app, LabArguments& out) {
  if (app.count("--html") == 0) return {};
  if (out.ask || out.json || !out.id.empty() || out.glossary) {
    return fail("--html writes all experiments: type 'heapspy lab --html DIR' and no more");
  }
  out.html_folder = raw.html_folder;
  return {};
}

Result<void> check_operands(const std::vector<std::string>& operands, LabArguments& out) {
  if (operands.empty()) {
    return out.ask ? fail("--ask needs an experiment: 'heapspy lab' lists them") : Result<void>{};
  }
  const std::vector<std::string> rest(operands.begin() + 1, operands.end());
  if (operands.front() == kGlossary) {
    if (out.ask || out.json) return fail("the glossary is text: leave out --ask and --json");
    out.glossary = true;
    out.words = rest;
    return {};
  }
  out.id = operands.front();
  out.command = rest;
  const lab::Experiment* experiment = lab::find_experiment(out.id);
  if (experiment == nullptr) {
    const std::vector<std::string> words{std::string(kGlossary)};
    const std::string likely = likely_word(out.id, words);
    const std::string hint = likely.empty() ? "" : fmt::format("did you mean '{}'? ", likely);
    return fail(fmt::format("no experiment '{}': {}'heapspy lab' lists them", out.id, hint));
  }
  if (!out.command.empty() && !experiment->takes_command) {
    return fail(fmt::format("experiment {} runs a program of its own: leave out '{}'", out.id,
                            out.command.front()));
  }
  return {};
}

Result<LabArguments> check(RawArguments& raw, const CLI::App& app,
                           const std::vector<std::string>& operands) {
  LabArguments& out = raw.parsed;
  if (out.help) return out;
  const auto color = parse_color_choice(raw.look.color);
  if (!color) return std::unexpected(color.error());
  out.color = *color;
  if (app.count("--width") != 0) out.width = raw.look.width;
  for (auto checked :
       {check_width(out.width), check_operands(operands, out), check_html(raw, app, out)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  if (out.ask && out.json) return fail("--ask and --json exclude each other: choose one");
  return out;
}

/// Options may stand before the experiment and after it; a command's own are never looked at.
struct SplitWords {
  std::vector<std::string> options;
  std::vector<std::string> operands;  // the experiment and the command
};

Result<std::vector<std::string>> without_options(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  return parse_own_words(app, words, "lab");
}

Result<SplitWords> split(std::span<const std::string> words) {
  SplitWords out;
  const auto take_options = [&out](std::span<const std::string> some, std::size_t rest) {
    for (const std::string& option : some.first(some.size() - rest)) {
      if (option != "--") out.options.push_back(option);
    }
  };
  const auto rest = without_options(words);
  if (!rest) return std::unexpected(rest.error());
  take_options(words, rest->size());
  if (rest->empty()) return out;
  out.operands.push_back(rest->front());
  const auto behind = std::span(*rest).subspan(1);
  const auto command = without_options(behind);
  if (!command) return std::unexpected(command.error());
  take_options(behind, command->size());
  out.operands.insert(out.operands.end(), command->begin(), command->end());
  return out;
}

}  // namespace

Result<LabArguments> parse_lab_arguments(std::span<const std::string> words) {
  const auto parts = split(words);
  if (!parts) return std::unexpected(parts.error());
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  const auto parsed = parse_own_words(app, parts->options, "lab");
  if (!parsed) return std::unexpected(parsed.error());
  return check(raw, app, parts->operands);
}

std::string lab_help() {
  return with_options(add_options, format_lab_help);
}

std::vector<std::string> lab_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
