#include "lab/places.h"

#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include "base/preload_obstacle.h"
#include "kernel/proc_file.h"

namespace mini::lab {
namespace {

namespace fs = std::filesystem;

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// Without "..", and without the link that the build tree's sources are behind.
std::string tidy(const std::string& path) {
  std::error_code error;
  const auto canonical = fs::canonical(path, error);
  return error ? path : canonical.string();
}

}  // namespace

Result<Places> Places::find() {
  std::string folder = kernel::read_proc_link(::getpid(), "exe").value_or("");
  folder.resize(folder.rfind('/') == std::string::npos ? 0 : folder.rfind('/'));
  Places places;
  const std::string built = folder + "/../../lab";
  const std::string installed = folder + "/" MINI_RELATIVE_LIBEXECDIR "/heapspy/lab";
  std::string libraries;
  if (is_folder(built + "/sources")) {
    places.programs_ = tidy(built);
    places.sources_ = tidy(built + "/sources");
    places.stages_ = places.preloadable(tidy(built) + "/stages");
    libraries = tidy(folder + "/../api");
  } else if (is_folder(installed)) {
    places.programs_ = tidy(installed);
    places.sources_ = tidy(folder + "/" MINI_RELATIVE_DATADIR "/heapspy/lab");
    libraries = tidy(folder + "/" MINI_RELATIVE_LIBDIR);
    places.stages_ = places.preloadable(libraries + "/heapspy/stages");
  } else {
    return fail(
        fmt::format("the lab's programs are neither in {} nor in {}: build the target "
                    "'lab', or install heapspy",
                    built, installed));
  }
  const std::string library = places.preloadable(libraries) + "/libminimalloc.so.0";
  if (::access(library.c_str(), R_OK) == 0) places.minimalloc_ = library;
  return places;
}

std::string Places::preloadable(const std::string& folder) {
  if (is_preloadable(folder)) return folder;
  kernel::FileDescriptor opened(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return folder;
  std::string name = kernel::descriptor_path(::getpid(), opened.get());
  opened_.push_back(std::make_shared<kernel::FileDescriptor>(std::move(opened)));
  return name;
}

std::string Places::program(std::string_view name) const {
  return fmt::format("{}/{}", programs_, name);
}

std::string Places::source(std::string_view name) const {
  return fmt::format("{}/{}", sources_, name);
}

std::string Places::stage(int stage) const {
  return fmt::format("{}/libstage{}.so", stages_, stage);
}

std::string shown_path(const std::string& path) {
  std::error_code error;
  const auto here = fs::proximate(path, error);
  const bool is_inside = !error && !here.empty() && !here.string().starts_with("..");
  return is_inside ? here.string() : path;
}

Result<std::string> read_text(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) return fail(fmt::format("cannot read '{}'", path));
  return std::move(text).str();
}

}  // namespace mini::lab
