#include "explain/profile_frames.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/functions.h"
#include "explain/malloc_wrappers.h"
#include "explain/modules.h"
#include "explain/rust_functions.h"

namespace mini::explain {
namespace {

constexpr std::size_t kLongestArguments = 24;
constexpr std::size_t kLongestName = 120;
constexpr std::size_t kLongestCharacter = 3;  // of UTF-8, bytes beyond the first

// How names begin that stand between an allocator and the code that wants memory.
constexpr std::array<std::string_view, 8> kPlumbingPrefixes = {
    "heapspy_pool_", "operator new", "operator delete", "std::",
    "__gnu_cxx::",   "__cxxabiv1::", "__cxa_",          "_Znwm"};

constexpr std::array<std::string_view, 11> kLibraryFiles = {
    "libc.so",  "libc-2.", "libstdc++.so", "libc++.so",  "libc++abi.so", "libgcc_s.so",
    "ld-linux", "ld-musl", "libpthread",   "libheapspy", "libstd-"};

bool is_operator_symbol(char c) {
  return std::string_view("<>=-!+*/%^&|~").contains(c);
}

/// Whether `text` ends in the word "operator".
bool ends_in_operator(std::string_view text) {
  constexpr std::string_view kOperator = "operator";
  if (!text.ends_with(kOperator)) return false;
  const std::size_t before = text.size() - kOperator.size();
  return before == 0 || (std::isalnum(static_cast<unsigned char>(text[before - 1])) == 0 &&
                         text[before - 1] != '_');
}

/// Where the parameters of a demangled name begin; its length where it has none.
std::size_t parameters_begin(std::string_view name) {
  const std::size_t close = name.rfind(')');
  if (close == std::string_view::npos) return name.size();
  // What follows is at most " const", " &&", " [clone .cold]"; of Rust " as Trait>::function".
  const std::string_view after = name.substr(close + 1);
  if (!after.empty() && after.front() != ' ' && after.front() != '&') return name.size();
  if (after.contains('>')) return name.size();
  std::size_t depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] != '(') continue;
    --depth;
    if (depth != 0) continue;
    const bool is_call_operator = ends_in_operator(name.substr(0, i));
    return is_call_operator || i == 0 ? name.size() : i;
  }
  return name.size();
}

/// Without "int " of "int f<int>": what is before the last space outside brackets.
std::string_view without_result(std::string_view name) {
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.substr(i).starts_with("operator") && ends_in_operator(name.substr(0, i + 8))) break;
    const char c = name[i];
    if (c == '<' || c == '(' || c == '{') ++depth;
    if ((c == '>' || c == ')' || c == '}') && depth > 0) --depth;
    if (c == ' ' && depth == 0) begin = i + 1;
  }
  return name.substr(begin);
}

std::string with_short_arguments(std::string_view name) {
  std::string out;
  std::size_t depth = 0;
  std::size_t open = 0;  // in out
  // Rust's <Type as Trait>::function: those of its type and its trait.
  std::size_t outermost = name.starts_with('<') ? 1 : 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && name[i] == '<' && ends_in_operator(out)) {
      while (i < name.size() && is_operator_symbol(name[i])) out += name[i++];
      if (i == name.size()) break;
    }
    if (name[i] == '<' && depth++ == outermost) open = out.size();
    out += name[i];
    const bool is_arrow = name[i] == '>' && i > 0 && name[i - 1] == '-';
    if (name[i] != '>' || is_arrow || depth == 0) continue;
    --depth;
    if (depth < outermost)
      outermost = 0;
    else if (depth == outermost && out.size() - open > kLongestArguments)
      out = out.substr(0, open) + "<...>";
  }
  return out;
}

/// Whether a byte goes on with a character of UTF-8 that others began.
bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
}

/// The begin and the end of a name that is too long to read, of whole characters.
std::string clipped(std::string_view name) {
  if (name.size() <= kLongestName) return std::string(name);
  std::size_t begin = (kLongestName - 3) / 2;
  std::size_t end = name.size() - begin;
  for (std::size_t i = 0; i < kLongestCharacter && is_continuation(name[begin]); ++i) --begin;
  for (std::size_t i = 0; i < kLongestCharacter && is_continuation(name[end]); ++i) ++end;
  return fmt::format("{}...{}", name.substr(0, begin), name.substr(end));
}

bool is_library_code(const ProfileFrameView& frame) {
  return begins_with_any(path_basename(frame.module->path), kLibraryFiles) ||
         (frame.line != nullptr && is_rust_library_file(frame.line->file));
}

std::string_view function_of(const ProfileFrameView& frame) {
  return frame.line != nullptr ? std::string_view(frame.line->function) : std::string_view{};
}

/// A name without parameters, the type that it returns and what a compiler appended.
std::string_view bare_name(std::string_view function) {
  const std::string_view plain = plain_name(function);
  if (!plain.contains('(')) return plain;
  return without_result(plain.substr(0, parameters_begin(plain)));
}

/// Finds the place among a stack's frames, innermost first: the first of the highest rank.
class PlaceSearch {
 public:
  /// Whether this one is the place, as far as is known by now.
  bool take(const ProfileFrameView& frame) {
    if (is_over()) return false;
    if (nameless_ == frame.module && is_malloc_wrapper(bare_name(function_of(frame)))) {
      highest_ = Rank::kPlumbing;
    }
    nameless_ = nullptr;
    const Rank rank = rank_of(frame);
    if (highest_ && rank <= *highest_) return false;
    highest_ = rank;
    if (rank == Rank::kProgram && function_of(frame).empty()) nameless_ = frame.module;
    return true;
  }
  /// No later one is.
  bool is_over() const { return highest_ == Rank::kProgram && nameless_ == nullptr; }

