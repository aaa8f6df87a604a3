// Binary search in .eh_frame_hdr, and the entries of .eh_frame.
#include "unwind/self/eh_frame.h"

#include "base/eh_pointer.h"

namespace mini::unwind::self {
namespace {

constexpr std::uint8_t kTableEncoding = kEhDataRelative | kEhSdata4;

// `data` is where the header begins: what data-relative pointers are relative to.
bool take_pointer(ByteCursor& bytes, std::uint8_t encoding, std::uintptr_t data,
                  std::uintptr_t* pointer) {
  return take_eh_pointer(bytes, encoding, {.here = bytes.at(), .data = data}, pointer);
}

// The bytes of the entry at `at`, without its length. False at the end of the list, too. Entries of
// 4 GiB and more, which have a longer form, do not exist.
bool entry_at(ByteRange section, std::uintptr_t at, ByteRange* entry) {
  if (!section.contains(at)) return false;
  ByteCursor bytes({at, section.end});
  const auto length = bytes.take<std::uint32_t>();
  if (length == 0) return false;
  *entry = bytes.take_range(length);
  return bytes.ok();
}

// The letters of an augmentation string behind its 'z', and the data they announce.
bool take_augmentation(ByteCursor letters, ByteCursor data, CommonInformation* common) {
  for (;;) {
    std::uint64_t ignored = 0;
    switch (letters.take<std::uint8_t>()) {
      case '\0':
        return data.ok();
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
      default:
        return false;
    }
  }
}

bool parse_common(ByteRange section, std::uintptr_t at, CommonInformation* common) {
  ByteRange entry;
  if (!entry_at(section, at, &entry)) return false;
  ByteCursor bytes(entry);
  if (bytes.take<std::uint32_t>() != 0) return false;  // not a common information entry
  const auto version = bytes.take<std::uint8_t>();
  if (version != 1 && version != 3) return false;
  ByteCursor letters(bytes.rest());
  while (bytes.take<char>() != '\0') {
  }
  common->code_alignment = bytes.take_uleb();
  common->data_alignment = bytes.take_sleb();
  common->return_register = version == 1 ? bytes.take<std::uint8_t>() : bytes.take_uleb();
  const auto first_letter = letters.take<char>();
  if (first_letter == 'z') {
    const ByteRange data = bytes.take_range(bytes.take_uleb());
    common->has_augmentation_data = true;
    if (!bytes.ok() || !take_augmentation(letters, ByteCursor(data), common)) return false;
  } else if (first_letter != '\0') {
    return false;
  }
  common->instructions = bytes.rest();
  return bytes.ok();
}

bool parse_description(const EhFrame& sections, std::uintptr_t at, FrameDescription* frame) {
  ByteRange entry;
  if (!entry_at(sections.bytes, at, &entry)) return false;
  ByteCursor bytes(entry);
  const std::uintptr_t pointer_at = bytes.at();
  const auto distance = bytes.take<std::uint32_t>();  // 0: a common information entry itself
  if (distance == 0 || !parse_common(sections.bytes, pointer_at - distance, &frame->common)) {
    return false;
  }
  const std::uint8_t encoding = frame->common.pointer_encoding;
  std::uint64_t length = 0;
  if (!take_pointer(bytes, encoding, sections.header, &frame->begin) ||
      !take_eh_number(bytes, encoding, &length) ||
      __builtin_add_overflow(frame->begin, length, &frame->end)) {
    return false;
  }
  if (frame->common.has_augmentation_data) bytes.skip(bytes.take_uleb());
  frame->instructions = bytes.rest();
  return bytes.ok();
}

bool describes(const EhFrame& sections, std::uintptr_t at, std::uintptr_t pc,
               FrameDescription* frame) {
  FrameDescription parsed;
  if (!parse_description(sections, at, &parsed)) return false;
  if (pc < parsed.begin || pc >= parsed.end) return false;
  *frame = parsed;
  return true;
}

// The table has `count` pairs of numbers relative to the header: where code begins, where its entry
// is; in the order of the code.
std::uintptr_t search_table(const EhFrame& sections, std::uintptr_t table, std::uint64_t count,
                            std::uintptr_t pc) {
  constexpr std::uint64_t kPairBytes = 8;
  const auto number = [&](std::uint64_t pair, std::uint64_t which) {
    ByteCursor bytes({table + pair * kPairBytes + which * 4, sections.bytes.end});
    return sections.header + static_cast<std::uintptr_t>(std::int64_t{bytes.take<std::int32_t>()});
  };
  std::uint64_t low = 0;
  std::uint64_t high = count;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (number(middle, 0) <= pc) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low != 0 ? number(low - 1, 1) : 0;
}

// Of a function without code. Of entries that begin together lld lists the first, and so hides the
// one of the function behind it.
bool is_empty(const EhFrame& sections, std::uintptr_t at) {
  FrameDescription frame;
  return parse_description(sections, at, &frame) && frame.begin == frame.end;
}

// Without a table: every entry from the first on. Each is four bytes at least, so this ends.
bool search_entries(const EhFrame& sections, std::uintptr_t first, std::uintptr_t pc,
                    FrameDescription* frame) {
  ByteRange entry;
  for (std::uintptr_t at = first; entry_at(sections.bytes, at, &entry); at = entry.end) {
    if (describes(sections, at, pc, frame)) return true;
  }
  return false;
}

}  // namespace

bool find_frame_description(const EhFrame& sections, std::uintptr_t pc, FrameDescription* found) {
  if (!sections.bytes.contains(sections.header)) return false;
  ByteCursor bytes({sections.header, sections.bytes.end});
  if (bytes.take<std::uint8_t>() != 1) return false;  // version
  const auto frames_encoding = bytes.take<std::uint8_t>();
  const auto count_encoding = bytes.take<std::uint8_t>();
  const auto table_encoding = bytes.take<std::uint8_t>();
  std::uintptr_t frames = 0;
  if (!take_pointer(bytes, frames_encoding, sections.header, &frames)) return false;
  std::uintptr_t count = 0;
  if (table_encoding == kTableEncoding &&
      take_pointer(bytes, count_encoding, sections.header, &count) &&
      count <= (sections.bytes.end - bytes.at()) / 8) {
    const std::uintptr_t at = search_table(sections, bytes.at(), count, pc);
    if (!is_empty(sections, at)) return describes(sections, at, pc, found);
  }
  return search_entries(sections, frames, pc, found);
}

Row compile_row(const EhFrame& sections, std::uintptr_t pc) {
  FrameDescription frame;
  if (!find_frame_description(sections, pc, &frame)) return Row(RowKind::kFramePointer);
  return run_cfa_program(frame, pc);
}

}  // namespace mini::unwind::self
