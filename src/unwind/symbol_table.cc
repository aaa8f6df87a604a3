// The functions of one symbol table, found by address; its symbols, found by name.
#include "unwind/symbol_table.h"

#include <algorithm>
#include <elf.h>
#include <gelf.h>

#include "base/checked.h"
#include "unwind/demangle.h"

namespace mini::unwind {
namespace {

// Steps back from an address over functions that begin before it and end before it: real tables
// need one or two, a hostile one could ask for millions.
constexpr std::size_t kMaxStepsBack = 4096;
// Names that are compared each time a function is asked for; of more the best is chosen at once.
constexpr std::size_t kMaxAliases = 64;

/// Where the sections of code end, by number; 0 of others.
std::vector<std::uint64_t> code_section_ends(Elf* elf) {
  std::vector<std::uint64_t> ends(1);  // index 0 is SHN_UNDEF
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    const bool is_code =
        gelf_getshdr(section, &header) != nullptr && (header.sh_flags & SHF_EXECINSTR) != 0;
    ends.push_back(is_code ? checked_add<std::uint64_t>(header.sh_addr, header.sh_size).value_or(0)
                           : 0);
  }
  return ends;
}

/// Calls visit(symbol, section of its name) for each defined symbol of the table that has a name;
/// stops where it returns false.
template <typename Visit>
void for_each_symbol(Elf* elf, SymbolTable::Kind kind, Visit visit) {
  const GElf_Word wanted = kind == SymbolTable::Kind::kStatic ? SHT_SYMTAB : SHT_DYNSYM;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != wanted) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return;
    const auto count =
        static_cast<int>(std::min<std::uint64_t>(data->d_size / sizeof(Elf64_Sym), 1U << 30));
    for (int i = 1; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) return;
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name == 0) continue;
      if (!visit(symbol, header.sh_link)) return;
    }
    return;
  }
}

std::size_t leading_underscores(std::string_view name) {
  return std::min(name.find_first_not_of('_'), name.size());
}

}  // namespace

struct SymbolTable::Candidate {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  Name name = 0;
  std::uint16_t section = 0;
  bool is_function = false;  // by its type, and not only by the section it is in

  // At one address: those with a size first, then functions.
  unsigned rank() const { return (size == 0 ? 2U : 0U) + (is_function ? 0U : 1U); }
  bool operator<(const Candidate& other) const {
    return begin != other.begin ? begin < other.begin : rank() < other.rank();
  }
};

bool is_better_alias(std::string_view a, std::string_view b) {
  a = without_version(a);
  b = without_version(b);
  const std::size_t underscores_a = leading_underscores(a);
  const std::size_t underscores_b = leading_underscores(b);
  if (underscores_a != underscores_b) return underscores_a < underscores_b;
  if (a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

SymbolTable::SymbolTable(const ElfFile& file, Kind kind) : file_(file), kind_(kind) {
  const std::vector<std::uint64_t> section_ends = code_section_ends(file.elf());
  std::vector<Candidate> candidates;
  for_each_symbol(file.elf(), kind, [&](const GElf_Sym& symbol, std::size_t strings) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!is_function && type != STT_NOTYPE) return true;
    if (symbol.st_shndx >= section_ends.size() || section_ends[symbol.st_shndx] == 0) return true;
    strings_ = strings;
    candidates.push_back(
        {symbol.st_value, symbol.st_size, symbol.st_name, symbol.st_shndx, is_function});
    return true;
  });
  keep_functions(std::move(candidates), section_ends);
}

std::string_view SymbolTable::text_of(Name name) const {
  const char* const text = elf_strptr(file_.elf(), strings_, name);
  return text != nullptr ? std::string_view(text) : std::string_view();
}

// REQUIRES: equals in their order. Those of one size are names of one function, of which the best
// is taken when it is asked for; where they differ in it, it decides of the function, too.
void SymbolTable::add_names(std::span<const Candidate> aliases, Entry* entry) {
  const Candidate* chosen = aliases.data();
  const bool is_one =
      aliases.size() <= kMaxAliases && std::ranges::all_of(aliases, [&](const Candidate& alias) {
        return alias.size == chosen->size;
      });
  if (!is_one) {
    chosen = &*std::ranges::min_element(
        aliases, is_better_alias, [this](const Candidate& alias) { return text_of(alias.name); });
    aliases = {chosen, 1};
  }
  entry->begin = chosen->begin;
  entry->end = checked_add(chosen->begin, chosen->size).value_or(0);
  entry->first_name = static_cast<std::uint32_t>(names_.size());
  entry->names_count = static_cast<std::uint32_t>(aliases.size());
  for (const Candidate& alias : aliases) names_.push_back(alias.name);
}

void SymbolTable::keep_functions(std::vector<Candidate> candidates,
                                 const std::vector<std::uint64_t>& section_ends) {
  std::sort(candidates.begin(), candidates.end());
  names_.reserve(candidates.size());
  sized_.reserve(candidates.size());
  std::uint64_t furthest_end = 0;
  for (std::size_t i = 0; i < candidates.size();) {
    const Candidate& first = candidates[i];
    std::size_t past_aliases = i;
    while (past_aliases < candidates.size() && !(first < candidates[past_aliases])) {
      ++past_aliases;
    }
    std::size_t next = past_aliases;
    while (next < candidates.size() && candidates[next].begin == first.begin) ++next;
    Entry entry;
    add_names({candidates.data() + i, past_aliases - i}, &entry);
    i = next;
    if (first.size > 0) {
      if (entry.end == 0) continue;
      entry.furthest_end = furthest_end = std::max(furthest_end, entry.end);
      sized_.push_back(entry);
    } else if (kind_ == Kind::kStatic) {
      entry.end = section_ends[first.section];
      if (next < candidates.size()) entry.end = std::min(entry.end, candidates[next].begin);
      unsized_.push_back(entry);
    }
  }
}

std::optional<Symbol> SymbolTable::named(const Entry& entry) const {
  std::string_view best;
  for (std::uint32_t i = 0; i < entry.names_count; ++i) {
    const std::string_view name = text_of(names_[entry.first_name + i]);
    if (!name.empty() && (best.empty() || is_better_alias(name, best))) best = name;
  }
  if (best.empty()) return std::nullopt;
  return Symbol{entry.begin, best};
}

std::optional<Symbol> SymbolTable::function_at(std::uint64_t address) const {
  const auto last_not_after = [address](const std::vector<Entry>& entries) {
    return static_cast<std::size_t>(std::ranges::upper_bound(entries, address, {}, &Entry::begin) -
                                    entries.begin());
  };
  std::size_t steps = 0;
  for (std::size_t i = last_not_after(sized_); i > 0 && steps < kMaxStepsBack; --i, ++steps) {
    const Entry& entry = sized_[i - 1];
    if (entry.end > address) return named(entry);
    if (entry.furthest_end <= address) break;
  }
  const std::size_t i = last_not_after(unsized_);
  if (i > 0 && unsized_[i - 1].end > address) return named(unsized_[i - 1]);
  return std::nullopt;
}

std::optional<std::uint64_t> SymbolTable::address_of(std::string_view name) const {
  std::optional<std::uint64_t> address;
  for_each_symbol(file_.elf(), kind_, [&](const GElf_Sym& symbol, std::size_t strings) {
    const auto type = GELF_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE) return true;
    const char* const text = elf_strptr(file_.elf(), strings, symbol.st_name);
    if (text == nullptr || name != without_version(text)) return true;
    address = symbol.st_value;
    return false;
  });
  return address;
}

}  // namespace mini::unwind
