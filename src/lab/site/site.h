// The whole journey as a folder of pages, with what happened on this machine.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/lesson.h"

namespace mini::lab {

/// One that was tried: carried out, or why it could not be.
struct SiteLesson {
  Lesson lesson;
  std::string failure;  // "" where it was carried out

  bool holds() const { return failure.empty() && lesson.holds(); }
};

struct SiteFile {
  std::string name;
  std::string text;
};

/// "0.3" is in 0-3.html.
std::string page_name(std::string_view experiment_id);

// The pages; the first is index.html.
SiteFile index_page(const std::vector<SiteLesson>& lessons, const Bench& bench);
Result<SiteFile> lesson_page(const SiteLesson& tried, const Bench& bench);
Result<std::vector<SiteFile>> stage_pages(const Bench& bench);
SiteFile glossary_page();

/// Carries out all experiments and writes the pages into `folder`, which is made where it is not
/// there. Where it fails, or a signal ends it, before the last experiment is done, it leaves none.
/// `progress` is told each experiment's id before it is run. Returns the lessons.
Result<std::vector<SiteLesson>> write_site(const std::string& folder, const Bench& bench,
                                           const std::function<void(std::string_view)>& progress);

}  // namespace mini::lab
