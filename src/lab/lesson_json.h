// The machine forms: docs/lab-format.md.
#pragma once

#include <string>
#include <string_view>

#include "lab/lesson.h"

namespace mini::lab {

void write_list_json(std::string& out, std::string_view version);
void write_lesson_json(std::string& out, const Lesson& lesson, const Bench& bench,
                       std::string_view version);

}  // namespace mini::lab
