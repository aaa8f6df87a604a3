// How a mapping's parts are written, and what makes two neighbours one mapping.
#include "model/mapping.h"

#include <array>

namespace mini::model {
namespace {

// In the order of Role.
constexpr std::array<std::string_view, 17> kRoleNames = {
    "unknown",      "program file", "library file",  "loader", "bss",           "data file",
    "heap",         "main stack",   "thread stack",  "guard",  "malloc arena",  "mmapped chunk",
    "runtime heap", "anonymous",    "shared memory", "kernel", "heapspy's own",
};
static_assert(static_cast<std::size_t>(Role::kAgent) + 1 == kRoleNames.size());

}  // namespace

std::string format_protection(Protection protection) {
  return {protection.read ? 'r' : '-', protection.write ? 'w' : '-',
          protection.execute ? 'x' : '-'};
}

std::string_view role_name(Role role) {
  return kRoleNames.at(static_cast<std::size_t>(role));
}

bool is_path_of_file(std::string_view path) {
  return path.starts_with('/') && !path.starts_with("/anon_hugepage");
}

bool is_anonymous(const Mapping& mapping) {
  return mapping.inode == 0 && !mapping.shared && !mapping.path.starts_with('/');
}

bool continues(const Mapping& first, const Mapping& second) {
  return first.range.end == second.range.begin && first.protection == second.protection &&
         first.shared == second.shared && first.device == second.device &&
         first.inode == second.inode && first.path == second.path &&
         (is_anonymous(first) ||
          first.file_offset + first.range.size().count == second.file_offset);
}

Mapping slice(const Mapping& mapping, AddressRange part) {
  Mapping piece = mapping;
  piece.range = part;
  if (!is_anonymous(mapping)) {
    piece.file_offset += (part.begin - mapping.range.begin).count;
  }
  return piece;
}

}  // namespace mini::model
