#include "views/function_table.h"

#include <utility>

namespace mini::views {

std::string exported_name(const explain::ProfileFrameView& frame) {
  const bool is_known = frame.line != nullptr && !frame.line->function.empty();
  return is_known ? frame.line->function : explain::describe(frame);
}

std::uint32_t FunctionTable::number_of(ExportedFunction function) {
  const auto next = static_cast<std::uint32_t>(functions_.size());
  const auto [at, is_new] =
      numbers_.try_emplace(Key{function.name, function.file, function.module}, next);
  if (is_new) functions_.push_back(std::move(function));
  return at->second;
}

std::uint32_t FunctionTable::number(const explain::ProfileFrameView& frame) {
  const void* place = frame.line;
  if (place == nullptr) place = frame.frame;
  if (const auto known = seen_.find(place); known != seen_.end()) return known->second;
  const std::uint32_t number =
      number_of({.name = exported_name(frame),
                 .file = frame.line != nullptr ? frame.line->file : std::string(),
                 .module = frame.module});
  seen_.emplace(place, number);
  return number;
}

std::vector<std::uint32_t> functions_of_stack(FunctionTable& table,
                                              const model::HeapProfile& profile,
                                              std::uint32_t node) {
  const explain::ProfileStackView stack = explain::stack_view(profile, node);
  if (stack.frames.empty()) return {table.no_stack_number()};
  std::vector<std::uint32_t> numbers;
  numbers.reserve(stack.frames.size());
  for (std::size_t i = stack.frames.size(); i-- > 0;) {
    numbers.push_back(table.number(stack.frames[i]));
  }
  return numbers;
}

}  // namespace mini::views
