#include "sources/next_recording.h"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <string_view>
#include <system_error>
#include <vector>

#include "recording/reader.h"
#include "sources/recording_file.h"

namespace mini::sources {
namespace {

/// Reads no further than to what a recording is of.
class Beginning final : public recording::Visitor {
 public:
  bool wants_events() override { return false; }
  bool progress(std::uint64_t, std::uint64_t) override { return false; }
};

/// The names that the file may have. recording_name() made the one before of the first process's,
/// the pid and the number of the program, but for the first process's first program.
std::vector<std::string> next_names(const std::string& path, pid_t pid) {
  constexpr std::string_view kSuffix = ".heapspy";
  const bool has_suffix = path.ends_with(kSuffix);
  const std::string_view suffix = has_suffix ? kSuffix : "";
  std::string_view stem = path;
  stem.remove_suffix(suffix.size());
  std::vector<std::string> names;
  const auto add = [&](std::string_view first, unsigned image) {
    names.push_back(recording_name(fmt::format("{}{}", first, suffix), pid, image));
  };
  const std::string of_process = fmt::format(".{}", pid);
  const auto without_process = [&](std::string_view name) {
    return name.substr(0, name.size() - of_process.size());
  };
  const std::size_t dot = stem.rfind('.');
  const std::string_view before = stem.substr(0, dot);
  if (dot != std::string_view::npos && before.ends_with(of_process)) {
    unsigned image = 0;
    std::from_chars(stem.data() + dot + 1, stem.data() + stem.size(), image);
    add(without_process(before), image + 1);
  }
  if (stem.ends_with(of_process)) add(without_process(stem), 2);
  add(stem, 2);
  return names;
}

}  // namespace

std::optional<NextRecording> next_recording(const std::string& path,
                                            const recording::ProcessFacts& process) {
  for (const std::string& name : next_names(path, static_cast<pid_t>(process.pid))) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(name, error)) continue;
    Beginning beginning;
    const auto next = recording::read_recording(name, beginning);
    if (!next || next->process.pid != process.pid) continue;
    if (next->process.start_unix_ns < process.start_unix_ns) continue;
    return NextRecording{.path = name, .executable = next->process.executable};
  }
  return std::nullopt;
}

}  // namespace mini::sources
