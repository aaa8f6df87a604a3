// Makes the bytes of .eh_frame_hdr and .eh_frame, right and wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "unwind/self/eh_frame.h"

namespace mini::unwind::self {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void append(Bytes& bytes, T value) {
  bytes.resize(bytes.size() + sizeof value);
  std::memcpy(bytes.data() + bytes.size() - sizeof value, &value, sizeof value);
}

inline void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

/// One common entry and one description of code for each Code, in one block: the header, its
/// table, then the entries. Addresses are relative to the block, so it is right wherever it lies.
struct SectionsOptions {
  Bytes augmentation = {'z', 'R', 0};
  Bytes augmentation_data = {0x1b};                   // pc-relative, four bytes, signed
  Bytes common_instructions = {0x0c, 7, 8, 0x90, 1};  // CFA = rsp + 8; return address at CFA - 8
  std::uint8_t table_encoding = 0x3b;
  std::uint8_t return_register = 16;
};

struct Code {
  std::int32_t begin = 0;  // from the block's begin
  std::uint32_t bytes = 0;
  Bytes instructions;
};

inline Bytes make_sections(const SectionsOptions& options, const std::vector<Code>& codes) {
  Bytes entries;
  const auto base = static_cast<std::int32_t>(12 + 8 * codes.size());
  Bytes common;
  append(common, std::uint32_t{0});
  append(common, std::uint8_t{1});
  append(common, options.augmentation);
  append(common, Bytes{1, 0x78, options.return_register});  // alignments 1 and -8
  if (options.augmentation[0] == 'z') {
    append(common, static_cast<std::uint8_t>(options.augmentation_data.size()));
    append(common, options.augmentation_data);
  }
  append(common, options.common_instructions);
  append(entries, static_cast<std::uint32_t>(common.size()));
  append(entries, common);
  Bytes table;
  for (const Code& code : codes) {
    const auto at = static_cast<std::int32_t>(entries.size());
    append(table, code.begin);
    append(table, base + at);
    append(entries, static_cast<std::uint32_t>(13 + code.instructions.size()));
    append(entries, static_cast<std::uint32_t>(at + 4));
    append(entries, code.begin - (base + at + 8));
    append(entries, code.bytes);
    append(entries, std::uint8_t{0});
    append(entries, code.instructions);
  }
  append(entries, std::uint32_t{0});
  Bytes all = {1, 0x1b, 0x03, options.table_encoding};
  append(all, base - 4);
  append(all, static_cast<std::uint32_t>(codes.size()));
  append(all, table);
  append(all, entries);
  return all;
}

inline EhFrame sections_of(const Bytes& bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return {begin, {begin, begin + bytes.size()}};
}

}  // namespace mini::unwind::self
