// File, line and inlined functions of an address, from DWARF.
#include "unwind/source_lines.h"

#include <algorithm>
#include <dwarf.h>
#include <optional>
#include <utility>

#include "unwind/debug_file.h"
#include "unwind/demangle.h"

namespace mini::unwind {
namespace {

// libdw reads all debug sections at once; above this we go without source lines.
constexpr std::uint64_t kLargestDebugInfo = std::uint64_t{1} << 30;
constexpr std::size_t kMaxUnits = 1 << 20;
constexpr std::size_t kMaxDiesPerUnit = 1 << 22;
constexpr std::size_t kMaxNesting = 64;   // of scopes: libdw goes through each one's DIEs once more
constexpr std::size_t kMaxInlined = 256;  // into each other
// Ranges that are looked at, kept or not: any number of DIEs may refer to one long list.
constexpr std::size_t kMaxUnitRanges = 1 << 22;      // of all units: one of each function, perhaps
constexpr std::size_t kMaxFunctionRanges = 1 << 21;  // of one unit
constexpr std::size_t kMaxInlinedRanges = 1 << 20;   // for one address
// The function tables of so many units, and so many ranges, are kept.
constexpr std::size_t kMaxIndexedUnits = 1 << 12;
constexpr std::size_t kMaxKeptRanges = 1 << 21;
// A byte of a line table may be a row of it, and libdw takes some hundred bytes for each.
constexpr std::uint64_t kLargestLineTable = std::uint64_t{8} << 20;
constexpr std::uint64_t kMostLineBytes = std::uint64_t{64} << 20;  // of all units asked about

/// Calls visit(begin, end) for each non-empty range of a DIE until it returns false. What is looked
/// at is taken off *left; at 0 there is no more.
template <typename Visit>
void for_each_range(Dwarf_Die* die, std::size_t* left, Visit visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t position = 0;
  for (; *left != 0; --*left) {
    position = dwarf_ranges(die, position, &base, &begin, &end);
    if (position <= 0) return;
    // A linker leaves [0, 0 + size) for what it threw away.
    if (begin < end && begin != 0 && !visit(begin, end)) return;
  }
}

bool covers(Dwarf_Die* die, std::uint64_t address, std::size_t* left) {
  bool is_in = false;
  for_each_range(die, left, [&](std::uint64_t begin, std::uint64_t end) {
    is_in = begin <= address && address < end;
    return !is_in;
  });
  return is_in;
}

/// Visits the DIEs below `top`, depth first: visit(die, tag) says whether to go into one. REQUIRES
/// of visit: cheap. Returns early at the bounds; children lie after their parent, siblings after
/// each other, or the walk stops, so it cannot loop.
template <typename Visit>
void walk_dies(Dwarf_Die* top, Visit visit) {
  std::vector<Dwarf_Die> path(1);
  if (dwarf_child(top, &path[0]) != 0) return;
  for (std::size_t visited = 0; visited < kMaxDiesPerUnit; ++visited) {
    Dwarf_Die child;
    const bool enter = visit(&path.back(), dwarf_tag(&path.back()));
    if (enter && path.size() < kMaxNesting && dwarf_child(&path.back(), &child) == 0) {
      path.push_back(child);
      continue;
    }
    while (true) {
      Dwarf_Die next;
      if (dwarf_siblingof(&path.back(), &next) == 0 && next.addr > path.back().addr) {
        path.back() = next;
        break;
      }
      path.pop_back();
      if (path.empty()) return;
    }
  }
}

bool may_contain_functions(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
      return true;
    default:
      return false;
  }
}

std::uint32_t unsigned_attribute(Dwarf_Die* die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0 ||
      value > UINT32_MAX)
    return 0;
  return static_cast<std::uint32_t>(value);
}

/// Where an inlined function was called from, into *frame.
void set_call_site(Dwarf_Die* unit, Dwarf_Die* inlined, SourceFrame* frame) {
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  const std::uint32_t index = unsigned_attribute(inlined, DW_AT_call_file);
  frame->line = unsigned_attribute(inlined, DW_AT_call_line);
  if (dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) return;
  const char* name = dwarf_filesrc(files, index, nullptr, nullptr);
  if (name != nullptr) frame->file = printable(name);
}

/// Whether libdw may join the unit's names of files: it takes for granted that DW_AT_comp_dir ends.
/// It is empty where a compiler was told to leave it out (-ffile-prefix-map).
bool has_sound_directory(Dwarf_Die* unit, const SectionStrings& strings) {
  Dwarf_Attribute attribute;
  return dwarf_attr(unit, DW_AT_comp_dir, &attribute) == nullptr ||
         strings.text(dwarf_formstring(&attribute)).has_value();
}