 private:
  enum class Rank : std::uint8_t { kPlumbing, kLibraryCode, kProgram };

  static Rank rank_of(const ProfileFrameView& frame) {
    if (is_allocation_plumbing(function_of(frame))) return Rank::kPlumbing;
    return is_library_code(frame) ? Rank::kLibraryCode : Rank::kProgram;
  }

  std::optional<Rank> highest_;
  // The module of the last frame, where that is the place so far and has no name: it is a part of
  // the malloc by another name that called it, if one did.
  const model::ProfileModule* nameless_ = nullptr;
};

}  // namespace

bool is_allocation_plumbing(std::string_view function) {
  if (function.empty()) return false;
  if (begins_with_any(function, kPlumbingPrefixes) || is_rust_library_function(function)) {
    return true;
  }
  const FunctionFact* fact = find_function(function);
  if (fact != nullptr && (fact->duty == Duty::kMallocEntry || fact->duty == Duty::kMallocPart)) {
    return true;
  }
  const std::string_view name = bare_name(function);
  return is_malloc_wrapper(name) || begins_with_any(name, kPlumbingPrefixes);
}

namespace {

/// visit(frame) for each, innermost first, until it says false. Returns whether some were left out.
template <typename Visit>
bool walk_stack(const model::HeapProfile& profile, std::uint32_t node, const Visit& visit) {
  std::size_t count = 0;
  for (; node != 0; node = profile.nodes[node].caller) {
    if (count >= kMostFrames) return true;
    const model::ProfileFrame& frame = profile.frames[profile.nodes[node].frame];
    const model::ProfileModule& module = profile.modules[frame.module];
    count += std::max<std::size_t>(frame.lines.size(), 1);
    if (frame.lines.empty() && !visit(ProfileFrameView{&module, &frame, nullptr})) return false;
    for (const model::SourceLine& line : frame.lines) {
      if (!visit(ProfileFrameView{&module, &frame, &line})) return false;
    }
  }
  return false;
}

}  // namespace

ProfileStackView stack_view(const model::HeapProfile& profile, std::uint32_t node) {
  ProfileStackView view;
  PlaceSearch search;
  view.is_cut = walk_stack(profile, node, [&](const ProfileFrameView& frame) {
    if (search.take(frame)) view.place = view.frames.size();
    view.frames.push_back(frame);
    return true;
  });
  return view;
}

ProfileStackView way_to_place(const model::HeapProfile& profile, std::uint32_t node) {
  ProfileStackView view;
  PlaceSearch search;
  walk_stack(profile, node, [&](const ProfileFrameView& frame) {
    if (search.take(frame)) view.place = view.frames.size();
    view.frames.push_back(frame);
    return !search.is_over();
  });
  if (!view.frames.empty()) view.frames.resize(view.place + 1);
  return view;
}

std::optional<ProfileFrameView> place_of(const model::HeapProfile& profile, std::uint32_t node) {
  std::optional<ProfileFrameView> place;
  PlaceSearch search;
  walk_stack(profile, node, [&](const ProfileFrameView& frame) {
    if (search.take(frame)) place = frame;
    return !search.is_over();
  });
  return place;
}

std::string short_function(std::string_view demangled) {
  const std::string_view name = demangled.substr(0, parameters_begin(demangled));
  // Only templates have the type that they return in their names.
  return clipped(
      with_short_arguments(name.size() < demangled.size() ? without_result(name) : name));
}

namespace {

/// "libfoo.so+0x1234", of the module of that name.
std::string address_in(const std::string& module, const ProfileFrameView& frame) {
  return fmt::format("{}+{:#x}", module, frame.frame->address);
}

/// "x.cc:88", or "x.cc" where the line is not to be said.
std::string source_of(const ProfileFrameView& frame, bool with_line) {
  return fmt::format("{}{}{}", clipped(path_basename(frame.line->file)),
                     with_line ? fmt::format(":{}", frame.line->line) : "",
                     is_agent_file(frame.module->path) ? ", heapspy's own" : "");
}

std::string described(const ProfileFrameView& frame, bool with_line) {
  const std::string module = clipped(path_basename(frame.module->path));
  if (!function_of(frame).empty()) {
    const std::string function = short_function(function_of(frame));
    if (!frame.line->file.empty() && frame.line->line != 0) {
      return fmt::format("{} at {}", function, source_of(frame, with_line));
    }
    return module.empty() ? function : fmt::format("{} in {}", function, module);
  }
  if (module.empty() && frame.frame->address == 0) return "code of which nothing is known";
  if (module.empty()) {
    return fmt::format("code in no known module, {:#x}", frame.frame->address);
  }
  return address_in(module, frame);
}

}  // namespace

std::string describe(const ProfileFrameView& frame) {
  return described(frame, true);
}

std::string describe_without_line(const ProfileFrameView& frame) {
  return described(frame, false);
}

std::string describe_exactly(const ProfileFrameView& frame) {
  std::string text = describe(frame);
  if (function_of(frame).empty()) return text;
  const std::string module = clipped(path_basename(frame.module->path));
  const std::string address = address_in(module, frame);
  const bool ends_in_module = !module.empty() && text.ends_with(" in " + module);
  return ends_in_module ? text.substr(0, text.size() - module.size()) + address
                        : fmt::format("{} ({})", text, address);
}

std::string describe_place(const ProfileStackView& stack) {
  return describe_place(stack.frames.empty() ? std::nullopt
                                             : std::optional(stack.frames[stack.place]));
}

std::string describe_place(const std::optional<ProfileFrameView>& place) {
  return place ? describe(*place) : "no stack";
}

}  // namespace mini::explain
