#include "sources/recorded_modules.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <utility>

#include "sources/module_file.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostModules = 4096;
constexpr std::size_t kLeastBuildId = 8;  // digits: fewer could be those of another file
constexpr std::string_view kDebugFiles = "/usr/lib/debug/.build-id";

// Where a name that is looked up is mounted first, or a file that is opened does something.
constexpr std::array<std::string_view, 6> kActiveFileSystems = {"autofs",  "proc",    "sysfs",
                                                                "debugfs", "tracefs", "devtmpfs"};

bool is_build_id(std::string_view text) {
  return text.size() >= kLeastBuildId &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string debug_file(const std::string& build_id) {
  return fmt::format("{}/{}/{}.debug", kDebugFiles, build_id.substr(0, 2), build_id.substr(2));
}

}  // namespace

bool RecordedModules::may_open(const std::string& path) const {
  if (!path.starts_with('/') || path.contains('\0')) return false;
  if (std::ranges::count(kActiveFileSystems, mounts_.type_at(path)) != 0) return false;
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::expected<std::unique_ptr<unwind::Module>, RecordedModules::Reason> RecordedModules::open(
    const std::string& path, const std::string& build_id) const {
  const std::string own = std::filesystem::path(path).lexically_normal().string();
  Reason reason = Reason::kNoFile;
  for (const std::string& candidate : {own, debug_file(build_id)}) {
    if (!may_open(candidate)) continue;
    auto file = unwind::ElfFile::open(candidate);
    if (file && build_id_text(**file) == build_id) {
      // As the recorder names them.
      return std::make_unique<unwind::Module>(std::move(*file), "", own,
                                              unwind::UnwinderOptions{.libc_source_lines = false});
    }
    reason = Reason::kOtherFile;
  }
  return std::unexpected(reason);
}

std::expected<unwind::Module*, RecordedModules::Reason> RecordedModules::find(
    const std::string& path, const std::string& build_id) {
  if (!is_build_id(build_id)) return std::unexpected(Reason::kNoBuildId);
  if (const auto known = found_.find(build_id); known != found_.end()) return known->second.get();
  const auto missing = missing_.find({path, build_id});
  if (missing != missing_.end()) return std::unexpected(missing->second);
  if (found_.size() + missing_.size() >= kMostModules) return std::unexpected(Reason::kTooMany);
  auto module = open(path, build_id);
  if (module) return found_.emplace(build_id, std::move(*module)).first->second.get();
  missing_.emplace(std::pair(path, build_id), module.error());
  return std::unexpected(module.error());
}

std::vector<recording::SourceFrame> RecordedModules::source_frames(
    const recording::ModuleFacts& facts, std::uint64_t address) {
  const auto module = find(facts.path, facts.build_id);
  if (!module) return {};
  return sources::source_frames(**module, address);
}

}  // namespace mini::sources
