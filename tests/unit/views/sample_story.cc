#include "sample_story.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mini::views {
namespace {

using model::Argument;
using model::Cause;
using model::Event;
using model::EventKind;
using model::Mapping;
using model::Phase;
using model::Role;

constexpr std::uint64_t kHeapStart = 0x555555559000;
constexpr std::uint64_t kHeapEnd = 0x55555557a000;
constexpr std::uint64_t kLibc = 0x7ffff7dd5000;

Argument address(std::string_view name, std::uint64_t value) {
  return {.name = name, .form = Argument::Form::kAddress, .value = value, .text = {}};
}
Argument bytes(std::string_view name, std::uint64_t value) {
  return {.name = name, .form = Argument::Form::kBytes, .value = value, .text = {}};
}
Argument text(std::string_view name, std::uint64_t value, std::string words) {
  return {.name = name, .form = Argument::Form::kText, .value = value, .text = std::move(words)};
}

unwind::Frame frame(std::string function, std::string module, std::string file = {},
                    std::uint32_t line = 0) {
  unwind::Frame made;
  made.pc = Address{0x7ffff7e00000};
  made.module = std::move(module);
  made.module_offset = 0x1139;
  made.function = std::move(function);
  made.file = std::move(file);
  made.line = line;
  return made;
}

unwind::CallStackRef stack(std::vector<unwind::Frame> frames,
                           unwind::StackEnd end = unwind::StackEnd::kComplete) {
  return std::make_shared<unwind::CallStack>(unwind::CallStack{std::move(frames), end});
}

unwind::CallStackRef loader_stack() {
  return stack({frame("mmap64", "/lib64/ld-linux-x86-64.so.2"),
                frame("_dl_map_object", "/lib64/ld-linux-x86-64.so.2"),
                frame("_start", "/lib64/ld-linux-x86-64.so.2")});
}

unwind::CallStackRef stdio_stack() {
  const std::string libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  return stack({frame("brk", libc), frame("sbrk", libc), frame("malloc", libc),
                frame("_IO_file_doallocate", libc), frame("printf", libc),
                frame("main", "/home/anu/heap_spy", "/home/anu/heap_spy.c", 7)});
}

/// Builds events one after another, keeping the figures that follow from them.
class Teller {
 public:
  Teller(pid_t pid, std::string executable, std::uint64_t first_sequence = 1)
      : sequence_(first_sequence) {
    process_.pid = pid;
    process_.executable = std::move(executable);
  }

  Event& add(EventKind kind, Phase phase, Cause cause, std::string_view syscall) {
    Event event;
    event.kind = kind;
    event.sequence = sequence_++;
    event.pid = event.tid = process_.pid;
    event.time_ns = event.sequence * 250'000;
    event.syscall = syscall;
    event.phase = phase;
    event.cause = cause;
    event.break_before = event.break_after = Address{break_};
    event.heap_bytes = Bytes{break_ - kHeapStart};
    event.mapped_before = event.mapped_bytes = mapped_;
    event.rss_bytes = kKiB * (1100 + event.sequence * 20);
    event_ = std::move(event);
    return event_;
  }

  void gain(std::uint64_t count) { event_.mapped_bytes = mapped_ = mapped_ + Bytes{count}; }
  void give(std::uint64_t count) { event_.mapped_bytes = mapped_ = mapped_ - Bytes{count}; }
  void grow_stack(std::uint64_t count) {
    event_.stack_growth = Bytes{count};
    event_.mapped_before = event_.mapped_bytes = mapped_ = mapped_ + Bytes{count};
    process_.ledger.without_call.gained += Bytes{count};
    process_.ledger.by_phase[static_cast<std::size_t>(event_.phase)].gained += Bytes{count};
  }
  void move_break(std::uint64_t to) {
    event_.break_after = Address{to};
    event_.range = {Address{break_}, Address{to}};
    break_ = to;
    event_.heap_bytes = Bytes{break_ - kHeapStart};
  }

  void tell(SampleStory& story, bool shown = true) {
    count(event_);
    story.events.push_back({event_, process_, shown});
    story.summary.events_count += 1;
    story.summary.hidden_count += shown ? 0 : 1;
    story.summary.duration_ns = event_.time_ns;
  }

  const model::Process& process() const { return process_; }
  model::Process& process() { return process_; }
  Address program_break() const { return Address{break_}; }

