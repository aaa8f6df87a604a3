// Formats: fs/binfmt_elf.c of the kernel (fill_files_note) and include/linux/elfcore.h
// (elf_prstatus).
#include "sources/core_notes.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <elf.h>

#include "base/checked.h"
#include "kernel/proc_status.h"
#include "kernel/registers.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostThreads = 1 << 20;

// Offsets in elf_prstatus, and in the registers behind its first fields.
constexpr std::size_t kSignal = 12;
constexpr std::size_t kThreadId = 32;
constexpr std::size_t kProcessId = 24;  // in elf_prpsinfo
constexpr std::size_t kSignalCode = 8;  // in siginfo_t
constexpr std::size_t kSender = 16;     // the same, where a process sent the signal
constexpr std::size_t kRegisters = 112;
#if defined(__aarch64__)
constexpr std::size_t kStackPointer = kRegisters + 8UL * 31;
constexpr std::size_t kCode = kRegisters + 8UL * 32;
constexpr std::size_t kThreadPointer = 0;  // in a note of its own
#else
constexpr std::size_t kStackPointer = kRegisters + 8UL * 19;
constexpr std::size_t kCode = kRegisters + 8UL * 16;
constexpr std::size_t kThreadPointer = kRegisters + 8UL * 21;  // fs_base
#endif

/// Signals that the process itself is the reason for: of abort, of the processor.
constexpr std::array kSignalsOfCrashes = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

template <typename T>
std::optional<T> object_in(std::span<const std::byte> bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T object;
  std::memcpy(&object, bytes.data() + offset, sizeof object);
  return object;
}

// A watchdog, or somebody with kill(1), ends a process that was well by the signals of crashes too.
// abort() and raise() send them as well, but to their own process.
void take_signal(CoreNotes& notes, std::span<const std::byte> information) {
  const auto code = object_in<std::int32_t>(information, kSignalCode);
  const auto sender = object_in<std::int32_t>(information, kSender);
  if (code && sender && *code <= 0) notes.sender = *sender;
}

void take_thread(CoreNotes& notes, std::span<const std::byte> status) {
  const auto id = object_in<std::int32_t>(status, kThreadId);
  const auto stack = object_in<std::uint64_t>(status, kStackPointer);
  if (!id || !stack || notes.threads.size() >= kMostThreads) return;
  model::InspectedThread thread{.id = *id, .stack_pointer = Address{*stack}};
  const auto pointer =
      kThreadPointer != 0 ? object_in<std::uint64_t>(status, kThreadPointer) : std::nullopt;
  if (pointer) thread.thread_pointer = Address{*pointer};
  if (const auto code = object_in<std::uint64_t>(status, kCode)) thread.code = Address{*code};
  for (std::size_t at = kRegisters; const auto word = object_in<std::uint64_t>(status, at);) {
    thread.registers.push_back(*word);
    at += sizeof *word;
  }
  const auto signal = object_in<std::int16_t>(status, kSignal);
  if (notes.threads.empty() && signal) notes.signal = *signal;
#if defined(__x86_64__)
  const auto result = object_in<std::uint64_t>(status, kRegisters + 8UL * 10);  // rax
  const auto number = object_in<std::uint64_t>(status, kRegisters + 8UL * 15);  // orig_rax
  thread.waits = result && number && kernel::is_waiting_call(*number, *result);
#endif
  notes.threads.push_back(std::move(thread));
}

void take_files(CoreNotes& notes, std::span<const std::byte> description) {
  struct Head {
    std::uint64_t count;
    std::uint64_t page_size;
  };
  struct Entry {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t page_offset;
  };
  const auto head = object_in<Head>(description, 0);
  if (!head || head->count > description.size() / sizeof(Entry)) return;
  std::size_t name = sizeof(Head) + head->count * sizeof(Entry);
  for (std::uint64_t i = 0; i < head->count && name < description.size(); ++i) {
    const auto entry = object_in<Entry>(description, sizeof(Head) + i * sizeof(Entry));
    const auto* const text = reinterpret_cast<const char*>(description.data()) + name;
    const std::size_t length = ::strnlen(text, description.size() - name);
    name += length + 1;
    const auto offset =
        entry ? checked_multiply(entry->page_offset, head->page_size) : std::nullopt;
    if (!offset || entry->begin >= entry->end) continue;
    notes.files.push_back({.range = {Address{entry->begin}, Address{entry->end}},
                           .file_offset = *offset,
                           .path = {text, length}});
  }
}

void take_auxv(CoreNotes& notes, std::span<const std::byte> description) {
  const kernel::AuxiliaryVector auxv = kernel::parse_auxv(description);
  notes.program_headers = auxv.headers;
  notes.interpreter = auxv.base;
}

void take_note(CoreNotes& notes, std::uint32_t type, std::span<const std::byte> description) {
  constexpr std::uint32_t kFileNote = 0x46494c45;     // NT_FILE
  constexpr std::uint32_t kSignalNote = 0x53494749;   // NT_SIGINFO
  constexpr std::uint32_t kArmThreadPointer = 0x401;  // NT_ARM_TLS, behind its thread's status
  if (type == NT_PRSTATUS) take_thread(notes, description);
  if (type == NT_PRPSINFO) notes.pid = object_in<std::int32_t>(description, kProcessId).value_or(0);
  if (type == kSignalNote) take_signal(notes, description);
  if (type == kFileNote) take_files(notes, description);
  if (type == NT_AUXV) take_auxv(notes, description);
  if (type == kArmThreadPointer && kThreadPointer == 0 && !notes.threads.empty()) {
    if (const auto pointer = object_in<std::uint64_t>(description, 0)) {
      notes.threads.back().thread_pointer = Address{*pointer};
    }
  }
}

}  // namespace

void add_notes(CoreNotes& notes, std::span<const std::byte> segment) {
  const auto align = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  std::uint64_t at = 0;
  while (const auto header = object_in<Elf64_Nhdr>(segment, at)) {
    const std::uint64_t description = at + sizeof *header + align(header->n_namesz);
    if (description > segment.size() || segment.size() - description < header->n_descsz) return;
    take_note(notes, header->n_type, segment.subspan(description, header->n_descsz));
    at = description + align(header->n_descsz);
  }
}

std::optional<model::CoreEnd> end_of(const CoreNotes& notes) {
  if (notes.signal <= 0 || notes.threads.empty()) return std::nullopt;
  const bool is_others = notes.sender.value_or(notes.pid) != notes.pid;
  return model::CoreEnd{.signal = notes.signal,
                        .thread = notes.threads.front().id,
                        .sender = is_others ? notes.sender : std::nullopt};
}

bool has_crashed(const CoreNotes& notes) {
  const auto ended = end_of(notes);
  return ended && !ended->sender &&
         std::ranges::find(kSignalsOfCrashes, ended->signal) != kSignalsOfCrashes.end();
}

}  // namespace mini::sources
