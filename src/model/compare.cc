// Reconciles the model's address space with the kernel's own list of mappings.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "model/address_space.h"

namespace mini::model {
namespace {

// Made by the kernel without a memory system call that the model could follow.
constexpr std::array<std::string_view, 3> kNotCompared = {"[vsyscall]", "[uprobes]", "/[aio]"};

bool is_compared(const Mapping& mapping) {
  return std::ranges::none_of(
      kNotCompared, [&](std::string_view path) { return mapping.path.starts_with(path); });
}

bool is_named(const Mapping& mapping, std::string_view path) {
  return mapping.path == path;
}

std::string describe(const Mapping& mapping) {
  return fmt::format("{} {}{} offset {:#x} {}", format_range(mapping.range),
                     format_protection(mapping.protection), mapping.shared ? 's' : 'p',
                     mapping.file_offset, mapping.path.empty() ? "(anonymous)" : mapping.path);
}

// The heap and the stack are anonymous mappings whose names the kernel derives from their place;
// where a neighbour is joined to them or they are split, the names say less than the ranges do.
void unify_names(Mapping& mapping) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (mapping.path.ends_with(kDeleted)) {
    mapping.path.resize(mapping.path.size() - kDeleted.size());
  }
  if (is_named(mapping, "[heap]") || is_named(mapping, "[stack]")) mapping.path.clear();
  if (mapping.shared && mapping.path.empty()) mapping.path = "/dev/zero";
  if (is_anonymous(mapping)) mapping.file_offset = 0;
}

std::vector<Mapping> normalise(const std::vector<Mapping>& list) {
  std::vector<Mapping> result;
  for (const Mapping& original : list) {
    if (!is_compared(original)) continue;
    Mapping mapping = original;
    unify_names(mapping);
    if (!result.empty() && continues(result.back(), mapping)) {
      result.back().range.end = mapping.range.end;
    } else {
      result.push_back(std::move(mapping));
    }
  }
  return result;
}

// The kernel extends the main stack downwards by itself: what it has below the model's lowest
// stack address, in the mapping that holds that address, is cut off before comparing.
void forget_stack_growth(const std::vector<Mapping>& model, std::vector<Mapping>& kernel) {
  const auto stack =
      std::ranges::find_if(model, [](const Mapping& m) { return is_named(m, "[stack]"); });
  if (stack == model.end()) return;
  const Address lowest = stack->range.begin;
  for (Mapping& mapping : kernel) {
    if (mapping.range.contains(lowest) && is_anonymous(mapping)) mapping.range.begin = lowest;
  }
}

bool same_file(const Mapping& a, const Mapping& b) {
  if (a.path == b.path) return true;
  return a.inode != 0 && a.inode == b.inode && a.device == b.device;
}

bool same(const Mapping& a, const Mapping& b) {
  return a.range == b.range && a.protection == b.protection && a.shared == b.shared &&
         a.file_offset == b.file_offset && same_file(a, b);
}

void compare_lists(const std::vector<Mapping>& model, const std::vector<Mapping>& kernel,
                   std::vector<std::string>& lines) {
  auto m = model.begin();
  auto k = kernel.begin();
  while (m != model.end() || k != kernel.end()) {
    const bool take_model =
        k == kernel.end() || (m != model.end() && m->range.begin <= k->range.begin);
    const bool take_kernel =
        m == model.end() || (k != kernel.end() && k->range.begin <= m->range.begin);
    if (!take_kernel) {
      lines.push_back(fmt::format("only in the model: {}", describe(*m)));
    } else if (!take_model) {
      lines.push_back(fmt::format("only in the kernel: {}", describe(*k)));
    } else if (!same(*m, *k)) {
      lines.push_back(fmt::format("model: {}; kernel: {}", describe(*m), describe(*k)));
    }
    if (take_model) ++m;
    if (take_kernel) ++k;
  }
}

// Names of the heap were unified away above, so its place is compared here: the kernel's [heap]
// touches the model's heap, and the model's [heap] lies in the kernel's.
void compare_heap(const AddressSpace& space, const std::vector<Mapping>& model,
                  const std::vector<Mapping>& kernel, std::vector<std::string>& lines) {
  const auto heap_start = space.heap_start();
  const auto program_break = space.program_break();
  for (const Mapping& mapping : kernel) {
    if (!is_named(mapping, "[heap]") || !heap_start || !program_break) continue;
    if (mapping.range.end < *heap_start || mapping.range.begin > *program_break) {
      lines.push_back(fmt::format("the kernel's heap {} is not the model's {}",
                                  format_range(mapping.range),
                                  format_range({*heap_start, *program_break})));
    }
  }
  for (const Mapping& mapping : model) {
    if (!is_named(mapping, "[heap]")) continue;
    const bool found = std::ranges::any_of(kernel, [&](const Mapping& k) {
      return is_named(k, "[heap]") && k.range.overlaps(mapping.range);
    });
    if (!found) {
      lines.push_back(fmt::format("only the model calls {} heap", format_range(mapping.range)));
    }
  }
}

}  // namespace

std::vector<std::string> compare_with_kernel(const AddressSpace& model,
                                             const std::vector<Mapping>& kernel) {
  std::vector<Mapping> kernel_list = kernel;
  std::ranges::sort(kernel_list, {}, [](const Mapping& m) { return m.range.begin; });
  const std::vector<Mapping> model_list = model.mappings();
  forget_stack_growth(model_list, kernel_list);
  std::vector<std::string> lines;
  compare_lists(normalise(model_list), normalise(kernel_list), lines);
  compare_heap(model, model_list, kernel_list, lines);
  return lines;
}

}  // namespace mini::model
