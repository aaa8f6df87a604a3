#include "story.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace mini::explain {
namespace {

using model::Event;
using model::EventKind;

constexpr Bytes kPage{4096};

constexpr std::array<std::pair<char, std::string_view>, 12> kModules = {{
    {'c', kLibcPath},
    {'l', "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
    {'p', kProgramPath},
    {'s', "/usr/lib/x86_64-linux-gnu/libselinux.so.1"},
    {'x', "/usr/lib/libother.so.2"},
    {'C', "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30"},
    {'j', "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"},
    {'v', "/usr/lib/jvm/lib/server/libjvm.so"},
    {'y', "/usr/bin/python3.11"},
    {'m', "/lib/ld-musl-x86_64.so.1"},
    {'k', "[vdso]"},
    {'-', ""},
}};

std::string_view take(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

unwind::Frame frame_of(std::string_view word) {
  unwind::Frame frame;
  frame.function = take(word, '@');
  if (frame.function == "?") frame.function.clear();
  std::ranges::replace(frame.function, '~', ' ');
  const std::string_view module = take(word, ':');
  const auto found =
      std::ranges::find(kModules, module.at(0), [](const auto& m) { return m.first; });
  frame.module = found->second;
  frame.file = take(word, ':');
  std::from_chars(word.data(), word.data() + word.size(), frame.line);
  return frame;
}

model::Argument number(std::string_view name, std::uint64_t value) {
  return {.name = name, .form = model::Argument::Form::kNumber, .value = value, .text = {}};
}

model::Protection protection_of(std::uint64_t prot) {
  return {.read = (prot & 1) != 0, .write = (prot & 2) != 0, .execute = (prot & 4) != 0};
}

}  // namespace

unwind::CallStackRef stack_of(std::string_view text, unwind::StackEnd end) {
  auto stack = std::make_shared<unwind::CallStack>();
  stack->end = end;
  while (!text.empty()) {
    const std::string_view word = take(text, ' ');
    if (!word.empty()) stack->frames.push_back(frame_of(word));
  }
  return stack;
}

model::Process make_process(bool is_static) {
  model::Process process;
  process.pid = 100;
  process.executable = kProgramPath;
  if (!is_static) process.interpreter = "/lib64/ld-linux-x86-64.so.2";
  process.space = std::make_shared<model::AddressSpace>();
  return process;
}

model::MallocState malloc_state(std::optional<std::uint64_t> top, std::uint64_t top_bytes) {
  model::MallocState state;
  state.glibc_version = "2.36";
  if (top) state.top = Address{*top};
  state.top_bytes = Bytes{top_bytes};
  state.top_pad = state.mmap_threshold = state.trim_threshold = Bytes{131072};
  return state;
}

void Story::tell(Event& event, std::string_view stack, Bytes mapped_before) {
  event.pid = event.tid = process.pid;
  if (!stack.empty()) event.stack = stack_of(stack);
  event.mapped_before = mapped_before;
  event.mapped_bytes = process.space->mapped_bytes();
  event.heap_bytes = process.space->heap_bytes();
  explain(event, process);
}

Event Story::brk(std::uint64_t to, std::string_view stack) {
  Event event;
  event.syscall = "brk";
  event.arguments = {number("addr", to)};
  event.break_before = process.space->program_break();
  const Bytes before = process.space->mapped_bytes();
  if (to != 0) process.space->set_break(Address{to}, kPage);
  event.break_after = process.space->program_break();
  if (event.break_before && event.break_after) {
    const auto up = [](Address a) { return Address{(a.value + 4095) & ~4095ULL}; };
    event.range = {std::min(up(*event.break_before), up(*event.break_after)),
                   std::max(up(*event.break_before), up(*event.break_after))};
  }
  event.malloc_state = std::exchange(next_state, {});
  event.malloc_request = std::exchange(next_request, {});
  tell(event, stack, before);
  return event;
}

Event Story::brk(std::uint64_t to, std::string_view stack, const model::MallocState& state,
                 std::optional<model::MallocRequest> request) {
  next_state = state;
  next_request = request;
  return brk(to, stack);
}

Event Story::mmap(AddressRange range, std::string_view stack, std::string path, std::uint64_t prot,
                  std::uint64_t flags, std::uint64_t offset) {
  model::Mapping mapping;
  mapping.range = range;
  mapping.protection = protection_of(prot);
  mapping.shared = (flags & 1) != 0;
  mapping.inode = path.starts_with('/') ? 7 : 0;
  mapping.path = std::move(path);
  mapping.file_offset = offset;
  Event event;
  event.syscall = "mmap";
  event.arguments = {number("addr", 0), number("length", range.size().count), number("prot", prot),
                     number("flags", flags)};
  event.range = range;
  const Bytes before = process.space->mapped_bytes();
  process.space->map(mapping);
  event.mappings_before = process.space->within(range);
  event.malloc_state = std::exchange(next_state, {});
  event.malloc_request = std::exchange(next_request, {});
  tell(event, stack, before);
  return event;
}

Event Story::munmap(AddressRange range, std::string_view stack) {
  Event event;
  event.syscall = "munmap";
  event.arguments = {number("addr", range.begin.value), number("length", range.size().count)};
  event.range = range;
  event.mappings_before = process.space->within(range);
  const Bytes before = process.space->mapped_bytes();
  process.space->unmap(range);
  event.malloc_state = std::exchange(next_state, {});
  tell(event, stack, before);
  return event;
}

Event Story::mprotect(AddressRange range, std::uint64_t prot, std::string_view stack) {
  Event event;
  event.syscall = "mprotect";
  event.arguments = {number("addr", range.begin.value), number("len", range.size().count),
                     number("prot", prot)};
  event.range = range;
  event.mappings_before = process.space->within(range);
  process.space->protect(range, protection_of(prot));
  event.malloc_state = std::exchange(next_state, {});
  tell(event, stack, process.space->mapped_bytes());
  return event;
}

Event Story::madvise(AddressRange range, std::string_view stack, std::string advice) {
  Event event;
  event.syscall = "madvise";
  event.arguments = {{.name = "advice", .form = {}, .value = {}, .text = std::move(advice)}};
  event.range = range;
  event.mappings_before = process.space->within(range);
  tell(event, stack, process.space->mapped_bytes());
  return event;
}

Event Story::failed(std::string_view syscall, int error_number, std::string_view stack) {
  Event event;
  event.syscall = syscall;
  event.result = -1;
  event.error_number = error_number;
  tell(event, stack, process.space->mapped_bytes());
  return event;
}

Event Story::exec() {
  Event event;
  event.kind = EventKind::kExec;
  event.syscall = "execve";
  tell(event, "", process.space->mapped_bytes());
  return event;
}

Event Story::of_kind(EventKind kind, std::string note) {
  Event event;
  event.kind = kind;
  event.note = std::move(note);
  if (kind == EventKind::kThreadExit || kind == EventKind::kProcessExit) event.syscall = "exit";
  tell(event, "", process.space->mapped_bytes());
  return event;
}

}  // namespace mini::explain
