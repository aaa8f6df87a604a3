#include "database/partial_file.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <random>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mini::database {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFilesOnly = "SQLite writes to files only";

std::unexpected<Error> fail_with(int error_number) {
  return fail(std::generic_category().message(error_number), error_number);
}

/// Whether there may be a file of that name: SQLite writes to no pipe and no device.
Result<void> check_name(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  if (S_ISDIR(status.st_mode)) return fail_with(EISDIR);
  return fail(kFilesOnly);
}

/// Where a file in that folder is another name of what a process has open, or of a device.
bool is_of_kernel(const fs::path& folder) {
  std::error_code error;
  const fs::path real = fs::canonical(folder.empty() ? "." : folder, error);
  return real == "/dev" || (real / "").string().starts_with("/proc/");
}

/// The name that symbolic links lead to, which stay: what is renamed to a link takes its place.
Result<fs::path> behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel
  fs::path place = path;
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    if (is_of_kernel(place.parent_path())) return fail(kFilesOnly);
    if (!fs::is_symlink(place, error)) return place;
    place = place.parent_path() / fs::read_symlink(place, error);
  }
  return fail_with(ELOOP);
}

/// An empty file beside `place`, of a name that no other had.
Result<std::string> make_beside(const fs::path& place) {
  constexpr int kMostTries = 100;
  std::random_device random;
  for (int i = 0; i < kMostTries; ++i) {
    std::string name = fmt::format("{}.{:08x}.partial", place.string(), random());
    const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return fail_with(errno);
    close(fd);
    return name;
  }
  return fail_with(EEXIST);
}

}  // namespace

Result<PartialFile> PartialFile::make_for(const std::string& path) {
  if (auto sound = check_name(path); !sound) return std::unexpected(sound.error());
  auto place = behind_links(path);
  if (!place) return std::unexpected(place.error());
  auto name = make_beside(*place);
  if (!name) return std::unexpected(name.error());
  return PartialFile(std::move(*place), std::move(*name));
}

PartialFile::~PartialFile() {
  if (!name_.empty()) unlink(name_.c_str());
}

Result<void> PartialFile::appear() {
  if (std::rename(name_.c_str(), place_.c_str()) != 0) return fail_with(errno);
  name_.clear();
  return {};
}

}  // namespace mini::database
