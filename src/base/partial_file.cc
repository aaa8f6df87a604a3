#include "base/partial_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <random>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mini {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoFile = "it is no file";

std::unexpected<Error> fail_with(int error_number) {
  return fail(std::generic_category().message(error_number), error_number);
}

/// What there is of that name by now; nothing where there is none. Fails for what is no file, and
/// for a file that may not be written.
Result<std::optional<struct stat>> look_at(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENAMETOOLONG) return fail_with(errno);  // nor will there be one
    return std::nullopt;
  }
  if (S_ISDIR(status.st_mode)) return fail_with(EISDIR);
  if (!S_ISREG(status.st_mode)) return fail(kNoFile);
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) return fail_with(errno);
  return status;
}

/// Gives a new file what another had.
bool take_over(int fd, const struct stat& before) {
  struct stat mine{};
  constexpr auto kNoUser = static_cast<uid_t>(-1);
  if (fstat(fd, &mine) != 0) return false;
  if (mine.st_gid != before.st_gid && fchown(fd, kNoUser, before.st_gid) != 0) return false;
  return fchmod(fd, before.st_mode & 07777U) == 0;
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
    if (is_of_kernel(place.parent_path())) return fail(kNoFile);
    if (!fs::is_symlink(place, error)) return place;
    place = place.parent_path() / fs::read_symlink(place, error);
  }
  return fail_with(ELOOP);
}

constexpr std::array kEndSignals = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

std::array<char, 4096> unfinished{};  // a file's name; "": there is none

void end_without_it(int signal) {
  unlink(unfinished.data());
  raise(signal);  // which is not handled any more
}

/// From now on signals that would end the process delete the file first.
void delete_at_end(const std::string& name) {
  if (name.size() >= unfinished.size()) return;
  *std::ranges::copy(name, unfinished.begin()).out = '\0';
  for (const int signal : kEndSignals) {
    struct sigaction action{};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = end_without_it;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, nullptr);
  }
}

/// Signals wait while a file is there that they would not delete.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : kEndSignals) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, &before_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// An empty file beside `place`, of a name that no other had.
Result<std::string> make_beside(const fs::path& place, const std::optional<struct stat>& before) {
  constexpr int kMostTries = 100;
  constexpr std::size_t kMarkBytes = 17;  // ".0123abcd.partial"
  const std::string begin = place.filename().string().substr(0, NAME_MAX - kMarkBytes);
  std::random_device random;
  for (int i = 0; i < kMostTries; ++i) {
    std::string name = place.parent_path() / fmt::format("{}.{:08x}.partial", begin, random());
    const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return fail_with(errno);
    const bool is_like_it = !before || take_over(fd, *before);
    const int error = errno;
    close(fd);
    if (is_like_it) return name;
    unlink(name.c_str());
    return fail_with(error);
  }
  return fail_with(EEXIST);
}

}  // namespace

Result<PartialFile> PartialFile::make_for(const std::string& path) {
  const auto before = look_at(path);
  if (!before) return std::unexpected(before.error());
  auto place = behind_links(path);
  if (!place) return std::unexpected(place.error());
  const HeldSignals held;
  auto name = make_beside(*place, *before);
  if (!name) return std::unexpected(name.error());
  delete_at_end(*name);
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

}  // namespace mini
