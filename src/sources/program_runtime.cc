#include "sources/program_runtime.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <span>
#include <string_view>
#include <vector>

#include "base/checked.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kMostHeaders = 64;  // a program has a dozen
constexpr std::uint64_t kLongestNotes = 4096;

struct Runtime {
  std::string_view note_owner;
  std::string_view name;
};

// Go: cmd/link/internal/ld/elf.go, ELF_NOTE_GO_NAME (1.19).
constexpr Runtime kRuntimes[] = {{"Go", "Go runtime"}};

std::vector<std::byte> read_bytes(const MemoryReader& memory, Address from, std::uint64_t size) {
  std::vector<std::byte> bytes(size);
  bytes.resize(memory.read(from, bytes));
  return bytes;
}

std::vector<Elf64_Phdr> read_headers(const MemoryReader& memory, Address at, std::uint64_t count) {
  std::vector<Elf64_Phdr> headers(std::min(count, kMostHeaders));
  const std::size_t got = memory.read(at, std::as_writable_bytes(std::span(headers)));
  headers.resize(got / sizeof(Elf64_Phdr));
  return headers;
}

// By how much the program lies above the addresses its file was linked for.
std::uint64_t load_bias(const std::vector<Elf64_Phdr>& headers, Address at) {
  const auto self =
      std::ranges::find(headers, static_cast<Elf64_Word>(PT_PHDR), &Elf64_Phdr::p_type);
  return self != headers.end() ? at.value - self->p_vaddr : 0;
}

// Notes are padded to 4 bytes; a size that leads out of `notes` ends the walk.
std::string_view runtime_in(std::span<const std::byte> notes) {
  constexpr Bytes kPadding{4};
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof note);
    notes = notes.subspan(sizeof note);
    const auto owner_size = checked_round_up(Bytes{note.n_namesz}, kPadding);
    const auto text_size = checked_round_up(Bytes{note.n_descsz}, kPadding);
    if (!owner_size || !text_size || owner_size->count > notes.size()) return "";
    std::string_view owner(reinterpret_cast<const char*>(notes.data()), note.n_namesz);
    owner = owner.substr(0, owner.find('\0'));  // Go counts its padding as part of the name
    const auto* found = std::ranges::find(kRuntimes, owner, &Runtime::note_owner);
    if (found != std::ranges::end(kRuntimes)) return found->name;
    notes = notes.subspan(owner_size->count);
    if (text_size->count > notes.size()) return "";
    notes = notes.subspan(text_size->count);
  }
  return "";
}

}  // namespace

std::string find_runtime(const MemoryReader& memory, Address headers, std::uint64_t headers_count) {
  const std::vector<Elf64_Phdr> list = read_headers(memory, headers, headers_count);
  const std::uint64_t bias = load_bias(list, headers);
  for (const Elf64_Phdr& header : list) {
    if (header.p_type != PT_NOTE) continue;
    const auto notes = read_bytes(memory, Address{header.p_vaddr + bias},
                                  std::min<std::uint64_t>(header.p_memsz, kLongestNotes));
    if (const std::string_view name = runtime_in(notes); !name.empty()) return std::string(name);
  }
  return "";
}

}  // namespace mini::sources
