// Writer: definitions wait until the events that refer to them are written.
#include "recording/writer.h"

#include <algorithm>

#include "recording/block_writer.h"
#include "recording/definitions.h"
#include "recording/event_encoder.h"
#include "recording/frame_table.h"
#include "recording/stack_table.h"

namespace mini::recording {

namespace {

constexpr std::size_t kPendingBytes = 256U << 10U;      // then definitions are written
constexpr std::size_t kLostOfABlock = 512U << 10U;      // of lost blocks: 10 bytes at most
constexpr std::uint32_t kNumbersOfABlock = 64U << 10U;  // of frames or stacks

/// Records that wait to be written in one block.
struct Pending {
  ByteVector records;
  std::uint32_t first = 1;  // number of the first one
  std::uint32_t count = 0;
};

}  // namespace

class Writer::Impl {
 public:
  Impl(int descriptor, GivesUp gives_up) : blocks(descriptor, gives_up) {}

  template <typename Event>
  void add(const Event& event) {
    if (!blocks.state()) return;
    encoder.add(event);
    if (encoder.is_full()) write_events();
  }

  void write_pending(BlockType type, Pending& pending);
  void write_frames();
  void write_stacks();
  void write_sources();
  void write_definitions();
  void write_events();

  BlockWriter blocks;
  EventEncoder encoder;
  FrameTable frames;
  StackTable stacks;
  std::uint32_t written_frames = 0;
  std::uint32_t written_stacks = 0;
  Pending modules;
  Pending threads;
  Pending sources;
  std::vector<bool> has_source;          // by frame
  FrameNumber first_without_source = 1;  // all before it have one
  std::uint64_t allocations = 0;         // written
  std::uint64_t frees = 0;
  ByteVector contents;  // of the block that is being made
};

void Writer::Impl::write_pending(BlockType type, Pending& pending) {
  if (pending.count == 0) return;
  contents.clear();
  put_varint(contents, pending.first);
  put_varint(contents, pending.count);
  put_bytes(contents, pending.records);
  blocks.write(type, contents);
  pending.records.clear();
  pending.first += std::exchange(pending.count, 0);
}

void Writer::Impl::write_sources() {
  if (sources.count == 0) return;
  contents.clear();
  put_varint(contents, sources.count);
  put_bytes(contents, sources.records);
  blocks.write(BlockType::kSources, contents);
  sources = {};
}

void Writer::Impl::write_frames() {
  while (written_frames < frames.count()) {
    const std::uint32_t count = std::min(frames.count() - written_frames, kNumbersOfABlock);
    contents.clear();
    put_varint(contents, written_frames + 1);
    put_varint(contents, count);
    std::uint64_t previous = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const FrameFacts& frame = frames[++written_frames];
      put_varint(contents, frame.module);
      put_varint(contents, zigzag(frame.address - previous));
      previous = frame.address;
    }
    blocks.write(BlockType::kFrames, contents);
  }
}

void Writer::Impl::write_stacks() {
  while (written_stacks < stacks.count()) {
    const std::uint32_t count = std::min(stacks.count() - written_stacks, kNumbersOfABlock);
    contents.clear();
    put_varint(contents, written_stacks + 1);
    put_varint(contents, count);
    std::uint64_t previous = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const StackTable::Stack& stack = stacks[++written_stacks];
      put_varint(contents, stack.caller == 0 ? 0 : written_stacks - stack.caller);
      put_varint(contents, zigzag(stack.frame - previous));
      previous = stack.frame;
    }
    blocks.write(BlockType::kStacks, contents);
  }
}

void Writer::Impl::write_definitions() {
  write_pending(BlockType::kModules, modules);
  write_pending(BlockType::kThreads, threads);
  write_frames();
  write_stacks();
}

void Writer::Impl::write_events() {
  write_definitions();
  if (encoder.is_empty()) return;
  contents.clear();
  const std::uint64_t first_time_ns = encoder.first_time_ns();
  const std::uint32_t block_allocations = encoder.allocation_count();
  const std::uint32_t block_frees = encoder.free_count();
  encoder.finish_block(allocations, frees, blocks.column_compressor(), contents);
  blocks.write_events(contents, first_time_ns, block_allocations, block_frees);
  if (!blocks.state()) return;  // half a block is none
  allocations += block_allocations;
  frees += block_frees;
}

Writer::Writer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Writer::~Writer() = default;

Result<std::unique_ptr<Writer>> Writer::create(int descriptor, const ProcessFacts& process,
                                               GivesUp gives_up) {
  std::unique_ptr<Writer> writer(new Writer(std::make_unique<Impl>(descriptor, gives_up)));
  Impl& impl = *writer->impl_;
  impl.blocks.write_head();
  put_process(impl.contents, process);
  impl.blocks.write(BlockType::kProcess, impl.contents);
  if (!impl.blocks.state()) return std::unexpected(impl.blocks.state().error());
  return writer;
}