 private:
  void count(const Event& event) {
    model::Ledger& ledger = process_.ledger;
    ++ledger.events_count;
    if (event.kind == EventKind::kExec) ledger.mapped_at_exec = event.mapped_bytes;
    ledger.mapped_now = event.mapped_bytes;
    ledger.peak_mapped = std::max(ledger.peak_mapped, event.mapped_bytes);
    ledger.heap_now = event.heap_bytes;
    ledger.peak_heap = std::max(ledger.peak_heap, event.heap_bytes);
    ledger.peak_rss = std::max(ledger.peak_rss, event.rss_bytes.value_or(Bytes{}));
    if (event.kind != EventKind::kSystemCall) return;
    ++ledger.calls_by_syscall[std::string(event.syscall)];
    model::LedgerRow& row = ledger.by_cause[static_cast<std::size_t>(event.cause)];
    model::PhaseRow& phase = ledger.by_phase[static_cast<std::size_t>(event.phase)];
    ++row.calls_count;
    ++phase.calls_count;
    row.failed_count += event.error_number != 0 ? 1 : 0;
    if (event.mapped_bytes > event.mapped_before) {
      row.gained += event.mapped_bytes - event.mapped_before;
      phase.gained += event.mapped_bytes - event.mapped_before;
    } else {
      row.returned += event.mapped_before - event.mapped_bytes;
      phase.returned += event.mapped_before - event.mapped_bytes;
    }
    if (event.break_before != event.break_after) {
      ++row.break_moves_count;
      row.break_moved_bytes +=
          static_cast<std::int64_t>(event.break_after->value - event.break_before->value);
    }
  }