/// What libdw takes for it: the first of these names.
ByteRange line_tables_of(const ElfFile& file) {
  Elf_Scn* section = file.section(".debug_line");
  Elf_Scn* const other = file.section(".zdebug_line");
  if (section == nullptr || (other != nullptr && elf_ndxscn(other) < elf_ndxscn(section))) {
    section = other;
  }
  const Elf_Data* const data = section != nullptr ? elf_rawdata(section, nullptr) : nullptr;
  if (data == nullptr || data->d_buf == nullptr) return {};
  const auto begin = reinterpret_cast<std::uintptr_t>(data->d_buf);
  return {begin, begin + data->d_size};
}

/// As the table at `offset` says; no less than any where there is none.
std::uint64_t line_table_bytes(ByteRange tables, std::uint64_t offset) {
  constexpr std::uint32_t kLong = 0xffffffff;  // the next 8 bytes say it
  ByteCursor bytes(tables);
  bytes.skip(offset);
  const auto length = bytes.take<std::uint32_t>();
  const std::uint64_t whole = length == kLong ? bytes.take<std::uint64_t>() : length;
  return bytes.ok() ? whole : ~std::uint64_t{0};
}

/// Whether `inlined` is only what GCC made of a function's first part when it split the function:
/// it is "called" from the line where the function itself is declared.
bool is_split_part(Dwarf_Die* inlined, const SourceFrame& frame, const SourceFrame& caller) {
  Dwarf_Attribute attribute;
  Dwarf_Word declared = 0;
  return frame.function == caller.function && caller.line != 0 &&
         dwarf_attr_integrate(inlined, DW_AT_decl_line, &attribute) != nullptr &&
         dwarf_formudata(&attribute, &declared) == 0 && declared == caller.line;
}

void set_line(Dwarf_Die* unit, std::uint64_t address, SourceFrame* frame) {
  Dwarf_Line* line = dwarf_getsrc_die(unit, address);
  int number = 0;
  if (line == nullptr) return;
  const char* file = dwarf_linesrc(line, nullptr, nullptr);
  if (file != nullptr) frame->file = printable(file);
  if (dwarf_lineno(line, &number) == 0 && number > 0)
    frame->line = static_cast<std::uint32_t>(number);
}

/// The block or inlined function right below `scope` that `address` is in: no two are there.
std::optional<Dwarf_Die> child_at(Dwarf_Die* scope, std::uint64_t address, std::size_t* left) {
  Dwarf_Die die;
  if (dwarf_child(scope, &die) != 0) return std::nullopt;
  while (*left != 0) {
    --*left;
    const int tag = dwarf_tag(&die);
    if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) &&
        covers(&die, address, left)) {
      return die;
    }
    Dwarf_Die next;
    if (dwarf_siblingof(&die, &next) != 0 || next.addr <= die.addr) return std::nullopt;
    die = next;
  }
  return std::nullopt;
}

/// The functions inlined at `address` in `function`, outermost first.
std::vector<Dwarf_Die> inlined_at(Dwarf_Die* function, std::uint64_t address) {
  std::vector<Dwarf_Die> found;
  std::size_t left = kMaxInlinedRanges;
  for (auto die = child_at(function, address, &left); die && found.size() < kMaxInlined;
       die = child_at(&*die, address, &left)) {
    if (dwarf_tag(&*die) == DW_TAG_inlined_subroutine) found.push_back(*die);
  }
  return found;
}

}  // namespace

SourceLines::SourceLines(ElfFile& file, const std::string& root) {
  if (file.unloaded_bytes() > kLargestDebugInfo || !file.has_debug_info()) return;
  if (file.has_supplementary_link()) {
    supplement_ = find_supplementary_file(file, root);
    if (supplement_ == nullptr || supplement_->has_supplementary_link() ||
        supplement_->unloaded_bytes() > kLargestDebugInfo) {
      return;  // libdw would look for it by itself, and open whatever is there
    }
  }
  if (!begin(file)) end();
}

bool SourceLines::begin(ElfFile& file) {
  file.unpack_zstd_sections();
  dwarf_ = dwarf_begin_elf(file.elf(), DWARF_C_READ, nullptr);
  if (dwarf_ == nullptr) return false;
  if (supplement_ != nullptr) {
    supplement_->unpack_zstd_sections();
    supplementary_dwarf_ = dwarf_begin_elf(supplement_->elf(), DWARF_C_READ, nullptr);
    if (supplementary_dwarf_ == nullptr) return false;
    dwarf_setalt(dwarf_, supplementary_dwarf_);
  }
  strings_ = std::make_unique<SectionStrings>(dwarf_, supplementary_dwarf_);
  names_ = std::make_unique<FunctionNames>(*strings_);
  line_tables_ = line_tables_of(file);  // unpacked by now
  return strings_->string_sections_end();
}

