#include "cli/cmd_lab.h"

#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/cmd_trace.h"
#include "cli/lab_arguments.h"
#include "cli/lab_quiz.h"
#include "cli/likely_word.h"
#include "cli/output_file.h"
#include "cli/terminal.h"
#include "lab/glossary.h"
#include "lab/lesson.h"
#include "lab/lesson_json.h"
#include "lab/lesson_text.h"
#include "lab/registry.h"
#include "lab/site/site.h"

namespace mini::cli {
namespace {

constexpr int kExitNotAsPredicted = 1;

int complain(int status, const std::string& message) {
  print_complaint("heapspy lab", message);
  return status;
}

/// A closed pipe ends us quietly, as it does `cat`.
void end_by_closed_pipe() {
  struct sigaction action{};
  if (sigaction(SIGPIPE, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) return;
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
}

int show(const std::string& text) {
  const auto written = write_stdout(text);
  if (written) return 0;
  if (written.error().error_number == EPIPE) end_by_closed_pipe();
  return complain(kExitOutputError, written.error().message);
}

int list(const LabArguments& arguments, const views::TextStyle& style) {
  std::string text;
  if (arguments.json) {
    lab::write_list_json(text, MINI_VERSION);
  } else {
    lab::write_list(text, style);
  }
  return show(text);
}

/// What a reader sees before anything is run, and after; the parts come as they are ready.
Result<int> teach(lab::Lesson& lesson, const lab::Bench& bench, bool ask) {
  std::string text;
  if (const auto opened = lab::write_opening(text, *lesson.experiment, bench); !opened) {
    return std::unexpected(opened.error());
  }
  if (!ask) lab::write_predictions(text, lesson, bench);
  if (const int failed = show(text); failed != 0) return failed;
  if (ask) ask_for_predictions(lesson);
  if (const auto done = lab::carry_out(lesson, bench); !done) return std::unexpected(done.error());
  text.clear();
  if (ask) lab::write_predictions(text, lesson, bench);
  lab::write_observation(text, lesson, bench);
  lab::write_explanation(text, lesson, bench);
  return show(text);
}

Result<lab::Bench> set_up(const LabArguments& arguments, const views::TextStyle& style) {
  const auto places = lab::Places::find();
  if (!places) return std::unexpected(places.error());
  return lab::Bench{.machine = lab::this_machine(),
                    .places = *places,
                    .style = style,
                    .command = arguments.command};
}

std::string unknown_word_message(const std::string& words) {
  std::vector<std::string> known;
  for (const lab::GlossaryEntry& entry : lab::glossary()) {
    known.insert(known.end(), entry.names.begin(), entry.names.end());
  }
  const std::string likely = likely_word(words, known);
  if (likely.empty()) return fmt::format("no word '{}': 'heapspy lab glossary' has all", words);
  return fmt::format("no word '{}': did you mean '{}'? 'heapspy lab glossary' has all", words,
                     likely);
}

int explain_words(const LabArguments& arguments, const views::TextStyle& style) {
  std::string words;
  for (const std::string& part : arguments.words) words += words.empty() ? part : " " + part;
  if (!words.empty() && lab::find_in_glossary(words) == nullptr) {
    return complain(kExitUsage, unknown_word_message(words));
  }
  std::string text;
  lab::write_glossary(text, style, words);
  return show(text);
}

/// The pages have a fixed width and no colours.
/// REQUIRES: arguments name a folder for them.
Result<int> write_pages(const LabArguments& arguments) {
  const std::string folder = arguments.html_folder.value_or("");
  const auto bench = set_up(arguments, {.width = 80, .color = false, .unicode = true});
  if (!bench) return std::unexpected(bench.error());
  const auto tell = [](std::string_view id) {
    print_error(fmt::format("heapspy lab: {} ...\n", id));
  };
  const auto lessons = lab::write_site(folder, *bench, tell);
  if (!lessons) return std::unexpected(lessons.error());
  int status = 0;
  for (const lab::SiteLesson& tried : *lessons) {
    if (tried.holds()) continue;
    status = kExitNotAsPredicted;
    complain(0, fmt::format("{}: {}", tried.lesson.experiment->id,
                            tried.failure.empty() ? "not as predicted" : tried.failure));
  }
  const int failed = show(fmt::format("{}/index.html\n", folder));
  return failed != 0 ? failed : status;
}

Result<int> run_experiment(const LabArguments& arguments, const views::TextStyle& style) {
  const auto set = set_up(arguments, style);
  if (!set) return std::unexpected(set.error());
  const lab::Bench& bench = *set;
  auto lesson = lab::prepare(*lab::find_experiment(arguments.id), bench);
  if (!lesson) return std::unexpected(lesson.error());
  Result<int> status = 0;
  if (arguments.json) {
    if (const auto done = lab::carry_out(*lesson, bench); !done) {
      return std::unexpected(done.error());
    }
    std::string text;
    lab::write_lesson_json(text, *lesson, bench, MINI_VERSION);
    status = show(text);
  } else {
    status = teach(*lesson, bench, arguments.ask);
  }
  if (!status || *status != 0) return status;
  return lesson->holds() ? 0 : kExitNotAsPredicted;
}

}  // namespace

int run_lab_command(std::span<const std::string> words) {
  const auto arguments = parse_lab_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy lab", lab_help());
  outlive_failed_writes();  // to a program that has ended before its look
  const views::TextStyle style =
      choose_style(look_around(STDOUT_FILENO), arguments->color, arguments->width);
  if (arguments->glossary) return explain_words(*arguments, style);
  if (arguments->id.empty() && !arguments->html_folder) return list(*arguments, style);
  const auto status =
      arguments->html_folder ? write_pages(*arguments) : run_experiment(*arguments, style);
  return status ? *status : complain(kExitOutputError, status.error().message);
}

}  // namespace mini::cli
