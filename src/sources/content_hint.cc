// Sources: the Itanium C++ ABI, 2.5.2 "virtual table components" (offset to top, type information,
// then what an object points to), 2.9.4 "RTTI layout" (a type's second word is its mangled name).
#include "sources/content_hint.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <span>
#include <vector>

#include "base/checked.h"
#include "base/text.h"
#include "unwind/demangle.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostName = 512;
constexpr std::size_t kMostTypes = 1 << 16;  // remembered
constexpr std::size_t kLookedAt = 64;        // bytes of a block

bool is_mangled(std::string_view name) {
  constexpr std::string_view kBegins = "0123456789NSIZ";
  return !name.empty() && kBegins.find(name.front()) != std::string_view::npos &&
         std::ranges::all_of(name, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '$' || c == '.';
         });
}

bool is_printable(std::byte byte) {
  const auto c = static_cast<unsigned char>(byte);
  return c >= ' ' && c <= '~';
}

}  // namespace

std::string_view ContentHinter::type_of(Address block) {
  const auto vtable = pages_.read_object<std::uint64_t>(block);
  if (!vtable || *vtable % sizeof(std::uint64_t) != 0) return "";
  const auto known = types_.find({*vtable});
  if (known != types_.end()) return known->second;
  if (types_.size() >= kMostTypes || !is_in_file({*vtable})) return "";
  return types_.emplace(Address{*vtable}, read_type({*vtable})).first->second;
}

std::string ContentHinter::read_type(Address vtable) const {
  constexpr Bytes kWord{8};
  constexpr std::int64_t kMostOffset = 1 << 24;  // to the begin of the object, for inner bases
  const auto to_top = pages_.read_object<std::int64_t>(vtable - kWord * 2);
  const auto type = pages_.read_object<std::uint64_t>(vtable - kWord);
  if (!to_top || !type || *to_top > 0 || *to_top < -kMostOffset) return "";
  if (*type % 8 != 0 || !is_in_file({*type})) return "";
  const auto kind = pages_.read_object<std::uint64_t>({*type});
  const auto name = pages_.read_object<std::uint64_t>(Address{*type} + kWord);
  if (!kind || !name || !is_in_file({*kind}) || !is_in_file({*name})) return "";
  std::vector<char> bytes(kMostName);
  bytes.resize(pages_.read({*name}, std::as_writable_bytes(std::span(bytes))));
  const auto end = std::ranges::find(bytes, '\0');
  if (end == bytes.end()) return "";
  std::string mangled(bytes.begin(), end);
  if (mangled.starts_with('*')) mangled.erase(0, 1);  // of a type that one file alone knows
  if (!is_mangled(mangled)) return "";
  constexpr std::string_view kWords = "typeinfo name for ";
  const std::string shown = unwind::display_name("_ZTS" + mangled);
  return shown.starts_with(kWords) ? shown.substr(kWords.size()) : "";
}

std::string ContentHinter::describe(AddressRange block) {
  if (const std::string_view type = type_of(block.begin); !type.empty()) {
    return fmt::format("vtable of {}", type);
  }
  const std::string text = text_at(block);
  return text.empty() ? pointers_at(block) : text;
}

std::string ContentHinter::text_at(AddressRange block) const {
  constexpr std::ptrdiff_t kLeast = 4;
  constexpr std::size_t kMostShown = 32;
  std::array<std::byte, kLookedAt> bytes{};
  const std::size_t wanted = std::min<std::uint64_t>(bytes.size(), block.size().count);
  const auto read =
      std::span(bytes).first(pages_.read(block.begin, std::span(bytes).first(wanted)));
  const auto end = std::ranges::find_if_not(read, is_printable);
  const bool ends_as_text = end == read.end() || *end == std::byte{0} || *end == std::byte{'\n'};
  if (end - read.begin() < kLeast || !ends_as_text) return "";
  std::string text;
  for (auto at = read.begin(); at != end; ++at) text += static_cast<char>(*at);
  const bool is_cut = text.size() > kMostShown;
  return fmt::format("text \"{}{}\"", text.substr(0, kMostShown), is_cut ? "..." : "");
}

std::string ContentHinter::pointers_at(AddressRange block) const {
  std::array<std::uint64_t, kLookedAt / 8> words{};
  const auto bytes = std::as_writable_bytes(std::span(words));
  const std::size_t wanted = std::min<std::uint64_t>(bytes.size(), block.size().count);
  const std::size_t count = pages_.read(block.begin, bytes.first(wanted)) / 8;
  std::vector<std::pair<std::string, int>> words_into;
  for (const std::uint64_t word : std::span(words).first(count)) {
    const model::MemoryRegion* region = inspection_.region_of({word});
    if (region == nullptr) continue;
    const std::string name = name_of(*region);
    const auto known = std::ranges::find(words_into, name, &std::pair<std::string, int>::first);
    if (known != words_into.end()) {
      ++known->second;
    } else {
      words_into.emplace_back(name, 1);
    }
  }
  std::string text;
  for (const auto& [name, number] : words_into) {
    text += text.empty() ? fmt::format("{} of {} words point into {}", number, count, name)
                         : fmt::format(", {} into {}", number, name);
  }
  return text;
}

bool ContentHinter::is_in_file(Address address) const {
  const model::MemoryRegion* region = inspection_.region_of(address);
  return region != nullptr && region->mapping.path.starts_with('/');
}

std::string ContentHinter::name_of(const model::MemoryRegion& region) const {
  if (std::ranges::binary_search(inspection_.heap_mappings, region.mapping.range.begin)) {
    return "the heap";
  }
  if (region.stack_of || region.mapping.path == "[stack]") return "a stack";
  if (region.mapping.path.starts_with('/')) {
    return unwind::printable(path_basename(region.mapping.path));
  }
  return "other memory";
}

void hint_pins(const MemoryReader& memory, model::Inspection& inspection) {
  ContentHinter hinter(memory, inspection);
  for (model::HeapPin& pin : inspection.account.pins) {
    // Of the block itself no more is known than that it is in so many bytes.
    const Bytes size{std::min<std::uint64_t>(pin.size.count, kLookedAt)};
    const auto range = checked_range(pin.first_block, size);
    if (range) pin.hint = hinter.describe(*range);
  }
}

}  // namespace mini::sources
