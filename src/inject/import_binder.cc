#include "inject/import_binder.h"

#include <span>

#include "kernel/memory_writer.h"
#include "wire/attach.h"

namespace mini::inject {
namespace {

/// operator new and delete: Itanium C++ ABI, §5.1.5.
bool is_operator(std::string_view name) {
  return name.starts_with("_Z");
}

template <typename IsStub>
std::optional<std::uint64_t> new_value(std::uint64_t value, const Standin& standin,
                                       Direction direction, const IsStub& is_stub) {
  if (direction == Direction::kToReal) {
    return value == standin.agent.value ? std::optional(standin.real.value) : std::nullopt;
  }
  if (value == standin.agent.value) return std::nullopt;
  const bool leads_to_real = value == standin.real.value || is_stub(Address{value});
  return leads_to_real ? std::optional(standin.agent.value) : std::nullopt;
}

}  // namespace

std::map<std::string, Address> find_real_functions(const std::vector<std::string>& names,
                                                   const std::vector<LoadedModule>& modules,
                                                   const MemoryReader& memory) {
  struct Definition {
    Address address;
    const LoadedModule* module = nullptr;
  };
  std::map<std::string, Definition> first;
  for (const LoadedModule& module : modules) {
    const auto dynamic = DynamicModule::read(module, memory);
    // The agent is there from an earlier attachment, or it was preloaded.
    if (!dynamic || dynamic->definition(wire::kAttachFunction, memory)) continue;
    for (const std::string& name : names) {
      if (first.contains(name)) continue;
      if (const auto address = dynamic->definition(name, memory)) first[name] = {*address, &module};
    }
  }
  const auto malloc = first.find("malloc");
  std::map<std::string, Address> found;
  for (const auto& [name, definition] : first) {
    const bool comes_with_malloc =
        malloc != first.end() && malloc->second.module == definition.module;
    if (is_operator(name) && !comes_with_malloc) continue;
    found[name] = definition.address;
  }
  return found;
}

std::vector<Import> find_imports(const LoadedModule& module, const Standins& standins,
                                 const MemoryReader& memory) {
  const auto dynamic = DynamicModule::read(module, memory);
  if (!dynamic) return {};
  const auto is_wanted = [&](std::string_view name) { return standins.contains(name); };
  return dynamic->imports(is_wanted, memory);
}

std::vector<Change> find_changes(const std::vector<Import>& imports, const Standins& standins,
                                 Direction direction, const MemoryReader& memory,
                                 const std::function<bool(Address)>& is_code) {
  std::vector<Change> changes;
  for (const Import& import : imports) {
    const auto value = memory.read_object<std::uint64_t>(import.slot);
    const auto standin = standins.find(import.name);
    if (!value || standin == standins.end()) continue;
    const auto is_stub = [&](Address at) { return import.may_be_stub && is_code(at); };
    if (const auto to = new_value(*value, standin->second, direction, is_stub)) {
      changes.push_back({.slot = import.slot, .from = *value, .to = *to});
    }
  }
  return changes;
}

std::size_t apply(pid_t pid, const std::vector<Change>& changes, const MemoryReader& memory,
                  pid_t stopped_thread) {
  const kernel::MemoryWriter writer(pid);
  std::size_t count = 0;
  for (const Change& change : changes) {
    if (memory.read_object<std::uint64_t>(change.slot) != change.from) continue;
    const auto bytes = std::as_bytes(std::span(&change.to, 1));
    if (writer.write(change.slot, bytes, stopped_thread)) ++count;
  }
  return count;
}

}  // namespace mini::inject