void SourceLines::end() {
  if (dwarf_ != nullptr) dwarf_end(std::exchange(dwarf_, nullptr));
  if (supplementary_dwarf_ != nullptr) dwarf_end(std::exchange(supplementary_dwarf_, nullptr));
}

SourceLines::~SourceLines() {
  end();
}

void SourceLines::index_units() {
  units_indexed_ = true;
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  std::uint8_t type = 0;
  std::size_t left = kMaxUnitRanges;
  for (std::size_t i = 0; i < kMaxUnits; ++i) {
    if (dwarf_get_units(dwarf_, unit, &unit, nullptr, &type, &die, nullptr) != 0) break;
    // A skeleton has the lines and ranges of a unit whose other parts are in a file of their own.
    if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
    const Dwarf_Off offset = dwarf_dieoffset(&die);
    for_each_range(&die, &left, [&](std::uint64_t begin, std::uint64_t end) {
      units_.push_back({begin, end, offset});
      return true;
    });
  }
  std::ranges::sort(units_, {}, &Range::begin);
}

const std::vector<SourceLines::Range>& SourceLines::functions_of(Dwarf_Die unit) {
  const Dwarf_Off offset = dwarf_dieoffset(&unit);
  const auto known = functions_.find(offset);
  if (known != functions_.end()) return known->second;
  if (functions_.size() >= kMaxIndexedUnits || kept_ranges_ >= kMaxKeptRanges) {
    functions_.clear();
    kept_ranges_ = 0;
  }
  std::vector<Range>& functions = functions_[offset];
  std::size_t left = kMaxFunctionRanges;
  walk_dies(&unit, [&](Dwarf_Die* die, int tag) {
    if (tag == DW_TAG_subprogram) {
      for_each_range(die, &left, [&](std::uint64_t begin, std::uint64_t end) {
        functions.push_back({begin, end, dwarf_dieoffset(die)});
        return true;
      });
    }
    return may_contain_functions(tag);
  });
  kept_ranges_ += functions.size();
  std::ranges::sort(functions, {}, &Range::begin);
  return functions;
}

bool SourceLines::may_read_lines(Dwarf_Die* unit) {
  Dwarf_Attribute attribute;
  Dwarf_Word offset = 0;
  if (!has_sound_directory(unit, *strings_) ||
      dwarf_attr(unit, DW_AT_stmt_list, &attribute) == nullptr ||
      dwarf_formudata(&attribute, &offset) != 0) {
    return false;
  }
  const auto [read, is_new] = lines_read_.try_emplace(offset, false);
  if (is_new) {
    const std::uint64_t bytes = line_table_bytes(line_tables_, offset);
    read->second = bytes <= std::min(kLargestLineTable, kMostLineBytes - line_bytes_);
    if (read->second) line_bytes_ += bytes;
  }
  return read->second;
}

std::vector<SourceFrame> SourceLines::frames_at(std::uint64_t address) {
  if (dwarf_ == nullptr) return {};
  if (!units_indexed_) index_units();
  // Ranges of one table do not overlap in honest DWARF: the last that begins before is the one.
  const auto covering = [address](const std::vector<Range>& ranges) -> const Range* {
    const auto after = std::ranges::upper_bound(ranges, address, {}, &Range::begin);
    if (after == ranges.begin() || std::prev(after)->end <= address) return nullptr;
    return &*std::prev(after);
  };
  const Range* unit_range = covering(units_);
  Dwarf_Die unit;
  if (unit_range == nullptr || dwarf_offdie(dwarf_, unit_range->die_offset, &unit) == nullptr)
    return {};
  const bool has_lines = may_read_lines(&unit);
  std::vector<SourceFrame> frames(1);
  const Range* function_range = covering(functions_of(unit));
  Dwarf_Die function;
  if (function_range != nullptr &&
      dwarf_offdie(dwarf_, function_range->die_offset, &function) != nullptr) {
    frames[0].function = names_->of(&function);
    for (Dwarf_Die& die : inlined_at(&function, address)) {
      // So far frames[0] is the innermost: it continues at this call site.
      if (has_lines) set_call_site(&unit, &die, &frames[0]);
      SourceFrame frame{names_->of(&die), "", 0, true};
      if (!is_split_part(&die, frame, frames[0])) frames.insert(frames.begin(), std::move(frame));
    }
  }
  if (has_lines) set_line(&unit, address, &frames[0]);
  return frames;
}

}  // namespace mini::unwind
