// 0.6: /proc/PID/maps beside heapspy's model, which is made from system calls alone.
#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "kernel/proc_maps.h"
#include "lab/experiment.h"
#include "lab/traced_run.h"

namespace mini::lab {
namespace {

constexpr std::string_view kTerms[] = {"mapping", "event", "bss", "heap", "ledger"};

std::vector<std::string> command_of(const Bench& bench) {
  return bench.command.empty() ? std::vector<std::string>{bench.places.program("layout")}
                               : bench.command;
}

Result<std::vector<Prediction>> predict(const Bench& /*bench*/) {
  return std::vector<Prediction>{
      {"mappings that differ, at any call", "In how many mappings will the two differ?", count(0),
       "the kernel changes mappings when it is asked to, and each request is seen"},
      {"bytes too many or too few", "By how many bytes, of all that is mapped?", bytes(Bytes{}),
       "what was mapped at exec + what calls gained - what they gave back"},
      {"mappings without a known purpose", "Of how many will heapspy not know what they are for?",
       count(0), "each was made by a call, and each call has a call stack"}};
}

/// One moment: the kernel's list and the model's.
struct Moment {
  std::vector<kernel::MapsEntry> kernel;
  std::vector<model::Mapping> model;
  model::Ledger ledger;
  std::uint64_t calls = 0;
};

Moment look_at(const model::Event& event, const model::Process& process) {
  Moment moment;
  auto entries = kernel::read_maps(event.pid);
  if (!entries || process.space == nullptr) return moment;
  for (kernel::MapsEntry& entry : *entries) {
    // [vsyscall] is in no process's address space.
    if (entry.path != "[vsyscall]") moment.kernel.push_back(std::move(entry));
  }
  moment.model = process.space->mappings();
  moment.ledger = process.ledger;
  return moment;
}

Bytes kernel_bytes(const Moment& moment) {
  Bytes sum;
  for (const kernel::MapsEntry& entry : moment.kernel) sum += entry.range.size();
  return sum;
}

// From nothing but what the calls did.
Bytes ledger_bytes(const model::Ledger& ledger) {
  Bytes sum = ledger.mapped_at_exec + ledger.without_call.gained - ledger.without_call.returned;
  for (const model::LedgerRow& row : ledger.by_cause) sum = sum + row.gained - row.returned;
  return sum;
}

std::string_view purpose(const Moment& moment, const kernel::MapsEntry& entry) {
  for (const model::Mapping& mapping : moment.model) {
    if (mapping.range.contains(entry.range.begin)) return model::role_name(mapping.role);
  }
  return "-";
}

std::string side_by_side(const Moment& moment) {
  std::string text = fmt::format("  {:<30} {:<4} {:>9}  {:<18} {}\n", "the kernel: /proc/PID/maps",
                                 "", "", "", "heapspy");
  for (const kernel::MapsEntry& entry : moment.kernel) {
    std::string name(path_basename(entry.path));
    if (name.size() > 18) name.resize(18);
    text += fmt::format("  {:<30} {}{}{}  {:>9}  {:<18} {}\n", format_range(entry.range),
                        entry.read ? 'r' : '-', entry.write ? 'w' : '-', entry.execute ? 'x' : '-',
                        format_bytes(entry.range.size()), name, purpose(moment, entry));
  }
  return text;
}

Result<Observation> observe(const Bench& bench) {
  // The moment with the most mappings of the first process is the one to show.
  Moment shown;
  pid_t pid = 0;
  const auto at_event = [&](const model::Event& event, const model::Process& process) {
    if (pid == 0) pid = event.pid;
    if (event.pid != pid || event.kind == model::EventKind::kProcessExit) return;
    Moment moment = look_at(event, process);
    if (moment.kernel.size() >= shown.kernel.size()) shown = std::move(moment);
  };
  const auto run =
      run_traced({.command = command_of(bench), .compare_with_kernel = true, .at_event = at_event});
  if (!run) return std::unexpected(run.error());
  const Bytes kernel = kernel_bytes(shown);
  const Bytes ledger = ledger_bytes(shown.ledger);
  const auto unknown =
      std::ranges::count(shown.model, model::Role::kUnknown, &model::Mapping::role);
  const Bytes off = kernel < ledger ? ledger - kernel : kernel - ledger;
  return Observation{
      .answers = {run->comparisons == 0 ? std::nullopt : std::optional(count(run->differences)),
                  bytes(off), count(static_cast<std::uint64_t>(unknown))},
      .exhibits = {{fmt::format("{} comparisons; the moment with the most mappings, {} KiB in all",
                                run->comparisons, format_count(kernel.count / kKiB.count)),
                    side_by_side(shown)}}};
}

std::string explain(const Bench& /*bench*/) {
  return "heapspy keeps a copy of the kernel's list: when the program starts it reads all of "
         "it once, and from then on it does to its copy what each system call did to the original. "
         "brk moves an end, mmap puts a mapping in place of what was there, mprotect "
         "cuts one in three. Here the copy was compared with the original after every call.\n"
         "\n"
         "Why keep a copy of what can be read at any time? Because the kernel's list says where "
         "and "
         "how long, but not who and what for. The copy has that: each mapping was made by a call, "
         "and the call's stack says who asked. The column on the right is what the kernel does not "
         "know. And because the two agree to the byte, what is added up from events can be "
         "trusted.\n"
         "\n"
         "Try it with another command: heapspy lab 0.6 ls";
}

}  // namespace

extern const Experiment kMaps;
const Experiment kMaps = {
    .id = "0.6",
    .title = "The kernel's /proc/PID/maps beside heapspy's model",
    .question =
        "heapspy follows a process by its system calls alone. Is what it believes to be "
        "mapped what the kernel has mapped, at every moment?",
    .sources = {},
    .sources_note = "The program is that of 0.5, or any command: `heapspy lab 0.6 CMD ARG...`.",
    .predict = predict,
    .observe = observe,
    .explain = explain,
    .terms = kTerms,
    .takes_command = true};

}  // namespace mini::lab
