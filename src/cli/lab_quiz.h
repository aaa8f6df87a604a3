// `heapspy lab --ask`: the reader predicts first.
#pragma once

#include "lab/lesson.h"

namespace mini::cli {

/// Asks for each figure of the lesson on standard output, and reads the answers from standard
/// input, a terminal or not. An empty answer passes; at the end of the input the rest is passed.
void ask_for_predictions(lab::Lesson& lesson);

}  // namespace mini::cli
