// The functions of a heap profile, each once and by a number of its own: what export formats with a
// table of functions share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "explain/profile_frames.h"

namespace mini::views {

/// What exports call the empty stack.
inline constexpr std::string_view kNoStack = "no stack";

/// A frame's function as exports name it: the whole demangled name; where there is none, the module
/// and the address in it.
std::string exported_name(const explain::ProfileFrameView& frame);

struct ExportedFunction {
  std::string name;
  std::string file = {};                         // "" where unknown
  const model::ProfileModule* module = nullptr;  // nullptr of kNoStack
};

class FunctionTable {
 public:
  /// REQUIRES: the profile that the frame points into stays as it is.
  std::uint32_t number(const explain::ProfileFrameView& frame);
  std::uint32_t no_stack_number() { return number_of({.name = std::string(kNoStack)}); }

  /// By their numbers, in the order of their first use.
  const std::vector<ExportedFunction>& functions() const { return functions_; }

 private:
  using Key = std::tuple<std::string, std::string, const model::ProfileModule*>;

  std::uint32_t number_of(ExportedFunction function);

  std::vector<ExportedFunction> functions_;
  std::map<Key, std::uint32_t> numbers_;
  std::unordered_map<const void*, std::uint32_t>
      seen_;  // by SourceLine, or by ProfileFrame without
};

/// The functions of a stack, the outermost first; never empty. At most as many as stack_view() has.
std::vector<std::uint32_t> functions_of_stack(FunctionTable& table,
                                              const model::HeapProfile& profile,
                                              std::uint32_t node);

}  // namespace mini::views
