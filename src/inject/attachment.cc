#include "inject/attachment.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <sys/stat.h>

#include "inject/agent_functions.h"
#include "inject/agent_loader.h"
#include "inject/dynamic_module.h"
#include "inject/stopped_process.h"
#include "kernel/proc_file.h"

namespace mini::inject {
namespace {

constexpr std::uint64_t kLookNs = 50'000'000;
// A call slot that was just being looked up when it was bound is overwritten by the loader; a
// library that went and came again looks as if nothing had changed.
constexpr std::uint64_t kBindAgainNs = 1'000'000'000;

Result<void> check_agent_is_visible(pid_t pid, const std::string& agent) {
  const std::string root = kernel::root_prefix(pid);
  struct stat ours{};
  struct stat theirs{};
  if (root.empty() ||
      (::stat(agent.c_str(), &ours) == 0 && ::stat((root + agent).c_str(), &theirs) == 0 &&
       ours.st_size == theirs.st_size)) {
    return {};
  }
  return fail(
      fmt::format("process {} runs in a container, where '{}' is not: copy it there, under "
                  "the same path, and try again",
                  pid, agent));
}

}  // namespace

Result<std::unique_ptr<Attachment>> Attachment::attach(pid_t pid, const std::string& agent,
                                                       const std::string& channel_path) {
#if !defined(__x86_64__)
  return fail("a running program can be recorded on x86-64 only: start it by 'heapspy record CMD'");
#endif
  auto functions = read_agent_functions(agent);
  if (!functions) return std::unexpected(functions.error());
  if (auto visible = check_agent_is_visible(pid, agent); !visible) {
    return std::unexpected(visible.error());
  }
  const kernel::ProcessMemory memory(pid);
  const auto list = LoaderList::find(
      pid, memory,
      fmt::format("it has its own malloc in it, and no loader that could load heapspy's agent; "
                  "'heapspy trace -p {0}' and 'heapspy inspect {0}' work without it",
                  pid));
  if (!list) return std::unexpected(list.error());
  const AgentOrder order{
      .pid = pid, .agent = agent, .channel_path = channel_path, .functions = std::move(*functions)};
  std::unique_ptr<Attachment> attachment(new Attachment(pid, *list));
  auto loaded = load_agent(order, attachment->list_, attachment->memory_, attachment->ledger_);
  if (!loaded) return std::unexpected(loaded.error());
  attachment->agent_.link_map = loaded->link_map;
  if (auto found = attachment->find_standins(loaded->real); !found) {
    return std::unexpected(found.error());
  }
  const auto view = ProcessView::read(pid, *list, attachment->memory_);
  if (view) attachment->bind(Direction::kToAgent, *view);
  return attachment;
}

Attachment::~Attachment() {
  let_go_late(ledger_);
}

Result<void> Attachment::find_standins(const std::map<std::string, Address>& real) {
  for (const LoadedModule& module : list_.read(memory_)) {
    if (module.link_map != agent_.link_map) continue;
    agent_ = module;
    const auto dynamic = DynamicModule::read(module, memory_);
    if (!dynamic) break;
    for (const auto& [name, address] : real) {
      if (const auto ours = dynamic->definition(name, memory_)) {
        standins_[name] = {.real = address, .agent = *ours};
      }
    }
  }
  if (!standins_.empty()) return {};
  return fail(fmt::format("process {} loaded heapspy's agent, but does not list it", pid_));
}

// The loader has its own ways to malloc; what the allocator's parts call of each other is no call
// of the program's.
bool Attachment::is_left_alone(const LoadedModule& module, const ProcessView& view,
                               const Landmarks& landmarks) const {
  if (module.link_map == agent_.link_map) return true;
  const std::string path = view.path_at(module.dynamic);
  if (path.empty() || path == landmarks.loader) return true;
  const auto malloc = standins_.find("malloc");
  return malloc != standins_.end() && path != landmarks.c_library &&
         path == view.path_at(malloc->second.real);
}

void Attachment::find_new_imports(const ProcessView& view) {
  std::optional<Landmarks> landmarks;
  for (const LoadedModule& module : view.modules()) {
    KnownModule& known = known_[module.link_map];
    if (known.module == module) continue;
    if (!landmarks) landmarks = view.landmarks(memory_);
    known.module = module;
    known.imports.clear();
    if (!is_left_alone(module, view, *landmarks)) {
      known.imports = find_imports(module, standins_, memory_);
    }
  }
}

/// False where the process could not be stopped, or is another program: what was found in that
/// one's memory may be from before and after.
bool Attachment::bind(Direction direction, const ProcessView& view,
                      const std::function<void()>& while_stopped) {
  find_new_imports(view);
  std::vector<Change> changes;
  for (const LoadedModule& module : view.modules()) {
    const auto is_code = [&](Address address) { return view.is_code_of(module, address); };
    const std::vector<Import>& imports = known_[module.link_map].imports;
    auto some = find_changes(imports, standins_, direction, memory_, is_code);
    changes.insert(changes.end(), some.begin(), some.end());
  }
  if (changes.empty()) return true;
  auto process = StoppedProcess::stop(pid_, ledger_);
  if (!process || process->threads().empty() || !is_still_loaded(agent_, memory_)) return false;
  if (while_stopped) while_stopped();
  apply(pid_, changes, memory_, process->threads().front().tid);
  process->let_go();
  return true;
}

bool Attachment::look(std::uint64_t now_ns) {
  let_go_late(ledger_);
  if (now_ns - looked_ns_ < kLookNs) return true;
  looked_ns_ = now_ns;
  std::vector<LoadedModule> modules = list_.read(memory_);
  if (modules.empty()) {  // the loader is at work; or it is not there any more
    return is_still_loaded(agent_, memory_);
  }
  if (std::ranges::find(modules, agent_) == modules.end()) return false;
  if (modules == bound_ && now_ns - bound_ns_ < kBindAgainNs) return true;
  const auto view = ProcessView::read(pid_, list_, memory_);
  if (view && bind(Direction::kToAgent, *view)) {
    bound_ = std::move(modules);
    bound_ns_ = now_ns;
  }
  return true;
}

void Attachment::detach(const std::function<void()>& while_stopped) {
  constexpr int kMostTries = 20;
  for (int i = 0; i < kMostTries; ++i) {
    const auto view = ProcessView::read(pid_, list_, memory_);
    if (view && bind(Direction::kToReal, *view, while_stopped)) return;
  }
}

}  // namespace mini::inject
