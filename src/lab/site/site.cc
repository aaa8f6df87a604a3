#include "lab/site/site.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <system_error>

#include "lab/registry.h"

namespace mini::lab {
namespace {

SiteLesson try_out(const Experiment& experiment, const Bench& bench) {
  SiteLesson tried;
  tried.lesson.experiment = &experiment;
  auto lesson = prepare(experiment, bench);
  if (!lesson) {
    tried.failure = lesson.error().message;
    return tried;
  }
  tried.lesson = std::move(*lesson);
  if (const auto done = carry_out(tried.lesson, bench); !done) tried.failure = done.error().message;
  return tried;
}

Result<void> write_file(const std::string& folder, const SiteFile& file) {
  const std::string path = fmt::format("{}/{}", folder, file.name);
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << file.text;
  out.close();
  if (out) return {};
  const int error = errno != 0 ? errno : EIO;
  return fail(fmt::format("cannot write '{}': {}", path, std::generic_category().message(error)));
}

Result<void> write_files(const std::string& folder, const std::vector<SiteFile>& files) {
  for (const SiteFile& file : files) {
    if (auto written = write_file(folder, file); !written) return written;
  }
  return {};
}

}  // namespace

std::string page_name(std::string_view experiment_id) {
  std::string name(experiment_id);
  std::ranges::replace(name, '.', '-');
  return name + ".html";
}

Result<std::vector<SiteLesson>> write_site(const std::string& folder, const Bench& bench,
                                           const std::function<void(std::string_view)>& progress) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(fmt::format("cannot make the folder '{}': {}", folder, error.message()));
  auto stages = stage_pages(bench);
  if (!stages) return std::unexpected(stages.error());
  stages->push_back(glossary_page());
  // First, so that a folder that nothing can be written to is known before anything is run.
  if (auto written = write_files(folder, *stages); !written) {
    return std::unexpected(written.error());
  }
  std::vector<SiteLesson> lessons;
  std::vector<SiteFile> files;
  for (const Experiment* experiment : experiments()) {
    progress(experiment->id);
    lessons.push_back(try_out(*experiment, bench));
    auto page = lesson_page(lessons.back(), bench);
    if (!page) return std::unexpected(page.error());
    files.push_back(std::move(*page));
  }
  files.push_back(index_page(lessons, bench));
  if (auto written = write_files(folder, files); !written) return std::unexpected(written.error());
  return lessons;
}

}  // namespace mini::lab
