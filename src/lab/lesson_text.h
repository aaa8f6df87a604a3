// A lesson in the terminal, part by part: a reader who is asked sees the question before the run.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "lab/lesson.h"
#include "views/text_style.h"

namespace mini::lab {

void write_list(std::string& out, const views::TextStyle& style);

/// The title, the question, the programs with their paths. Fails where a source is missing.
Result<void> write_opening(std::string& out, const Experiment& experiment, const Bench& bench);
void write_predictions(std::string& out, const Lesson& lesson, const Bench& bench);
void write_observation(std::string& out, const Lesson& lesson, const Bench& bench);
void write_explanation(std::string& out, const Lesson& lesson, const Bench& bench);

/// All words, or only one. REQUIRES: `word` is "" or in the glossary.
void write_glossary(std::string& out, const views::TextStyle& style, std::string_view word);

/// Paragraphs separated by an empty line; lines that begin with a space stay as they are.
void write_paragraphs(std::string& out, const views::TextStyle& style, std::string_view text);

}  // namespace mini::lab
