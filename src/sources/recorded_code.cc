#include "sources/recorded_code.h"

#include <algorithm>

#include "base/text.h"
#include "kernel/proc_file.h"
#include "kernel/proc_maps.h"
#include "kernel/proc_status.h"
#include "kernel/process_memory.h"
#include "sources/module_file.h"
#include "sources/program_image.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kMapEveryNs = 100'000'000;  // code made at run time is in no list
constexpr std::size_t kMostMapModules = 4096;
constexpr std::size_t kFramesAtOnce = 4096;

/// Whether the agent's channel is mapped: a process may have become a program without it.
bool is_recorded(const model::AddressSpace& space) {
  return std::ranges::any_of(space.mappings(), [](const model::Mapping& mapping) {
    return mapping.path.starts_with("/memfd:heapspy");
  });
}

}  // namespace

RecordedCode::RecordedCode(pid_t pid, std::string executable,
                           std::shared_ptr<unwind::ModuleCache> modules)
    : pid_(pid), executable_(std::move(executable)), cache_(std::move(modules)), map_(cache_) {}

RecordedCode::ModuleKey RecordedCode::key_of(const recording::ModuleFacts& facts) {
  return {facts.load_bias.value, facts.build_id, std::string(path_basename(facts.path))};
}

void RecordedCode::keep_file(recording::ModuleNumber number, unwind::ModuleMapping file) {
  files_.resize(std::max<std::size_t>(files_.size(), number));
  files_[number - 1] = std::move(file);
}

// Not the executable where that is the loader, with the program as its argument.
std::string RecordedCode::program_path(Address code) const {
  const auto mapping = kernel::MapsQuery(kernel::thread_with_memory(pid_)).find(code);
  return mapping && mapping->path.starts_with('/') ? mapping->path : executable_;
}

void RecordedCode::add_module(recording::Writer& writer, const ToldModule& told) {
  const recording::ModuleFacts facts{
      .path = told.path.empty() ? program_path(Address{told.begin}) : told.path,
      .build_id = told.build_id,
      .load_bias = told.load_bias};
  const auto known = map_modules_.find(key_of(facts));
  const recording::ModuleNumber number =
      known != map_modules_.end() ? known->second : writer.define_module(facts);
  if (known == map_modules_.end()) {
    // Opened now: the file may be gone when its frames are named.
    keep_file(number,
              open_module_file(
                  *cache_, pid_,
                  {.path = facts.path, .begin = Address{told.begin}, .build_id = facts.build_id}));
  }
  modules_[told.begin] = {.end = told.end, .load_bias = facts.load_bias.value, .number = number};
}

void RecordedCode::read_map(std::uint64_t time_ns) {
  if (time_ns < next_map_ns_) return;
  next_map_ns_ = time_ns + kMapEveryNs;
  const pid_t memory = kernel::thread_with_memory(pid_);
  model::AddressSpace space;
  read_anew(space, memory);
  if (!is_recorded(space)) return;
  const std::vector<unwind::ModuleMapping> code = code_modules(space, memory);
  map_.assign(code, kernel::root_prefix(memory));
  // All are opened now: the process may be gone when a frame of theirs is written.
  const kernel::ProcessMemory reader(memory);
  for (const unwind::ModuleMapping& mapping : code) map_.find(mapping.range.begin.value, reader);
}

/// 0: there are too many.
recording::ModuleNumber RecordedCode::number_of(recording::Writer& writer,
                                                const unwind::CodeMap::Region& region) {
  const recording::ModuleFacts facts{.path = region.mapping.path,
                                     .build_id = build_id_text(region.module->file()),
                                     .load_bias = Address{region.bias}};
  const auto known = map_modules_.find(key_of(facts));
  if (known != map_modules_.end()) return known->second;
  if (map_modules_.size() == kMostMapModules) return 0;
  const recording::ModuleNumber number = writer.define_module(facts);
  keep_file(number, region.mapping);
  return map_modules_[key_of(facts)] = number;
}

recording::FrameNumber RecordedCode::frame_of_any(recording::Writer& writer, std::uint64_t pc,
                                                  std::uint64_t time_ns) {
  if (module_at(pc) != nullptr) return frame(writer, pc);
  if (!map_.contains(pc - 1)) read_map(time_ns);
  const unwind::CodeMap::Region* const region = map_.find(pc - 1, kernel::ProcessMemory(pid_));
  const recording::ModuleNumber module =
      region != nullptr && region->module != nullptr ? number_of(writer, *region) : 0;
  if (module == 0) return frame(writer, pc);
  return writer.frame({.module = module, .address = pc - region->bias});
}

void RecordedCode::define_sources(recording::Writer& writer) const {
  while (true) {
    const auto frames = writer.frames_without_source(kFramesAtOnce);
    if (frames.empty()) return;
    for (const auto& [number, facts] : frames) {
      std::vector<recording::SourceFrame> sources;
      std::shared_ptr<unwind::Module> module;
      if (facts.module != 0 && facts.module <= files_.size() &&
          !files_[facts.module - 1].path.empty()) {
        module = cache_->open(files_[facts.module - 1], "");
      }
      if (module != nullptr) sources = source_frames(*module, facts.address);
      writer.define_source(number, sources);
    }
  }
}

}  // namespace mini::sources
