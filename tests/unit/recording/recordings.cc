// The tests' own recordings.
#include "recordings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace mini::recording {

namespace {

FileBytes bytes_of(int descriptor) {
  FileBytes bytes(static_cast<std::size_t>(::lseek(descriptor, 0, SEEK_END)));
  const ssize_t count = ::pread(descriptor, bytes.data(), bytes.size(), 0);
  if (count != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("memfd: short read");
  return bytes;
}

}  // namespace

FileBytes written(const ProcessFacts& process, const std::function<void(Writer&)>& write) {
  const int descriptor = ::memfd_create("recording", MFD_CLOEXEC);
  const int kept = ::dup(descriptor);
  {
    auto writer = Writer::create(descriptor, process);
    if (!writer) throw std::runtime_error(writer.error().message);
    write(**writer);
  }
  FileBytes bytes = bytes_of(kept);
  ::close(kept);
  return bytes;
}

std::string to_text(const Allocation& a) {
  return fmt::format("{} thread {} allocates {:#x}, {} bytes, stack {}, kind {}, weight {}",
                     a.time_ns, a.thread, a.address.value, a.requested_bytes, a.stack,
                     static_cast<int>(a.kind), a.weight_bytes);
}

std::string to_text(const Free& f) {
  return fmt::format("{} thread {} frees {:#x}, stack {}", f.time_ns, f.thread, f.address.value,
                     f.stack);
}

std::string to_text(const KernelSample& s) {
  return fmt::format("{} sample {} {} {} {} {} {} {} {}", s.time_ns, s.resident.count,
                     s.peak_resident.count, s.agent_resident.count, s.break_bytes.count,
                     s.mapped_bytes.count, s.minor_faults, s.major_faults, s.proportional.count);
}

std::string to_text(const Mapping& m) {
  return fmt::format("{} thread {} maps {}: {:#x} {} from {:#x} {}, stack {}", m.time_ns, m.thread,
                     static_cast<int>(m.operation), m.address.value, m.bytes.count,
                     m.old_address.value, m.old_bytes.count, m.stack);
}

std::string to_text(const Marker& m) {
  return fmt::format("{} thread {} marks '{}'", m.time_ns, m.thread, m.text);
}

std::string to_text(const UsableSize& u) {
  return fmt::format("{} thread {} is given {} for {}", u.time_ns, u.thread, u.usable_bytes,
                     u.requested_bytes);
}

std::string to_text(const Touch& t) {
  return fmt::format("{} thread {} touches {:#x}, stack {}", t.time_ns, t.thread, t.address.value,
                     t.stack);
}

std::string to_text(const TouchWatch& w) {
  return fmt::format("{} touches '{}' {}", w.time_ns, w.refusal, w.lost);
}

std::string to_text(const Fork& f) {
  return fmt::format("{} fork {}", f.time_ns, f.number);
}

std::string to_text(const UnrecordedProgram& p) {
  return fmt::format("{} not recorded {} times '{}': it {}", p.time_ns, p.count, p.path,
                     words_of(p.obstacle));
}

void Remembered::module(ModuleNumber number, const ModuleFacts& module) {
  definitions.push_back(fmt::format("module {}: {} {} {:#x}", number, module.path, module.build_id,
                                    module.load_bias.value));
}
void Remembered::thread(ThreadNumber number, const ThreadFacts& thread) {
  definitions.push_back(fmt::format("thread {}: {} {}", number, thread.tid, thread.name));
}
void Remembered::frame(FrameNumber number, const FrameFacts& frame) {
  definitions.push_back(fmt::format("frame {}: {} {:#x}", number, frame.module, frame.address));
}
void Remembered::source(FrameNumber number, const std::vector<SourceFrame>& frames) {
  std::string text = fmt::format("source {}:", number);
  for (const SourceFrame& f : frames) {
    text += fmt::format(" {} {}:{} {}", f.function, f.file, f.line, f.inlined);
  }
  definitions.push_back(text);
}
void Remembered::stack(StackNumber number, const StackFacts& stack) {
  definitions.push_back(fmt::format("stack {}: {} {}", number, stack.caller, stack.frame));
}
void Remembered::allocation(const Allocation& allocation) {
  events.push_back(to_text(allocation));
}
void Remembered::free(const Free& free) {
  events.push_back(to_text(free));
}
void Remembered::sample(const KernelSample& sample) {
  events.push_back(to_text(sample));
}
void Remembered::mapping(const Mapping& mapping) {
  events.push_back(to_text(mapping));
}
void Remembered::marker(const Marker& marker) {
  events.push_back(to_text(marker));
}

void Remembered::usable_size(const UsableSize& usable) {
  events.push_back(to_text(usable));
}
void Remembered::touch(const Touch& touch) {
  events.push_back(to_text(touch));
}
void Remembered::touch_watch(const TouchWatch& watch) {
  events.push_back(to_text(watch));
}
void Remembered::fork(const Fork& fork) {
  events.push_back(to_text(fork));
}
void Remembered::unrecorded_program(const UnrecordedProgram& program) {
  events.push_back(to_text(program));
}

SmallRecording small_recording() {
  SmallRecording small;
  const auto write = [&small](Writer& writer) {
    const auto add = [&](const auto& event) {
      writer.add(event);
      small.events.push_back(to_text(event));
    };
    const ModuleNumber module = writer.define_module({"/usr/bin/prog", "abcd", Address{0x5000}});
    const ThreadNumber main_thread = writer.define_thread({77, "main"});
    const FrameNumber outer = writer.frame({module, 0x1234});
    const StackNumber stack =
        writer.stack(writer.stack(0, outer), writer.frame({0, 0x7f0012345678}));
    add(Allocation{1000, main_thread, Address{0x10010}, 24, stack, CallKind::kMalloc, 0});
    add(Marker{2000, main_thread, "begin"});
    add(Allocation{2000, main_thread, Address{0x10030}, 100, stack, CallKind::kNew, 0});
    EXPECT_TRUE(writer.flush());
    add(Free{5000, main_thread, Address{0x10010}, 0});
    const ThreadNumber worker = writer.define_thread({78, "worker"});
    add(Allocation{6000, worker, Address{0x7f3300001000}, 1U << 20U, stack, CallKind::kAligned, 0});
    add(KernelSample{7000, Bytes{1}, Bytes{2}, Bytes{3}, Bytes{4}, Bytes{5}, 6, 7, Bytes{8}});
    add(Mapping{7000, worker, Mapping::Operation::kRemap, Address{0x7f0000000000}, Bytes{1U << 20U},
                Address{0x7e0000000000}, Bytes{4096}, stack});
    add(UsableSize{7000, worker, 20, 24});
    add(Touch{7000, worker, Address{0x7f0000000123}, stack});
    add(TouchWatch{7000, "forbidden", 3});
    add(Fork{7000, 1});
    writer.define_source(outer,
                         std::vector<SourceFrame>{{"f", "f.cc", 3, true}, {"main", "m.cc", 9}});
    EXPECT_TRUE(writer.flush());
    add(UnrecordedProgram{7000, PreloadObstacle::kStatic, 3, "/bin/static"});
    add(Free{8000, worker, Address{0x10030}, stack});
    add(Allocation{8000, worker, Address{0x10030}, 104, stack, CallKind::kRestored, 0});
    add(Free{8000, worker, Address{0x10030}, stack});
    add(Free{9000, main_thread, Address{0x7f3300001000}, stack});
    EXPECT_TRUE(writer.finish({9500, Ending::Kind::kExited, 3, {11, 12}}));
  };
  small.file = written({1, 2, {"prog", "-v"}, "/usr/bin/prog", 123, 0, "out.heapspy", 7}, write);
  Remembered all;
  EXPECT_TRUE(read_recording(small.file, all));
  small.definitions = all.definitions;
  return small;
}

MadeProgram::MadeProgram(Shape shape) : shape_(shape), random_(1) {
  free_.resize(shape.threads + 1);
  for (auto& classes : free_) classes.resize(shape.largest_bytes / 16 + 4);
  for (std::uint64_t thread = 0; thread <= shape.threads; ++thread) {
    next_.push_back(0x7f0000000010 + (thread << 30U));
  }
}

std::uint64_t MadeProgram::random(std::uint64_t below) {
  return (std::uint64_t{random_()} << 16U ^ random_()) % below;
}

std::uint64_t MadeProgram::place(ThreadNumber thread, std::uint64_t size_class) {
  std::vector<std::uint64_t>& blocks = free_[thread][size_class];
  if (!blocks.empty()) {
    const std::uint64_t address = blocks.back();
    blocks.pop_back();
    return address;
  }
  return std::exchange(next_[thread], next_[thread] + 16 * size_class);
}

void MadeProgram::step(const std::function<void(const Allocation&)>& on_allocation,
                       const std::function<void(const Free&)>& on_free) {
  const auto thread = static_cast<ThreadNumber>(1 + random(shape_.threads));
  if (live_.size() >= shape_.live_blocks) {
    std::swap(live_[random(live_.size())], live_.back());
    const Block block = live_.back();
    live_.pop_back();
    time_ns_ += 20 + random(60);
    free_[thread][block.size_class].push_back(block.address);
    on_free({time_ns_, thread, Address{block.address}, 0});
  }
  const std::uint64_t size = 1 + random(shape_.largest_bytes);
  const std::uint64_t size_class = std::max<std::uint64_t>(2, (size + 23) / 16);
  const Block block{place(thread, size_class), size_class};
  time_ns_ += 20 + random(60);
  live_.push_back(block);
  const auto stack = static_cast<StackNumber>(1 + random(shape_.stacks));
  on_allocation({time_ns_, thread, Address{block.address}, size, stack, CallKind::kMalloc, 0});
}

}  // namespace mini::recording
