#include "cli/input_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include "views/event_facts.h"

namespace mini::cli {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  const auto failed = [&path](int error) {
    return fail(fmt::format("cannot read '{}': {}", path, views::errno_text(error)), error);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (file == nullptr) return failed(errno);
  std::string text;
  std::array<char, 4096> piece{};
  while (std::feof(file.get()) == 0 && std::ferror(file.get()) == 0) {
    text.append(piece.data(), std::fread(piece.data(), 1, piece.size(), file.get()));
    if (text.size() > kMostBytes) {
      return fail(fmt::format("'{}' is larger than 16 MiB: not read", path));
    }
  }
  if (std::ferror(file.get()) != 0) return failed(errno);
  return text;
}

}  // namespace mini::cli
