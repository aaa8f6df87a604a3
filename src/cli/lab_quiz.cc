#include "cli/lab_quiz.h"

#include <cstdio>
#include <fmt/format.h>
#include <iostream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace mini::cli {
namespace {

constexpr int kMostTries = 3;

std::string_view what_to_type(lab::Answer::Form form) {
  switch (form) {
    case lab::Answer::Form::kCount:
      return "a number";
    case lab::Answer::Form::kBytes:
    case lab::Answer::Form::kOffset:
      return "bytes: 1008, 0x3f0, 132 KiB";
    case lab::Answer::Form::kWord:
      break;
  }
  return "a word";
}

void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

enum class Heard { kAnswer, kPass, kEnd };

Heard ask(lab::Line& line, bool echo) {
  const lab::Answer::Form form = line.prediction.answer.form;
  for (int tries = 0; tries < kMostTries; ++tries) {
    say(fmt::format("{} ", line.prediction.question));
    std::string typed;
    if (!std::getline(std::cin, typed)) {
      say("\n");
      return Heard::kEnd;
    }
    // On a terminal the reader sees what was typed; elsewhere the record needs it.
    if (echo) say(typed + "\n");
    if (typed.empty()) return Heard::kPass;
    line.said = lab::parse_answer(typed, form);
    if (line.said) return Heard::kAnswer;
    say(fmt::format("  (type {}, or nothing to pass)\n", what_to_type(form)));
  }
  return Heard::kPass;
}

}  // namespace

void ask_for_predictions(lab::Lesson& lesson) {
  say("\nYour prediction (Enter passes):\n");
  const bool echo = ::isatty(STDIN_FILENO) == 0;
  for (lab::Line& line : lesson.lines) {
    if (ask(line, echo) == Heard::kEnd) return;
  }
}

}  // namespace mini::cli
