// What the borrowed thread is to call: dlopen, then the agent's own function.
#include "inject/agent_loader.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>

#include "inject/borrowed_call.h"
#include "inject/call_code.h"
#include "inject/import_binder.h"
#include "inject/process_view.h"
#include "kernel/proc_maps.h"
#include "wire/channel.h"

namespace mini::inject {
namespace {

constexpr std::uint64_t kLegacyOpenFlag = 0x80000000;  // __RTLD_DLOPEN, of __libc_dlopen_mode

template <std::size_t Size>
bool copy_text(char (&to)[Size], const std::string& from) {
  if (from.size() >= Size) return false;
  std::memcpy(to, from.c_str(), from.size() + 1);
  return true;
}

Error recorded_already(pid_t pid) {
  return {fmt::format("process {} is being recorded by another heapspy already", pid), EBUSY};
}

/// Whether a recorder reads the channel whose head is mapped at `head`.
bool is_read(Address head, const MemoryReader& memory) {
  const auto word = [&](std::size_t offset) {
    return memory.read_object<std::uint32_t>(head + Bytes{offset}).value_or(wire::kDied);
  };
  const std::uint32_t recorder = word(offsetof(wire::Channel, recorder));
  return recorder != 0 && recorder != wire::kDied &&
         word(offsetof(wire::Channel, is_closed)) == 0 &&
         memory.read_object<std::uint64_t>(head) == wire::kMagic;
}

/// Whether the process has a channel that is read, and a slot of it, by which it tells: a child
/// that has told of nothing so far has the head alone.
bool is_recorded(pid_t pid, const MemoryReader& memory) {
  const auto maps = kernel::read_maps(pid);
  if (!maps) return false;
  const auto is_slot_of = [](const kernel::MapsEntry& head) {
    return [&head](const kernel::MapsEntry& entry) {
      return entry.inode == head.inode && entry.device == head.device && entry.file_offset != 0;
    };
  };
  return std::ranges::any_of(*maps, [&](const kernel::MapsEntry& head) {
    return head.file_offset == 0 && head.path.starts_with("/memfd:heapspy") &&
           is_read(head.range.begin, memory) && std::ranges::any_of(*maps, is_slot_of(head));
  });
}

class AgentLoader {
 public:
  AgentLoader(const AgentOrder& order, const LoaderList& list, const MemoryReader& memory,
              TraceLedger& ledger)
      : order_(order), list_(list), memory_(memory), ledger_(ledger) {}

  Result<LoadedAgent> run() {
    BorrowedCall call(order_.pid, list_, memory_, ledger_, "load heapspy's agent");
    const auto block = call.run([this](CallBlock& filled, const ProcessView& view, Address place) {
      return fill_in(filled, view, place);
    });
    if (!block) return std::unexpected(block.error());
    return outcome(*block);
  }

 private:
  Result<void> fill_in(CallBlock& block, const ProcessView& view, Address place);
  Result<LoadedAgent> outcome(const CallBlock& block);

  const AgentOrder& order_;
  const LoaderList& list_;
  const MemoryReader& memory_;
  TraceLedger& ledger_;
  LoadedAgent loaded_;
};

Result<void> AgentLoader::fill_in(CallBlock& block, const ProcessView& view, Address place) {
  const auto find = [&](std::string_view name, std::string_view before_2_34) {
    auto found = find_definition(name, view.modules(), memory_);
    if (!found && !before_2_34.empty()) {
      found = find_definition(before_2_34, view.modules(), memory_);
      if (found && name == "dlopen") block.open_flags |= kLegacyOpenFlag;
    }
    return found ? found->value : 0;
  };
  block.open_flags = RTLD_NOW;
  block.dlopen = find("dlopen", "__libc_dlopen_mode");
  block.dlsym = find("dlsym", "__libc_dlsym");
  block.dlerror = find("dlerror", "");
  if (block.errno_location == 0 || block.dlopen == 0 || block.dlsym == 0) {
    return fail(fmt::format("process {} has no dlopen: its C library is none that heapspy knows",
                            order_.pid));
  }
  block.argument = (place + Bytes{kBlockOffset + offsetof(CallBlock, order)}).value;
  loaded_.real = find_real_functions(order_.functions, view.modules(), memory_);
  for (const auto& [name, address] : loaded_.real) {
    if (block.order.functions_count == wire::kMostRealFunctions) break;
    wire::RealFunction& real = block.order.functions[block.order.functions_count];
    if (!copy_text(real.name, name)) continue;
    real.address = address.value;
    ++block.order.functions_count;
  }
  if (!copy_text(block.path, order_.agent) || !copy_text(block.function, wire::kAttachFunction) ||
      !copy_text(block.order.channel_path, order_.channel_path)) {
    return fail(fmt::format("the path of the agent is too long: '{}'", order_.agent));
  }
  return {};
}

Result<LoadedAgent> AgentLoader::outcome(const CallBlock& block) {
  loaded_.link_map = Address{block.handle};
  if (block.result == kLoadFailed) {
    const std::size_t bytes = ::strnlen(&block.error[0], sizeof block.error);
    return fail(fmt::format(
        "process {} cannot load heapspy's agent: {}", order_.pid,
        bytes != 0 ? std::string(&block.error[0], bytes) : fmt::format("'{}'", order_.agent)));
  }
  switch (static_cast<wire::AttachAnswer>(block.result)) {
    case wire::AttachAnswer::kAttached:
      return std::move(loaded_);
    case wire::AttachAnswer::kIsRecorded:
      return std::unexpected(recorded_already(order_.pid));
    case wire::AttachAnswer::kNoChannel:
      break;
  }
  return fail(
      fmt::format("process {} cannot reach heapspy's memory: it is in another PID "
                  "namespace (a container), in a sandbox, or may map no more memory",
                  order_.pid));
}

}  // namespace

Result<LoadedAgent> load_agent(const AgentOrder& order, const LoaderList& list,
                               const MemoryReader& memory, TraceLedger& ledger) {
  // It would say so itself, but only once a thread of it could be borrowed.
  if (is_recorded(order.pid, memory)) return std::unexpected(recorded_already(order.pid));
  return AgentLoader(order, list, memory, ledger).run();
}

}  // namespace mini::inject