  model::Process process_;
  Event event_;
  std::uint64_t sequence_;
  std::uint64_t break_ = kHeapStart;
  Bytes mapped_{2244 * 1024};
};

Mapping mapping(std::uint64_t begin, std::uint64_t size, std::string_view protection,
                std::string path, Role role, Cause cause = Cause::kLoader) {
  Mapping made;
  made.range = {Address{begin}, Address{begin + size}};
  made.protection = {protection[0] == 'r', protection[1] == 'w', protection[2] == 'x'};
  made.path = std::move(path);
  made.role = role;
  made.cause = cause;
  return made;
}

std::vector<Mapping> heap_spy_mappings() {
  const std::string program = "/home/anu/heap_spy";
  const std::string libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  const std::string loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
  return {
      mapping(0x555555554000, 0x1000, "r--", program, Role::kProgramFile),
      mapping(0x555555555000, 0x1000, "r-x", program, Role::kProgramFile),
      mapping(0x555555556000, 0x2000, "r--", program, Role::kProgramFile),
      mapping(0x555555558000, 0x1000, "rw-", program, Role::kProgramFile),
      mapping(kHeapStart, kHeapEnd - kHeapStart, "rw-", "[heap]", Role::kHeap, Cause::kMalloc),
      mapping(0x7ffff7dd2000, 0x3000, "rw-", "", Role::kLoader),
      mapping(kLibc, 0x26000, "r--", libc, Role::kLibraryFile),
      mapping(kLibc + 0x26000, 0x155000, "r-x", libc, Role::kLibraryFile),
      mapping(kLibc + 0x17b000, 0x54000, "r--", libc, Role::kLibraryFile),
      mapping(kLibc + 0x1cf000, 0x2000, "rw-", libc, Role::kLibraryFile),
      mapping(kLibc + 0x1d1000, 0xd000, "rw-", "", Role::kBss),
      mapping(0x7ffff7fc9000, 0x4000, "r--", "[vvar]", Role::kKernel, Cause::kUnknown),
      mapping(0x7ffff7fcd000, 0x2000, "r-x", "[vdso]", Role::kKernel, Cause::kUnknown),
      mapping(0x7ffff7fcf000, 0x1000, "r--", loader, Role::kLoader, Cause::kUnknown),
      mapping(0x7ffff7fd0000, 0x25000, "r-x", loader, Role::kLoader, Cause::kUnknown),
      mapping(0x7ffff7ff5000, 0x8000, "rw-", loader, Role::kLoader, Cause::kUnknown),
      mapping(0x7ffffffde000, 0x21000, "rw-", "[stack]", Role::kMainStack, Cause::kUnknown),
  };
}

void settle(model::Ledger& ledger, const std::vector<Mapping>& mappings) {
  ledger.mapped_by_role.clear();
  ledger.mapped_now = {};
  for (const Mapping& m : mappings) {
    ledger.mapped_by_role[m.role] += m.range.size();
    ledger.mapped_now += m.range.size();
  }
}

ProcessSummary summarize(const Teller& teller, int wait_status,
                         const std::vector<Mapping>& mappings) {
  ProcessSummary summary;
  summary.pid = teller.process().pid;
  summary.parent_pid = teller.process().parent_pid;
  summary.executable = teller.process().executable;
  summary.end = ProcessEnd::kExited;
  summary.wait_status = wait_status;
  summary.ledger = teller.process().ledger;
  summary.layout = make_layout(mappings, teller.program_break());
  return summary;
}

void tell_exec(Teller& teller, SampleStory& story) {
  Event& exec = teller.add(EventKind::kExec, Phase::kProgramStart, Cause::kUnknown, "execve");
  exec.note = teller.process().executable;
  exec.mapped_before = Bytes{};
  exec.mapping_text = "new address space";
  teller.tell(story);
}

void tell_question(Teller& teller, SampleStory& story) {
  Event& brk = teller.add(EventKind::kSystemCall, Phase::kLibraryLoading, Cause::kLoader, "brk");
  brk.arguments = {address("addr", 0)};
  brk.result = static_cast<std::int64_t>(kHeapStart);
  brk.mapping_text = "heap, still empty";
  brk.role = Role::kHeap;
  brk.stack = loader_stack();
  brk.explanation = "brk(NULL) moves nothing: the loader asks where the heap will start.";
  teller.tell(story);
}

void tell_libc_text(Teller& teller, SampleStory& story) {
  Event& map = teller.add(EventKind::kSystemCall, Phase::kLibraryLoading, Cause::kLoader, "mmap");
  map.arguments = {address("addr", kLibc + 0x26000),
                   bytes("length", 0x155000),
                   text("prot", 5, "PROT_READ|PROT_EXEC"),
                   text("flags", 0x812, "MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE"),
                   text("fd", 3, "3</usr/lib/x86_64-linux-gnu/libc.so.6>"),
                   bytes("offset", 0x26000)};
  map.range = {Address{kLibc + 0x26000}, Address{kLibc + 0x26000 + 0x155000}};
  map.result = static_cast<std::int64_t>(map.range.begin.value);
  map.mapping_text = "libc.so.6 text r-x";
  map.role = Role::kLibraryFile;
  map.mappings_before = {heap_spy_mappings()[7]};
  map.stack = loader_stack();
  map.cause_detail = "libc.so.6";
  teller.tell(story);
}

void tell_libc(Teller& teller, SampleStory& story) {
  Event& map = teller.add(EventKind::kSystemCall, Phase::kLibraryLoading, Cause::kLoader, "mmap");
  map.arguments = {address("addr", 0),
                   bytes("length", 0x1de000),
                   text("prot", 1, "PROT_READ"),
                   text("flags", 0x802, "MAP_PRIVATE|MAP_DENYWRITE"),
                   text("fd", 3, "3</usr/lib/x86_64-linux-gnu/libc.so.6>"),
                   bytes("offset", 0)};
  map.range = {Address{kLibc}, Address{kLibc + 0x1de000}};
  map.result = static_cast<std::int64_t>(kLibc);
  map.mapping_text = "libc.so.6, the whole of it r--";
  map.role = Role::kLibraryFile;
  map.mappings_before = {heap_spy_mappings()[6]};
  map.stack = loader_stack();
  map.cause_detail = "libc.so.6";
  teller.gain(0x1de000);
  teller.tell(story);
  tell_libc_text(teller, story);
}

void tell_protect(Teller& teller, SampleStory& story) {
  Event& call =
      teller.add(EventKind::kSystemCall, Phase::kLibraryLoading, Cause::kLoader, "mprotect");
  call.range = {Address{kLibc + 0x1cb000}, Address{kLibc + 0x1cf000}};
  call.arguments = {address("addr", call.range.begin.value), bytes("len", 0x4000),
                    text("prot", 1, "PROT_READ")};
  call.mapping_text = "libc.so.6 data, made read-only after relocation";
  call.mappings_before = {heap_spy_mappings()[9]};
  call.stack = loader_stack();
  teller.tell(story);
}

void tell_unmap(Teller& teller, SampleStory& story) {
  Event& call =
      teller.add(EventKind::kSystemCall, Phase::kLibraryLoading, Cause::kLoader, "munmap");
  call.range = {Address{0x7ffff7fb4000}, Address{0x7ffff7fc8000}};
  call.arguments = {address("addr", call.range.begin.value), bytes("length", 81463)};
  call.mapping_text = "ld.so.cache";
  call.role = Role::kDataFile;
  call.stack = loader_stack();
  teller.give(81920);
  teller.tell(story);
}

void tell_growth(Teller& teller, SampleStory& story) {
  Event& brk = teller.add(EventKind::kSystemCall, Phase::kProgram, Cause::kMalloc, "brk");
  brk.arguments = {address("addr", kHeapEnd)};
  brk.result = static_cast<std::int64_t>(kHeapEnd);
  teller.move_break(kHeapEnd);
  brk.mapping_text = "heap";
  brk.role = Role::kHeap;
  brk.stack = stdio_stack();
  brk.cause_detail = "stdio buffer";
  brk.origin_frame = 5;
  brk.malloc_request = model::MallocRequest{Bytes{1024}, Bytes{1040}};
  brk.malloc_state = model::MallocState{.glibc_version = "2.36",
                                        .top_bytes = std::nullopt,
                                        .top = std::nullopt,
                                        .top_pad = kKiB * 128,
                                        .mmap_threshold = kKiB * 128,
                                        .trim_threshold = kKiB * 128,
                                        .contiguous = true};
  brk.explanation =
      "malloc(1024) from stdio needs a 1040-byte chunk; the heap is empty, so 656 (thread cache) + "
      "131072 (top pad) + 32, rounded up to pages = 135168 bytes = 132 KiB";
  teller.gain(kHeapEnd - kHeapStart);
  teller.tell(story);
}

void tell_failure(Teller& teller, SampleStory& story) {
  Event& map = teller.add(EventKind::kSystemCall, Phase::kProgram, Cause::kProgram, "mmap");
  map.arguments = {address("addr", 0),
                   bytes("length", 0x400000000000),
                   text("prot", 3, "PROT_READ|PROT_WRITE"),
                   text("flags", 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
                   text("fd", 0xffffffff, "-1"),
                   bytes("offset", 0)};
  map.result = -ENOMEM;
  map.error_number = ENOMEM;
  map.stack = stack({frame("mmap64", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
                     frame("grab", "/home/anu/heap_spy", "/home/anu/heap_spy.c", 19),
                     frame("", "/home/anu/heap_spy")},
                    unwind::StackEnd::kNoUnwindInfo);
  map.origin_frame = 1;
  teller.tell(story);
}

void tell_exit(Teller& teller, SampleStory& story, int wait_status, Bytes stack_growth = {}) {
  Event& exit = teller.add(EventKind::kProcessExit, Phase::kExit, Cause::kUnknown,
                           WIFSIGNALED(wait_status) ? "" : "exit");
  exit.result = wait_status;
  exit.stack = nullptr;
  teller.grow_stack(stack_growth.count);
  teller.tell(story);
}

void finish(SampleStory& story) {
  for (const ProcessSummary& process : story.summary.processes) {
    const model::Ledger& more = process.ledger;
    model::Ledger& total = story.summary.total;
    for (std::size_t i = 0; i < total.by_cause.size(); ++i) {
      total.by_cause[i].calls_count += more.by_cause[i].calls_count;
      total.by_cause[i].failed_count += more.by_cause[i].failed_count;
      total.by_cause[i].gained += more.by_cause[i].gained;
      total.by_cause[i].returned += more.by_cause[i].returned;
      total.by_cause[i].break_moves_count += more.by_cause[i].break_moves_count;
      total.by_cause[i].break_moved_bytes += more.by_cause[i].break_moved_bytes;
    }
    total.without_call.gained += more.without_call.gained;
    for (const auto& [name, count] : more.calls_by_syscall) total.calls_by_syscall[name] += count;
    for (const auto& [role, size] : more.mapped_by_role) total.mapped_by_role[role] += size;
    total.mapped_at_exec += more.mapped_at_exec;
    total.mapped_now += more.mapped_now;
    total.peak_mapped = std::max(total.peak_mapped, more.peak_mapped);
    total.peak_heap = std::max(total.peak_heap, more.peak_heap);
    total.peak_rss = std::max(total.peak_rss, more.peak_rss);
    total.unknown_stacks_count += more.unknown_stacks_count;
    total.truncated_stacks_count += more.truncated_stacks_count;
  }
}

}  // namespace

SampleStory heap_spy_story() {
  SampleStory story;
  Teller teller(4711, "/home/anu/heap_spy");
  tell_exec(teller, story);
  tell_question(teller, story);
  tell_libc(teller, story);
  tell_protect(teller, story);
  tell_unmap(teller, story);
  tell_growth(teller, story);
  tell_failure(teller, story);
  tell_exit(teller, story, 0);
  const auto mappings = heap_spy_mappings();
  model::Ledger& ledger = teller.process().ledger;
  settle(ledger, mappings);
  // What the calls add up to must be what is mapped: the rest was there at exec.
  ledger.mapped_at_exec = ledger.mapped_now + Bytes{81920} - Bytes{0x1de000 + 0x21000};
  ledger.truncated_stacks_count = 1;
  story.summary.processes.push_back(summarize(teller, 0, mappings));
  story.summary.verified_count = 9;
  finish(story);
  return story;
}

SampleStory family_story() {
  SampleStory story;
  Teller parent(100, "/usr/bin/make");
  Teller child(101, "/usr/bin/cc1plus", 20);
  child.process().parent_pid = 100;
  tell_exec(parent, story);
  tell_question(parent, story);
  Event& fork = child.add(EventKind::kProcessStart, Phase::kProgram, Cause::kUnknown, "");
  fork.parent_pid = 100;
  fork.note = "vfork";
  child.tell(story);
  tell_exec(child, story);
  tell_question(child, story);
  tell_growth(parent, story);
  tell_unmap(child, story);
  Event& thread = parent.add(EventKind::kThreadExit, Phase::kProgram, Cause::kUnknown, "exit");
  thread.tid = 107;
  parent.tell(story);
  Event& advice = parent.add(EventKind::kSystemCall, Phase::kProgram, Cause::kRuntime, "madvise");
  advice.tid = 108;
  advice.range = {Address{0x7fffb0000000}, Address{0x7fffb0400000}};
  advice.arguments = {address("addr", advice.range.begin.value), bytes("length", 0x400000),
                      text("advice", 4, "MADV_DONTNEED")};
  advice.cause_detail = "jemalloc";
  parent.tell(story, false);
  tell_exit(child, story, SIGSEGV, kMiB * 8);
  tell_exit(parent, story, 2 << 8);
  story.summary.processes.push_back(summarize(parent, 2 << 8, heap_spy_mappings()));
  story.summary.processes.push_back(summarize(child, SIGSEGV, heap_spy_mappings()));
  story.summary.lost_count = 3;
  story.summary.unreadable_modules_count = 2;
  story.summary.differences_count = 1;
  story.summary.differences = {"process 101: only the kernel has 0x1000-0x2000 r-- /etc/passwd"};
  finish(story);
  return story;
}

SampleStory hostile_story() {
  SampleStory story;
  const std::string evil =
      "/tmp/\x1b[2J\x1b]0;owned\a\n\xff\xfe\xe2\x80\xae\xc2\x9b"
      "31m\r\xe6\x97\xa5\xf0\x9f\x98\x80.so";
  Teller teller(666, evil);
  tell_exec(teller, story);
  Event& map = teller.add(EventKind::kSystemCall, Phase::kProgram, Cause::kProgram, "mmap");
  map.arguments = {bytes("length", ~std::uint64_t{0}), text("flags", 0, evil),
                   text("fd", 3, "3<" + evil + ">"), bytes("offset", 0)};
  map.range = {Address{0xfffffffffffff000}, Address{0xffffffffffffffff}};
  map.mapping_text = evil + " text r-x";
  map.cause_detail = evil;
  map.explanation = evil + std::string(400, 'x') + evil;
  map.stack = stack({frame(evil, evil, evil, 1), frame(std::string(500, 'T'), evil)},
                    unwind::StackEnd::kNoProgress);
  map.origin_frame = 1;
  teller.tell(story);
  Event& broken = teller.add(EventKind::kSystemCall, Phase::kProgram, Cause::kProgram, "munmap");
  broken.error_number = 4711;
  broken.result = -4711;
  broken.origin_frame = 99;  // past the stack's end
  broken.stack = stack({});
  teller.tell(story);
  tell_exit(teller, story, SIGKILL);
  story.summary.processes.push_back(
      summarize(teller, SIGKILL,
                {mapping(0x1000, 0x1000, "rwx", evil, Role::kProgramFile),
                 mapping(0x3000, 0x2000, "---", "[anon:" + evil + "]", Role::kUnknown),
                 mapping(0xffffffffff600000, 0x1000, "--x", "[vsyscall]", Role::kKernel)}));
  finish(story);
  return story;
}

Capture::Capture() {
  fd_ = memfd_create("views_test", MFD_CLOEXEC);
  EXPECT_GE(fd_, 0);
}

Capture::~Capture() {
  close(fd_);
}

std::string Capture::text() const {
  std::string all;
  std::array<char, 4096> part{};
  off_t at = 0;
  while (true) {
    const ssize_t count = pread(fd_, part.data(), part.size(), at);
    if (count <= 0) return all;
    all.append(part.data(), static_cast<std::size_t>(count));
    at += count;
  }
}

}  // namespace mini::views
