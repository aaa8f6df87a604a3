#include "sources/heap_profile_builder.h"

#include <algorithm>

namespace mini::sources {
namespace {

constexpr std::size_t kMostMarkers = 1000;
constexpr std::size_t kMostUnrecordedPrograms = 512;  // a recorder tells of 257 at most
constexpr std::size_t kMostThreads = 1U
                                     << 23U;  // so that cells have fewer than LiveBlocks::kMostCell

}  // namespace

HeapProfileBuilder::HeapProfileBuilder(model::TimeSpan span, std::size_t most_buckets,
                                       model::StackDivision division)
    : span_(span), counter_of_node_(1), thread_states_(1), timeline_(most_buckets) {
  profile_.division = division;
  pass_to(0);
  switch_to(0);
  profile_.modules.emplace_back();
  profile_.frames.emplace_back();
  profile_.nodes.emplace_back();
  profile_.threads.emplace_back();
  profile_.mappings.emplace_back();
}

void HeapProfileBuilder::module(recording::ModuleNumber number,
                                const recording::ModuleFacts& facts) {
  modules_.define(number, static_cast<std::uint32_t>(profile_.modules.size()));
  profile_.modules.push_back({.path = facts.path, .build_id = facts.build_id});
}

void HeapProfileBuilder::thread(recording::ThreadNumber number,
                                const recording::ThreadFacts& facts) {
  if (const std::uint32_t known = threads_.find(number); known != 0) {
    profile_.threads[known].name = facts.name;  // it has been given another name
    return;
  }
  if (profile_.threads.size() > kMostThreads) return;
  threads_.define(number, static_cast<std::uint32_t>(profile_.threads.size()));
  profile_.threads.push_back({.tid = facts.tid, .name = facts.name, .totals = {}});
  thread_states_.emplace_back();
  switch_to(event_thread_);  // whom it leads to may be known now
}

void HeapProfileBuilder::frame(recording::FrameNumber number, const recording::FrameFacts& facts) {
  frames_.define(number, static_cast<std::uint32_t>(profile_.frames.size()));
  profile_.frames.push_back(
      {.module = modules_.find(facts.module), .address = facts.address, .lines = {}});
}

void HeapProfileBuilder::source(recording::FrameNumber number,
                                const std::vector<recording::SourceFrame>& lines) {
  const std::uint32_t position = frames_.find(number);
  if (position == 0) return;
  std::vector<model::SourceLine>& out = profile_.frames[position].lines;
  profile_.frames[position].has_source = true;
  out.clear();
  for (const recording::SourceFrame& line : lines) {
    out.push_back({line.function, line.file, line.line, line.inlined});
  }
}

void HeapProfileBuilder::stack(recording::StackNumber number, const recording::StackFacts& facts) {
  // Looked up first: a stack that claims to be its own caller has none (P4).
  const std::uint32_t caller = nodes_.find(facts.caller);
  nodes_.define(number, static_cast<std::uint32_t>(profile_.nodes.size()));
  profile_.nodes.push_back({.caller = caller, .frame = frames_.find(facts.frame)});
  counter_of_node_.push_back(0);
}

/// Whether an event counts; its time becomes one that does not go back, from the span's begin on.
bool HeapProfileBuilder::enter(std::uint64_t& time_ns) {
  pass_to(time_ns);
  time_ns = now_ns_;
  return part_ != Part::kAfter;
}

void HeapProfileBuilder::sample(const recording::KernelSample& sample) {
  std::uint64_t time_ns = sample.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  model::KernelFigures& kernel = profile_.kernel;
  // VmHWM is of the process's whole life: it says nothing of a part of it.
  const Bytes peak = span_ == model::TimeSpan{} ? std::max(sample.peak_resident, sample.resident)
                                                : sample.resident;
  kernel.peak_resident = std::max(kernel.peak_resident, peak);
  if (kernel.samples == 0 || sample.resident > kernel.most_resident) {
    kernel.most_resident = sample.resident;
    kernel.most_time_ns = time_ns;
    kernel.agent_resident = sample.agent_resident;
  }
  note_sample_at_peak(time_ns, sample.resident);
  kernel.last_resident = sample.resident;
  kernel.most_proportional = std::max(kernel.most_proportional, sample.proportional);
  kernel.most_break = std::max(kernel.most_break, sample.break_bytes);
  kernel.last_break = sample.break_bytes;
  kernel.last_time_ns = time_ns;
  ++kernel.samples;
  timeline_.sampled({.resident_bytes = sample.resident.count,
                     .break_bytes = sample.break_bytes.count,
                     .mapped_bytes = sample.mapped_bytes.count});
}

/// Of the samples before and after the peak so far, the nearer one. REQUIRES: last_resident is the
/// one before.
void HeapProfileBuilder::note_sample_at_peak(std::uint64_t time_ns, Bytes resident) {
  model::KernelFigures& kernel = profile_.kernel;
  if (profile_.peak_time_ns == sampled_peak_ns_ && kernel.at_peak_time_ns != 0) return;
  sampled_peak_ns_ = profile_.peak_time_ns;
  const std::uint64_t after = time_ns - profile_.peak_time_ns;
  const bool is_before_nearer =
      kernel.samples != 0 && profile_.peak_time_ns - kernel.last_time_ns < after;
  kernel.resident_at_peak = is_before_nearer ? kernel.last_resident : resident;
  kernel.at_peak_time_ns = is_before_nearer ? kernel.last_time_ns : time_ns;
}

void HeapProfileBuilder::usable_size(const recording::UsableSize& usable) {
  std::uint64_t time_ns = usable.time_ns;
  if (enter(time_ns)) usable_.told(usable);
}

void HeapProfileBuilder::touch_watch(const recording::TouchWatch& watch) {
  touch_.watched(watch);
}

void HeapProfileBuilder::touch(const recording::Touch& touch) {
  std::uint64_t time_ns = touch.time_ns;
  if (!enter(time_ns)) return;
  if (!touch_.is_used()) {
    touch_.begin(blocks_, [this](std::uint32_t stack) {
      return stack >= kPoolMemory ? 0 : stacks_[stack].owner;
    });
  }
  if (time_ns < span_.from_ns) return;
  const std::uint32_t mapping = mapped_.owner_of(touch.address);
  touch_.touched(touch, mapping != 0 ? profile_.mappings[mapping].node : 0,
                 nodes_.find(touch.stack));
}

std::uint32_t HeapProfileBuilder::mapping_counter(recording::StackNumber number) {
  const std::uint32_t node = nodes_.find(number);
  if (mapping_of_node_.size() <= node) mapping_of_node_.resize(node + std::size_t{1});
  if (mapping_of_node_[node] == 0) {
    mapping_of_node_[node] = static_cast<std::uint32_t>(profile_.mappings.size());
    profile_.mappings.push_back({.node = node});
  }
  return mapping_of_node_[node];
}

void HeapProfileBuilder::unmap(Address begin, Bytes size) {
  mapped_.unmap(begin, size, [this](std::uint32_t owner, AddressRange gone) {
    profile_.mappings[owner].live_bytes -= gone.size().count;
  });
}

void HeapProfileBuilder::map(std::uint32_t counter, Address begin, Bytes size) {
  unmap(begin, size);
  mapped_.map(begin, size, counter, [](std::uint32_t, AddressRange) {});
  model::MappingProfile& mapping = profile_.mappings[counter];
  const Bytes whole = mapped_.size_at(begin);
  ++mapping.calls;
  mapping.mapped_bytes += whole.count;
  mapping.live_bytes += whole.count;
  mapping.most_live_bytes = std::max(mapping.most_live_bytes, mapping.live_bytes);
}

/// `unmapped`: what the old range was, where it has been unmapped already.
void HeapProfileBuilder::remap(const recording::Mapping& mapping, const Unmapped* unmapped) {
  if (unmapped != nullptr && is_in_place(mapping)) {
    for (const auto& [owner, part] : unmapped->parts) {
      unmap(part.begin, part.size());
      mapped_.map(part.begin, part.size(), owner, [](std::uint32_t, AddressRange) {});
      profile_.mappings[owner].live_bytes += part.size().count;
    }
    return;
  }
  // What grows or moves was mapped by who mapped it first.
  const std::uint32_t owner =
      unmapped != nullptr ? unmapped->owner() : mapped_.owner_of(mapping.old_address);
  if (unmapped == nullptr) unmap(mapping.old_address, mapping.old_bytes);
  map(owner != 0 ? owner : mapping_counter(mapping.stack), mapping.address, mapping.bytes);
}

void HeapProfileBuilder::mapping(const recording::Mapping& mapping) {
  std::uint64_t time_ns = mapping.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  using Operation = recording::Mapping::Operation;
  const auto unmapped = last_unmapped_.take(mapping);
  switch (mapping.operation) {
    case Operation::kMap:
      map(mapping_counter(mapping.stack), mapping.address, mapping.bytes);
      break;
    case Operation::kUnmap:
      last_unmapped_.keep(mapping, mapped_);
      unmap(mapping.address, mapping.bytes);
      break;
    case Operation::kRemap:
      remap(mapping, unmapped ? &*unmapped : nullptr);
      break;
    case Operation::kDiscard:
      mapped_.for_each_in(mapping.address, mapping.bytes,
                          [this](std::uint32_t owner, AddressRange part) {
                            profile_.mappings[owner].discarded_bytes += part.size().count;
                          });
      break;
  }
}

void HeapProfileBuilder::marker(const recording::Marker& marker) {
  std::uint64_t time_ns = marker.time_ns;
  if (!enter(time_ns) || time_ns < span_.from_ns) return;
  if (profile_.markers.size() == kMostMarkers) {
    ++profile_.losses.dropped_markers;
  } else {
    profile_.markers.push_back(
        {.time_ns = time_ns, .thread = threads_.find(marker.thread), .text = marker.text});
  }
}

void HeapProfileBuilder::unrecorded_program(const recording::UnrecordedProgram& program) {
  std::vector<model::UnrecordedProgram>& all = profile_.unrecorded_programs;
  const auto known = std::ranges::find_if(all, [&](const model::UnrecordedProgram& one) {
    return one.path == program.path && one.obstacle == program.obstacle;
  });
  if (known != all.end()) {
    known->count = program.count;
  } else if (all.size() < kMostUnrecordedPrograms) {
    all.push_back({.path = program.path, .obstacle = program.obstacle, .count = program.count});
  }
}

void HeapProfileBuilder::leak_scan(const recording::LeakScan& scan) {
  if (span_.ends_before(scan.time_ns)) return;
  using State = model::LeakScan::State;
  leak_scan_ = {.state = scan.is_done      ? State::kDone
                         : scan.is_refused ? State::kRefused
                                           : State::kMissing,
                .time_ns = scan.time_ns,
                .scanned_bytes = scan.scanned_bytes,
                .unreadable_bytes = scan.unreadable_bytes};
  lost_blocks_.insert(lost_blocks_.end(), scan.lost.begin(), scan.lost.end());
}

}  // namespace mini::sources
