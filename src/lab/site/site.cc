#include "lab/site/site.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/partial_file.h"
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

std::unexpected<Error> cannot_write(const std::string& path, std::string_view why) {
  return fail(fmt::format("cannot write '{}': {}", path, why));
}

/// Whether there can be files of these names; leaves nothing.
Result<void> check_writable(const std::string& folder, const std::vector<SiteFile>& files) {
  for (const SiteFile& file : files) {
    const std::string path = fmt::format("{}/{}", folder, file.name);
    const auto made = PartialFile::make_for(path);
    if (!made) return cannot_write(path, made.error().message);
  }
  return {};
}

Result<void> write_file(const std::string& folder, const SiteFile& file) {
  const std::string path = fmt::format("{}/{}", folder, file.name);
  auto whole = PartialFile::make_for(path);
  if (!whole) return cannot_write(path, whole.error().message);
  errno = 0;
  std::ofstream out(whole->name(), std::ios::binary | std::ios::trunc);
  out << file.text;
  out.close();
  if (!out) return cannot_write(path, std::generic_category().message(errno != 0 ? errno : EIO));
  if (const auto done = whole->appear(); !done) return cannot_write(path, done.error().message);
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
  std::vector<SiteFile> files = std::move(*stages);
  files.push_back(glossary_page());
  if (auto writable = check_writable(folder, files); !writable) {
    return std::unexpected(writable.error());
  }
  std::vector<SiteLesson> lessons;
  for (const Experiment* experiment : experiments()) {
    progress(experiment->id);
    lessons.push_back(try_out(*experiment, bench));
    auto page = lesson_page(lessons.back(), bench);
    if (!page) return std::unexpected(page.error());
    files.push_back(std::move(*page));
  }
  files.push_back(index_page(lessons, bench));
  for (const SiteFile& file : files) {
    if (auto written = write_file(folder, file); !written) return std::unexpected(written.error());
  }
  return lessons;
}

}  // namespace mini::lab