ModuleNumber Writer::define_module(const ModuleFacts& module) {
  Pending& pending = impl_->modules;
  if (pending.records.size() > kPendingBytes) impl_->write_pending(BlockType::kModules, pending);
  put_module(pending.records, module);
  return pending.first + pending.count++;
}

ThreadNumber Writer::define_thread(const ThreadFacts& thread) {
  Pending& pending = impl_->threads;
  if (pending.records.size() > kPendingBytes) impl_->write_pending(BlockType::kThreads, pending);
  put_thread(pending.records, thread);
  return pending.first + pending.count++;
}

FrameNumber Writer::frame(const FrameFacts& frame) {
  return impl_->frames.find_or_add(frame);
}

StackNumber Writer::stack(StackNumber caller, FrameNumber frame) {
  return impl_->stacks.find_or_add(caller, frame);
}

void Writer::define_source(FrameNumber frame, std::span<const SourceFrame> frames) {
  Impl& impl = *impl_;
  if (impl.has_source.size() <= frame) impl.has_source.resize(frame + std::size_t{1});
  impl.has_source[frame] = true;
  while (impl.first_without_source < impl.has_source.size() &&
         impl.has_source[impl.first_without_source]) {
    ++impl.first_without_source;
  }
  put_source(impl.sources.records, frame, frames);
  ++impl.sources.count;
  if (impl.sources.records.size() > kPendingBytes) impl.write_sources();
}

std::vector<std::pair<FrameNumber, FrameFacts>> Writer::frames_without_source(
    std::size_t most) const {
  std::vector<std::pair<FrameNumber, FrameFacts>> found;
  for (FrameNumber number = impl_->first_without_source;
       number <= impl_->frames.count() && found.size() < most; ++number) {
    if (number < impl_->has_source.size() && impl_->has_source[number]) continue;
    found.emplace_back(number, impl_->frames[number]);
  }
  return found;
}

void Writer::add(const Allocation& allocation) {
  const HeapEvent event = HeapEvent::of(allocation);
  add(std::span(&event, 1));
}
void Writer::add(const Free& free) {
  const HeapEvent event = HeapEvent::of(free);
  add(std::span(&event, 1));
}
void Writer::add(std::span<const HeapEvent> events) {
  while (!events.empty() && impl_->blocks.state()) {
    events = events.subspan(impl_->encoder.add(events));
    if (impl_->encoder.is_full()) impl_->write_events();
  }
}
void Writer::add(const KernelSample& sample) {
  impl_->add(sample);
}
void Writer::add(const Mapping& mapping) {
  impl_->add(mapping);
}
void Writer::add(const Marker& marker) {
  impl_->add(Marker{marker.time_ns, marker.thread, marker.text.substr(0, kMaxStringBytes)});
}

void Writer::add(const UsableSize& usable) {
  impl_->add(usable);
}
void Writer::add(const Touch& touch) {
  impl_->add(touch);
}
void Writer::add(const TouchWatch& watch) {
  impl_->add(TouchWatch{watch.time_ns, watch.refusal.substr(0, kMaxStringBytes), watch.lost});
}

void Writer::add(const LeakScan& scan) {
  impl_->write_events();
  std::span<const LostBlock> left = scan.lost;
  do {
    const auto part = left.first(std::min(left.size(), kLostOfABlock));
    left = left.subspan(part.size());
    impl_->contents.clear();
    put_leak_scan(impl_->contents, scan, part);
    impl_->blocks.write(BlockType::kLeakScan, impl_->contents);
  } while (!left.empty());
}

void Writer::add(const Fork& fork) {
  impl_->write_events();
  impl_->contents.clear();
  put_fork(impl_->contents, fork);
  impl_->blocks.write(BlockType::kFork, impl_->contents);
}

void Writer::add(const UnrecordedProgram& program) {
  impl_->contents.clear();
  put_unrecorded_program(impl_->contents, program);
  impl_->blocks.write(BlockType::kUnrecordedProgram, impl_->contents);
}

void Writer::write_older(std::uint64_t than_ns) {
  if (!impl_->encoder.is_empty() && impl_->encoder.first_time_ns() < than_ns) {
    impl_->write_events();
  }
}

Result<void> Writer::flush() {
  impl_->write_events();
  impl_->write_sources();
  return impl_->blocks.state();
}

Result<void> Writer::finish(const Ending& ending) {
  if (auto flushed = flush(); !flushed) return flushed;
  impl_->contents.clear();
  put_ending(impl_->contents, {ending, impl_->allocations, impl_->frees});
  impl_->blocks.write(BlockType::kEnding, impl_->contents);
  impl_->blocks.write_index();
  return impl_->blocks.close();
}

const Result<void>& Writer::state() const {
  return impl_->blocks.state();
}

std::uint64_t Writer::written_bytes() const {
  return impl_->blocks.written_bytes();
}

std::uint64_t Writer::event_count() const {
  return impl_->allocations + impl_->frees + impl_->encoder.allocation_count() +
         impl_->encoder.free_count();
}

}  // namespace mini::recording
