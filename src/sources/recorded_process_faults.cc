// Page faults of a recorded process, and what code they came from.
//
// The agent tells of the modules that are in its stacks. Pages are touched by others too: by the
// loader, before there is an agent; by libraries that ask for no memory; by the agent itself. Where
// these are, the kernel's list of the process's mappings says.
#include <algorithm>

#include "base/text.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/process_memory.h"
#include "sources/module_file.h"
#include "sources/program_image.h"
#include "sources/recorded_process.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kCodeEveryNs = 100'000'000;  // code made at run time is in no list
constexpr std::size_t kMostCodeModules = 4096;

/// Whether the agent's channel is mapped: a process may have become a program without it.
bool is_recorded(const model::AddressSpace& space) {
  return std::ranges::any_of(space.mappings(), [](const model::Mapping& mapping) {
    return mapping.path.starts_with("/memfd:heapspy");
  });
}

}  // namespace

void RecordedProcess::add_page_faults(std::span<const kernel::PageFault> faults) {
  for (kernel::PageFault fault : faults) {
    fault.time_ns = since_begin(fault.time_ns);
    faults_.push_back(fault);
  }
}

void RecordedProcess::note_touch_watch(const std::string& refusal, std::uint64_t lost) {
  if (writer_ == nullptr) return;
  writer_->add(recording::TouchWatch{.time_ns = last_ns_, .refusal = refusal, .lost = lost});
}

RecordedProcess::ModuleKey RecordedProcess::key_of(const recording::ModuleFacts& facts) {
  return {facts.load_bias.value, facts.build_id, std::string(path_basename(facts.path))};
}

void RecordedProcess::read_code() {
  if (last_ns_ < next_code_ns_) return;
  next_code_ns_ = last_ns_ + kCodeEveryNs;
  const pid_t memory = kernel::thread_with_memory(pid());
  model::AddressSpace space;
  read_anew(space, memory);
  if (!is_recorded(space)) return;
  const std::vector<unwind::ModuleMapping> code = code_modules(space, memory);
  code_.assign(code, kernel::root_prefix(memory));
  // All are opened now: the process may be gone when a fault of theirs is written.
  const kernel::ProcessMemory reader(memory);
  for (const unwind::ModuleMapping& mapping : code) code_.find(mapping.range.begin.value, reader);
}

/// 0: there are too many.
recording::ModuleNumber RecordedProcess::module_of_code(const unwind::CodeMap::Region& region) {
  recording::ModuleFacts facts;
  facts.path = region.mapping.path;
  facts.load_bias = Address{region.bias};
  facts.build_id = build_id_text(region.module->file());
  const auto known = code_modules_.find(key_of(facts));
  if (known != code_modules_.end()) return known->second;
  if (code_modules_.size() == kMostCodeModules) return 0;
  const recording::ModuleNumber number = writer_->define_module(facts);
  files_.resize(std::max<std::size_t>(files_.size(), number));
  files_[number - 1] = region.mapping;
  return code_modules_[key_of(facts)] = number;
}

recording::FrameNumber RecordedProcess::frame_of_fault(std::uint64_t pc) {
  if (module_at(pc) != nullptr) return frame_of(pc);
  if (!code_.contains(pc - 1)) read_code();
  const unwind::CodeMap::Region* const region = code_.find(pc - 1, kernel::ProcessMemory(pid()));
  const recording::ModuleNumber module =
      region != nullptr && region->module != nullptr ? module_of_code(*region) : 0;
  if (module == 0) return frame_of(pc);
  return writer_->frame({.module = module, .address = pc - region->bias});
}

// An interrupted instruction counts as its address and 1: minus one, it is in that instruction, as
// a return address is in the call.
void RecordedProcess::write_page_faults(std::uint64_t until_ns) {
  for (; !faults_.empty() && faults_.front().time_ns <= until_ns; faults_.pop_front()) {
    const kernel::PageFault& fault = faults_.front();
    last_ns_ = std::max(last_ns_, fault.time_ns);
    writer_->add(
        recording::Touch{.time_ns = last_ns_,
                         .thread = number_of_thread(static_cast<std::uint32_t>(fault.tid)),
                         .address = fault.address,
                         .stack = writer_->stack(0, frame_of_fault(fault.instruction.value + 1))});
  }
}

}  // namespace mini::sources
