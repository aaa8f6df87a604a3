#include "kernel/mount_table.h"

#include <algorithm>
#include <unistd.h>

#include "base/text.h"
#include "kernel/proc_file.h"

namespace mini::kernel {
namespace {

/// Takes the first word, and the space behind it, from a text.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

bool is_octal_digit(char c) {
  return c >= '0' && c <= '7';
}

/// The kernel writes spaces, tabs, newlines and backslashes as \040 and so on.
std::string unescaped(std::string_view word) {
  constexpr std::size_t kDigits = 3;
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const std::string_view digits = word.substr(i + 1, kDigits);
    if (word[i] == '\\' && digits.size() == kDigits &&
        std::ranges::all_of(digits, is_octal_digit)) {
      text += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
      i += kDigits;
    } else {
      text += word[i];
    }
  }
  return text;
}

bool is_within(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

MountTable MountTable::read() {
  return MountTable(read_proc_file(::getpid(), "mounts").value_or(""));
}

std::string MountTable::type_at(std::string_view path) const {
  std::string_view type;
  std::size_t longest = 0;
  for (std::string_view left = text_; !left.empty();) {
    std::string_view line = take_line(left);
    take_word(line);  // what is mounted
    const std::string folder = unescaped(take_word(line));
    // Of several at one place the last one is on top.
    if (folder.size() < longest || !is_within(path, folder)) continue;
    longest = folder.size();
    type = take_word(line);
  }
  return std::string(type);
}

std::string MountTable::folder_of(std::string_view type, std::string_view option) const {
  for (std::string_view left = text_; !left.empty();) {
    std::string_view line = take_line(left);
    take_word(line);  // what is mounted
    const std::string_view folder = take_word(line);
    if (take_word(line) != type) continue;
    const std::string options = "," + std::string(take_word(line)) + ",";
    if (option.empty() || options.find("," + std::string(option) + ",") != std::string::npos) {
      return unescaped(folder);
    }
  }
  return "";
}

}  // namespace mini::kernel
