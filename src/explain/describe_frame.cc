// Frames as people read them.
#include <fmt/format.h>

#include "base/text.h"
#include "explain/explainer.h"
#include "explain/functions.h"

namespace mini::explain {
namespace {

bool is_libc_or_loader(std::string_view module) {
  const std::string_view name = path_basename(module);
  return name.starts_with("libc.so") || name.starts_with("libc-2.") || name.starts_with("ld-") ||
         name.starts_with("ld.so") || name.starts_with("libpthread");
}

// The nearest frame further out, in the same module, that has a name.
std::string_view named_caller(const unwind::CallStack& stack, std::size_t index) {
  const std::string& module = stack.frames[index].module;
  for (std::size_t i = index + 1; i < stack.frames.size() && stack.frames[i].module == module;
       ++i) {
    if (!stack.frames[i].function.empty()) return plain_name(stack.frames[i].function);
  }
  return {};
}

}  // namespace

std::string describe_frame(const unwind::CallStack& stack, std::size_t index) {
  if (index >= stack.frames.size()) return "";
  const unwind::Frame& frame = stack.frames[index];
  const std::string_view module = path_basename(frame.module);
  if (!frame.function.empty()) {
    if (!frame.file.empty() && frame.line != 0) {
      return fmt::format("{} at {}:{}", frame.function, path_basename(frame.file), frame.line);
    }
    return module.empty() ? frame.function : fmt::format("{} in {}", frame.function, module);
  }
  if (module.empty()) return fmt::format("code made at run time, {}", format_address(frame.pc));
  if (is_libc_or_loader(frame.module)) {
    const std::string_view what = module.starts_with("ld") ? "loader internal" : "libc internal";
    const std::string_view caller = named_caller(stack, index);
    return caller.empty() ? std::string(what) : fmt::format("{}, under {}", what, caller);
  }
  return fmt::format("{}+{:#x}", module, frame.module_offset);
}

}  // namespace mini::explain
