// From the name in a symbol table to the one people read.
#include "unwind/demangle.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

#include "base/utf8.h"
#include "unwind/rust_names.h"

namespace mini::unwind {
namespace {

constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxMangledBytes = 2048;
constexpr int kMaxExpansionBits = 25;  // 32 MiB

/// Without the identifiers that are sure to be some: up to the first part of a name in which a
/// number may be something else than an identifier's length, such as a literal.
std::string without_identifiers(std::string_view mangled) {
  constexpr std::string_view kSequence = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kPlain = "NKVPROIJEFMGB";
  std::string out = "_Z";
  std::size_t at = out.size();
  while (at < mangled.size()) {
    const auto first = static_cast<unsigned char>(mangled[at]);
    const auto next = static_cast<unsigned char>(at + 1 < mangled.size() ? mangled[at + 1] : '\0');
    std::size_t length = 0;
    if (std::isdigit(first) != 0) {
      const auto [end, error] =
          std::from_chars(mangled.data() + at, mangled.data() + mangled.size(), length);
      const auto begin = static_cast<std::size_t>(end - mangled.data());
      if (first == '0' || error != std::errc() || length > mangled.size() - begin) break;
      at = begin + length;
      continue;
    }
    if (first == 'S' || first == 'T') {
      const std::size_t end = mangled.find_first_not_of(kSequence, at + 1);
      const bool indexed = end != std::string_view::npos && mangled[end] == '_';
      if (!indexed && (first == 'T' || std::islower(next) == 0)) break;
      length = indexed ? end + 1 - at : 2;
    } else if (std::islower(first) != 0 || kPlain.contains(mangled[at])) {
      if (first == 'v' && std::isdigit(next) != 0) break;  // a vendor's operator
      length = 1;
    } else {
      break;
    }
    out += mangled.substr(at, length);
    at += length;
  }
  return out.append(mangled.substr(at));
}

/// Whether the demangler's output is bounded to something reasonable. A substitution repeats a part
/// of the name: two on every level double it each time, so a short hostile name can expand without
/// end; a pack expansion repeats its pattern for each of its elements.
bool is_affordable(std::string_view mangled) {
  if (mangled.size() > kMaxMangledBytes) return false;
  std::size_t references = 0;
  std::size_t packs = 0;
  const std::string rest = without_identifiers(mangled);
  for (std::size_t i = 0; i + 1 < rest.size(); ++i) {
    const auto next = static_cast<unsigned char>(rest[i + 1]);
    const bool indexed = next == '_' || std::isdigit(next) != 0 || std::isupper(next) != 0;
    if ((rest[i] == 'S' || rest[i] == 'T') && indexed) ++references;
    if ((rest[i] == 'D' || rest[i] == 's') && next == 'p') ++packs;
  }
  int bits = 0;
  while ((std::size_t{1} << bits) < mangled.size()) ++bits;
  return bits + static_cast<int>(references / 2 + packs * 8) <= kMaxExpansionBits;
}

/// Cuts what the compiler appended to a function it split or cloned: ".part.0", ".cold".
std::string_view without_suffix(std::string_view symbol) {
  static constexpr std::array<std::string_view, 10> kSuffixes{
      ".part.", ".cold",       ".isra.",  ".constprop.", ".lto_priv.",
      ".llvm.", ".localalias", ".clone.", ".warm",       ".hot"};
  std::size_t end = symbol.size();
  for (const std::string_view suffix : kSuffixes) {
    const std::size_t at = symbol.find(suffix);
    if (at != std::string_view::npos && at > 0) end = std::min(end, at);
  }
  return symbol.substr(0, end);
}

}  // namespace

std::string_view without_version(std::string_view symbol) {
  const std::size_t at = symbol.find('@');
  return at == 0 ? symbol : symbol.substr(0, at);
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(std::min(text.size(), kMaxNameBytes));
  for (std::size_t i = 0; i < text.size();) {
    const Decoded decoded = decode_utf8(text.substr(i));
    if (out.size() + decoded.length > kMaxNameBytes) break;
    if (decoded.valid && is_control(decoded.code)) {
      out += '?';
    } else {
      out += text.substr(i, decoded.length);
    }
    i += decoded.length;
  }
  return out;
}

std::string display_name(std::string_view symbol) {
  if (const auto rust = rust_name(without_version(symbol), kMaxNameBytes)) return printable(*rust);
  const std::string name(without_suffix(without_version(symbol)));
  if (!name.starts_with("_Z") || !is_affordable(name)) return printable(name);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  if (status != 0 || demangled == nullptr) return printable(name);
  return printable(demangled.get());
}

}  // namespace mini::unwind
