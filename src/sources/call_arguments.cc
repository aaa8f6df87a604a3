// Strings are the target's: bounded, and unreadable ones are shown by their address.
#include "sources/call_arguments.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/checked.h"
#include "base/text.h"

namespace mini::sources {
namespace {

constexpr std::size_t kLongestText = 4096;    // PATH_MAX
constexpr std::size_t kLongestName = 80;      // ANON_VMA_NAME_MAX_LEN, mm/madvise.c
constexpr std::size_t kMostListEntries = 64;  // of argv; the rest is counted
constexpr std::size_t kLongestListEntry = 256;
constexpr std::size_t kStep = 256;
constexpr std::size_t kPage = 4096;  // the least there is

using kernel::ParameterForm;
using model::Argument;

std::string text_or_address(const MemoryReader& memory, Address at, std::size_t limit) {
  if (at.value == 0) return "NULL";
  return read_text(memory, at, limit).value_or(format_address(at));
}

std::string read_list(const MemoryReader& memory, Address list) {
  std::string text = "[";
  for (std::size_t i = 0; i < kMostListEntries; ++i) {
    const std::string_view separator = i > 0 ? ", " : "";
    const auto slot = checked_add(list.value, std::uint64_t{i * sizeof(std::uint64_t)});
    const auto entry = slot ? memory.read_object<std::uint64_t>(Address{*slot}) : std::nullopt;
    if (!entry) return fmt::format("{}{}?]", text, separator);
    if (*entry == 0) return text + "]";
    text += fmt::format("{}\"{}\"", separator,
                        text_or_address(memory, Address{*entry}, kLongestListEntry));
  }
  return text + ", ...]";
}

std::string describe_fd(std::uint64_t value, const std::optional<kernel::OpenFile>& file) {
  const int fd = static_cast<int>(value);
  constexpr int kCurrentDirectory = -100;  // AT_FDCWD
  if (fd == kCurrentDirectory) return "AT_FDCWD";
  return file ? fmt::format("{}<{}>", fd, file->path) : fmt::format("{}", fd);
}

Argument decode(const kernel::Parameter& parameter, std::uint64_t value, const MemoryReader& memory,
                const std::optional<kernel::OpenFile>& file) {
  Argument argument;
  argument.name = parameter.name;
  argument.value = value;
  const auto as_text = [&](std::string text) {
    argument.form = Argument::Form::kText;
    argument.text = std::move(text);
  };
  switch (parameter.form) {
    case ParameterForm::kNumber:
      break;
    case ParameterForm::kInt:
      argument.value = value & 0xffff'ffff;
      if (static_cast<int>(value) < 0) as_text(fmt::format("{}", static_cast<int>(value)));
      break;
    case ParameterForm::kBytes:
      argument.form = Argument::Form::kBytes;
      break;
    case ParameterForm::kAddress:
      argument.form = Argument::Form::kAddress;
      break;
    case ParameterForm::kFlags:
      as_text(kernel::format_flags(*parameter.flags, value));
      break;
    case ParameterForm::kFd:
      as_text(describe_fd(value, file));
      break;
    case ParameterForm::kText:
      as_text(text_or_address(memory, Address{value}, kLongestText));
      break;
    case ParameterForm::kName:
      as_text(text_or_address(memory, Address{value}, kLongestName));
      break;
    case ParameterForm::kTextList:
      as_text(value == 0 ? "NULL" : read_list(memory, Address{value}));
      break;
  }
  return argument;
}

}  // namespace

std::vector<Argument> decode_arguments(const kernel::SyscallSpec& spec,
                                       const std::array<std::uint64_t, 6>& values,
                                       const MemoryReader& memory,
                                       const std::optional<kernel::OpenFile>& file) {
  std::vector<Argument> arguments;
  arguments.reserve(spec.parameters.size());
  for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
    const std::uint64_t needed = spec.parameters[i].if_flags;
    if (needed != 0 && i > 0 && (values.at(i - 1) & needed) == 0) continue;
    arguments.push_back(decode(spec.parameters[i], values.at(i), memory, file));
  }
  return arguments;
}

std::optional<std::string> read_text(const MemoryReader& memory, Address from, std::size_t limit) {
  std::string text;
  std::array<char, kStep> buffer{};
  while (text.size() < limit) {
    const auto at = checked_add(from.value, std::uint64_t{text.size()});
    if (!at) return std::nullopt;
    // Never past a page before the text reaches it: what lies there may not be readable, or only
    // by a thread of the target that we keep waiting (userfaultfd).
    const std::size_t to_page_end = kPage - *at % kPage;
    const std::size_t wanted = std::min({buffer.size(), limit - text.size(), to_page_end});
    const std::size_t count =
        memory.read(Address{*at}, std::as_writable_bytes(std::span(buffer)).first(wanted));
    const std::string_view part(buffer.data(), count);
    const auto end = part.find('\0');
    text += part.substr(0, end);
    if (end != std::string_view::npos) return text;
    if (count < wanted) return std::nullopt;
  }
  return text + "...";
}

}  // namespace mini::sources
