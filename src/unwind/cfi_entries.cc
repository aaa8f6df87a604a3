// The entries of .eh_frame and .debug_frame (DWARF 5, §6.4.1; LSB core, "Exception Frames").
#include "unwind/cfi_entries.h"

#include <algorithm>
#include <dwarf.h>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/checked.h"
#include "base/eh_pointer.h"

namespace mini::unwind {
namespace {

// The largest programs have a tenth of it; a compressed section of a few bytes may hold many more.
constexpr std::size_t kMaxEntries = 1 << 22;
// Linkers leave a few of .eh_frame, and of .debug_frame one for each translation unit.
constexpr std::size_t kMaxCommons = 1 << 16;
constexpr std::size_t kMaxLetters = 16;
constexpr std::uint64_t kOffset64 = 0xffffffff;  // a length that says: mine is the next 8 bytes
constexpr std::uint64_t kFirstReserved = 0xfffffff0;

struct RawEntry {
  bool is_common = false;
  std::uint64_t common_offset = 0;  // of another: where its common entry is in the section
  ByteCursor content{ByteRange{}};  // what comes after
};

/// Takes the entry at the cursor. False at the end of the list.
bool take_entry(ByteCursor& bytes, const CfiSection& section, RawEntry* entry) {
  std::uint64_t length = bytes.take<std::uint32_t>();
  const bool is_64 = length == kOffset64;
  if (is_64) {
    length = bytes.take<std::uint64_t>();
  } else if (length >= kFirstReserved) {
    return false;
  }
  if (length == 0) return false;
  entry->content = ByteCursor(bytes.take_range(length));
  if (!bytes.ok()) return false;
  const std::uint64_t id_offset = entry->content.at() - section.bytes.begin;
  // In .eh_frame of four bytes, however long the entry may be, and a distance.
  if (section.kind == CfiSection::Kind::kEhFrame) {
    const std::uint64_t distance = entry->content.take<std::uint32_t>();
    entry->is_common = distance == 0;
    entry->common_offset = id_offset - distance;
  } else if (is_64) {
    entry->common_offset = entry->content.take<std::uint64_t>();
    entry->is_common = entry->common_offset == DW_CIE_ID_64;
  } else {
    entry->common_offset = entry->content.take<std::uint32_t>();
    entry->is_common = entry->common_offset == DW_CIE_ID_32;
  }
  return true;
}

/// The string at the cursor; nullopt where it has no end, or is longer than any augmentation.
std::optional<std::string_view> take_letters(ByteCursor& bytes) {
  const char* const begin = reinterpret_cast<const char*>(bytes.at());
  for (std::size_t length = 0; length <= kMaxLetters; ++length) {
    const char letter = bytes.take<char>();
    if (!bytes.ok()) return std::nullopt;
    if (letter == '\0') return std::string_view(begin, length);
  }
  return std::nullopt;
}

/// The letters behind an augmentation's 'z', and the data they announce. What comes after a letter
/// that is not known is not known either, but how long it is.
bool take_augmentation(std::string_view letters, ByteCursor data, CommonEntry* common) {
  for (const char letter : letters) {
    std::uint64_t ignored = 0;
    switch (letter) {
      case 'R':
        common->pointer_encoding = data.take<std::uint8_t>();
        break;
      case 'P':
        if (!take_eh_number(data, data.take<std::uint8_t>(), &ignored)) return false;
        break;
      case 'L':
        data.take<std::uint8_t>();
        break;
      case 'S':
        common->is_signal_frame = true;
        break;
      case 'B':  // AArch64's: return addresses are signed with the other key
        break;
      default:
        return data.ok();
    }
  }
  return data.ok();
}

std::optional<CommonEntry> read_common(ByteCursor bytes) {
  CommonEntry common;
  const auto version = bytes.take<std::uint8_t>();
  if (version != 1 && version != 3 && version != 4) return std::nullopt;
  const auto letters = take_letters(bytes);
  if (!letters) return std::nullopt;
  if (version == 4) {
    const auto address_bytes = bytes.take<std::uint8_t>();
    const auto segment_bytes = bytes.take<std::uint8_t>();
    if (address_bytes != 8 || segment_bytes != 0) return std::nullopt;
  }
  common.code_alignment = bytes.take_uleb();
  common.data_alignment = bytes.take_sleb();
  common.return_register = version == 1 ? bytes.take<std::uint8_t>() : bytes.take_uleb();
  if (letters->starts_with('z')) {
    const ByteRange data = bytes.take_range(bytes.take_uleb());
    common.has_augmentation_data = true;
    if (!bytes.ok() || !take_augmentation(letters->substr(1), ByteCursor(data), &common))
      return std::nullopt;
  } else if (!letters->empty()) {
    return std::nullopt;
  }
  common.instructions = bytes.rest();
  if (!bytes.ok()) return std::nullopt;
  return common;
}

}  // namespace

/// What is needed only until all entries are read.
struct CfiEntries::Reading {
  // Of each common entry that was asked for by its offset; nullopt where there is none.
  std::unordered_map<std::uint64_t, std::optional<std::uint32_t>> commons;
  std::uint64_t last_offset = ~std::uint64_t{0};
  std::optional<std::uint32_t> last;
};

CfiEntries::CfiEntries(const CfiSection& section) : section_(section) {
  Reading reading;
  RawEntry entry;
  ByteCursor bytes = cursor_at(0);
  while (entries_.size() < kMaxEntries && take_entry(bytes, section_, &entry)) {
    if (!entry.is_common) add(entry.content, entry.common_offset, &reading);
  }
  std::ranges::sort(entries_, {}, [](const Entry& e) {
    return std::pair(e.begin, ~e.instructions_begin);  // the first of the section last
  });
}

ByteCursor CfiEntries::cursor_at(std::uint64_t offset) const {
  ByteCursor bytes(section_.bytes);
  bytes.skip(offset);
  return bytes;
}

std::optional<std::uint32_t> CfiEntries::common_at(std::uint64_t offset, Reading* reading) {
  if (offset == reading->last_offset) return reading->last;
  reading->last_offset = offset;
  reading->last = std::nullopt;
  const auto known = reading->commons.find(offset);
  if (known != reading->commons.end()) return reading->last = known->second;
  if (reading->commons.size() == kMaxCommons) return std::nullopt;
  RawEntry entry;
  ByteCursor bytes = cursor_at(offset);
  if (take_entry(bytes, section_, &entry) && entry.is_common) {
    if (const auto common = read_common(entry.content)) {
      reading->last = static_cast<std::uint32_t>(commons_.size());
      commons_.push_back(*common);
    }
  }
  reading->commons.emplace(offset, reading->last);
  return reading->last;
}

void CfiEntries::add(ByteCursor content, std::uint64_t common_offset, Reading* reading) {
  const auto common = common_at(common_offset, reading);
  if (!common) return;
  const std::uint8_t encoding = commons_[*common].pointer_encoding;
  Entry entry;
  std::uint64_t size = 0;
  if (!take_pointer(content, encoding, section_, &entry.begin) ||
      !take_eh_number(content, encoding, &size))
    return;
  if (commons_[*common].has_augmentation_data) content.skip(content.take_uleb());
  const auto end = checked_add(entry.begin, size);
  if (!content.ok() || !end || size == 0) return;
  const ByteRange instructions = content.rest();
  entry.end = *end;
  entry.instructions_begin = static_cast<std::uint32_t>(instructions.begin - section_.bytes.begin);
  entry.instructions_end = static_cast<std::uint32_t>(instructions.end - section_.bytes.begin);
  entry.common = *common;
  entries_.push_back(entry);
}

std::optional<FrameEntry> CfiEntries::find(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(entries_, address, {}, &Entry::begin);
  if (after == entries_.begin()) return std::nullopt;
  const Entry& entry = *std::prev(after);
  if (entry.end <= address) return std::nullopt;
  const std::uintptr_t base = section_.bytes.begin;
  return FrameEntry{commons_[entry.common],
                    entry.begin,
                    entry.end,
                    {base + entry.instructions_begin, base + entry.instructions_end}};
}

}  // namespace mini::unwind
