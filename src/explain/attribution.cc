// Reads a stack from the system call outwards until a frame decides who asked; then further, for
// the service in between, the constructor it was in, and the phase.
#include "explain/attribution.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <span>

#include "base/text.h"
#include "explain/rust_functions.h"
#include "explain/stack_facts.h"

namespace mini::explain {
namespace {

using model::Cause;
using model::Phase;
using Frames = std::span<const FrameFacts>;

// Functions that belong to a language's library even where they are compiled into the program.
constexpr std::array<std::string_view, 5> kLanguageFunctions = {
    "std::", "__gnu_cxx::", "operator new", "operator delete", "void std::"};
constexpr std::string_view kLanguageHeaders = "/usr/include/";

bool is_language_code(const unwind::Frame& frame) {
  // A name of the standard library that is too costly to demangle.
  const bool is_mangled = frame.function.starts_with("_ZSt") ||
                          frame.function.starts_with("_ZNSt") ||
                          frame.function.starts_with("_ZNKSt");
  return is_mangled || frame.file.starts_with(kLanguageHeaders) ||
         is_rust_library_file(frame.file) || is_rust_library_function(frame.function) ||
         begins_with_any(frame.function, kLanguageFunctions);
}

bool is_main(const FrameFacts& facts) {
  return facts.kind != ModuleKind::kLibc && facts.frame->function == "main";
}

class Reader {
 public:
  Reader(Frames frames, const model::Process& process) : frames_(frames), process_(process) {}

  Attribution read(unwind::StackEnd end) {
    decide(end);
    if (result_.cause == Cause::kUnknown) explain_unknown(end);
    find_service();
    find_constructor();
    find_origin();
    find_phase();
    return std::move(result_);
  }

 private:
  // Sets the cause and decisive_, the index of the frame that decided.
  void decide(unwind::StackEnd end);
  std::string_view runtime_of(const FrameFacts& facts) const;
  std::size_t outermost_entry(std::size_t i) const;
  bool decide_in_libc(std::size_t i);
  bool decide_elsewhere(std::size_t i);
  void decided(Cause cause, std::size_t i) {
    result_.cause = cause;
    decisive_ = i;
  }
  void decide_without_caller(unwind::StackEnd end);
  void explain_unknown(unwind::StackEnd end);

  void find_service();
  void find_loader_service();
  void find_constructor();
  std::size_t end_of_loader_run(std::size_t i) const;
  std::string_view caller_of_loader(std::size_t i) const;
  void name_constructor(std::size_t inner, std::string_view what);
  std::size_t end_of_allocator() const;
  void find_origin();
  void find_phase();

  bool any(auto&& predicate) const { return std::ranges::any_of(frames_, predicate); }

  Frames frames_;
  const model::Process& process_;
  Attribution result_;
  std::size_t decisive_ = 0;
  bool in_malloc_ = false;
  bool in_exit_ = false;
  bool code_without_file_ = false;
  bool started_by_loader_ = false;  // in a constructor before the entry point
};

// An executable whose linker left a note of it is a runtime's wherever it has no better name.
std::string_view Reader::runtime_of(const FrameFacts& facts) const {
  if (facts.kind != ModuleKind::kExecutable || facts.libc || facts.start_file) return facts.runtime;
  return facts.runtime.empty() ? std::string_view(process_.runtime) : facts.runtime;
}

void Reader::decide(unwind::StackEnd end) {
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const FrameFacts& facts = frames_[i];
    const std::string_view runtime = runtime_of(facts);
    if (!runtime.empty()) {
      // What libc does on a runtime's behalf, loading a locale, is no more its heap than anyone's.
      const bool for_libc = !result_.service.empty() && !result_.thread_stack;
      result_.runtime = runtime;
      return decided(for_libc ? Cause::kProgram : Cause::kRuntime, i);
    }
    if (facts.libc ? decide_in_libc(i) : decide_elsewhere(i)) return;
  }
  decide_without_caller(end);
}

// realloc may be in malloc, posix_memalign in what does its work: the caller called the last one.
std::size_t Reader::outermost_entry(std::size_t i) const {
  std::size_t entry = i;
  for (; i < frames_.size() && frames_[i].libc; ++i) {
    if (frames_[i].duty == Duty::kMallocEntry) entry = i;
    if (frames_[i].duty != Duty::kMallocEntry && frames_[i].duty != Duty::kMallocPart) break;
  }
  return entry;
}

bool Reader::decide_in_libc(std::size_t i) {
  const FrameFacts& facts = frames_[i];
  switch (facts.duty) {
    case Duty::kWrapper:
      result_.wrapper = plain_name(facts.frame->function);
      return false;
    case Duty::kMallocEntry:
      i = outermost_entry(i);
      result_.entry = frames_[i].label;
      result_.musl = facts.kind == ModuleKind::kMusl;
      decided(Cause::kMalloc, i);
      return true;
    case Duty::kMallocPart:
      in_malloc_ = true;
      return false;
    case Duty::kThreadStack:
      result_.thread_stack = true;
      [[fallthrough]];
    case Duty::kService:
    case Duty::kStdio:
    case Duty::kThreadRoot:
      if (result_.service.empty()) result_.service = facts.label;
      return false;
    case Duty::kLoaderPart:
      // Of a static program: part of its start-up, unless dlopen turns up further out.
      if (facts.kind == ModuleKind::kExecutable) return false;
      [[fallthrough]];
    case Duty::kDlopen:
      decided(Cause::kLoader, i);
      return true;
    case Duty::kExit:
      in_exit_ = true;
      if (result_.service.empty()) result_.service = "exit";
      return false;
    case Duty::kLibcStart:
    case Duty::kConstructors:
      if (in_exit_) return false;
      decided(Cause::kLibcStartup, i);
      return true;
    case Duty::kMainCaller:
    case Duty::kNone:
      return false;
  }
  return false;
}

bool Reader::decide_elsewhere(std::size_t i) {
  const FrameFacts& facts = frames_[i];
  if (facts.duty == Duty::kWrapper && facts.kind != ModuleKind::kLoader) {
    result_.wrapper = plain_name(facts.frame->function);
    return false;
  }
  switch (facts.kind) {
    case ModuleKind::kLoader:
      decided(Cause::kLoader, i);
      return true;
    case ModuleKind::kExecutable:
    case ModuleKind::kLibrary: {
      if (facts.start_file) return false;
      const bool is_static = facts.kind == ModuleKind::kExecutable && process_.interpreter.empty();
      if (is_static && facts.frame->function.empty()) {
        result_.unknown_reason = "a static program without symbols";
        return true;
      }
      if (facts.allocator) {
        // Not libc's malloc, but one of that name: the program brings its own allocator.
        result_.runtime = "an allocator of its own";
        decided(Cause::kRuntime, i);
        return true;
      }
      if (facts.kind == ModuleKind::kLibrary) {
        result_.library = path_basename(facts.frame->module);
      }
      decided(in_malloc_ ? Cause::kMalloc : Cause::kProgram, i);
      return true;
    }
    case ModuleKind::kNone:
      code_without_file_ = true;
      return false;
    case ModuleKind::kLibc:
    case ModuleKind::kMusl:
    case ModuleKind::kRuntime:
    case ModuleKind::kKernel:
      return false;
  }
  return false;
}

// Every frame was passed over: libc's code alone, or nothing.
void Reader::decide_without_caller(unwind::StackEnd end) {
  decisive_ = frames_.empty() ? 0 : frames_.size() - 1;
  if (in_malloc_) {
    result_.cause = Cause::kMalloc;
  } else if (!result_.service.empty()) {
    result_.cause = Cause::kProgram;
  } else if (end == unwind::StackEnd::kComplete && !frames_.empty() &&
             std::ranges::all_of(frames_, [](const FrameFacts& facts) {
               return facts.kind == ModuleKind::kMusl;
             })) {
    result_.cause = Cause::kLoader;  // musl's loader and libc are one file
  }
}

void Reader::explain_unknown(unwind::StackEnd end) {
  if (!result_.unknown_reason.empty()) return;
  if (frames_.empty()) {
    result_.unknown_reason = "no stack";
  } else if (end != unwind::StackEnd::kComplete) {
    result_.unknown_reason = "stack cut short";
  } else {
    result_.unknown_reason = code_without_file_ ? "code made at run time" : "libc internal";
  }
}

// Why the loader was at work, other than to start the program.
void Reader::find_loader_service() {
  const auto found = std::ranges::find_if(frames_, [](const FrameFacts& facts) {
    return facts.duty == Duty::kDlopen || facts.duty == Duty::kService;
  });
  result_.service = found == frames_.end() ? std::string_view{} : found->label;
}

// Which service of libc's called malloc: the innermost one that is known, in the run of libc's
// frames around it. An exported function that reads or writes counts for a stream's buffer only
// where no frame in between has a name that says otherwise.
void Reader::find_service() {
  if (result_.cause == Cause::kRuntime) result_.service = {};
  if (result_.cause == Cause::kLoader) find_loader_service();
  if (result_.cause != Cause::kMalloc) return;
  result_.service = {};
  bool named_between = false;
  for (std::size_t i = decisive_ + 1; i < frames_.size(); ++i) {
    const FrameFacts& facts = frames_[i];
    if (i == decisive_ + 1 && facts.frame->function.starts_with("operator new")) {
      result_.entry = "operator new";
    }
    if (facts.kind == ModuleKind::kLoader) {
      if (i == decisive_ + 1) result_.service = "loader";
      continue;
    }
    if (!facts.libc) return;
    switch (facts.duty) {
      case Duty::kService:
      case Duty::kThreadStack:
      case Duty::kDlopen:
        result_.service = facts.duty == Duty::kThreadStack ? "pthread_create" : facts.label;
        return;
      case Duty::kStdio:
        result_.service = named_between ? "stdio" : "stdio buffer";
        // Something further out may say it better: fopen, asprintf.
        named_between = true;
        continue;
      case Duty::kLibcStart:
        if (result_.service.empty()) result_.service = "libc start-up";
        return;
      case Duty::kExit:
      case Duty::kThreadRoot:
      case Duty::kConstructors:
      case Duty::kMainCaller:
        return;
      case Duty::kNone:
      case Duty::kWrapper:
      case Duty::kMallocEntry:
      case Duty::kMallocPart:
      case Duty::kLoaderPart:
        if (facts.duty == Duty::kNone && !facts.frame->function.empty()) named_between = true;
        continue;
    }
  }
}

std::size_t Reader::end_of_loader_run(std::size_t i) const {
  while (i < frames_.size() && frames_[i].kind == ModuleKind::kLoader) ++i;
  return i;
}

// What called the loader whose frames end before `i`: "start" where nothing did, "dlopen", "exit";
// "" where it was ordinary code, as for thread-local storage and lazy binding.
std::string_view Reader::caller_of_loader(std::size_t i) const {
  if (i == frames_.size()) return "start";
  for (; i < frames_.size() && (frames_[i].libc || frames_[i].kind == ModuleKind::kLoader); ++i) {
    if (frames_[i].duty == Duty::kDlopen) return "dlopen";
    if (frames_[i].duty == Duty::kExit) return "exit";
  }
  return {};
}

void Reader::name_constructor(std::size_t inner, std::string_view what) {
  if (frames_[inner].libc) return;
  result_.constructor = fmt::format("{} {}", path_basename(frames_[inner].frame->module), what);
}

// A library's code that the loader called is a constructor or a destructor of it; so is the
// executable's code that libc called before main.
void Reader::find_constructor() {
  const bool loaders_own = result_.cause == Cause::kLoader;
  for (std::size_t i = decisive_ + 1; i < frames_.size(); ++i) {
    const FrameFacts& facts = frames_[i];
    const std::size_t inner = i - 1;
    if (facts.kind == ModuleKind::kLoader && frames_[inner].kind != ModuleKind::kLoader) {
      const bool asked_by_loader = inner == decisive_ && result_.cause == Cause::kMalloc;
      const std::string_view caller = caller_of_loader(end_of_loader_run(i));
      if (asked_by_loader || loaders_own || caller.empty()) continue;
      name_constructor(inner, caller == "exit" ? "destructor" : "constructor");
      started_by_loader_ = caller == "start";
      return;
    }
    const bool before_main = facts.libc && (facts.duty == Duty::kConstructors ||
                                            (facts.duty == Duty::kLibcStart && !in_exit_));
    if (before_main && frames_[inner].own() && !is_main(frames_[inner]) &&
        !frames_[inner].frame->function.empty()) {
      name_constructor(inner, "constructor");
      started_by_loader_ = true;
      return;
    }
  }
}

// Where an allocator was called that is linked in: its functions may have any name in between.
std::size_t Reader::end_of_allocator() const {
  if (result_.cause != Cause::kRuntime) return 0;
  const auto last = std::ranges::find_if(frames_.rbegin(), frames_.rend(), &FrameFacts::allocator);
  return static_cast<std::size_t>(frames_.rend() - last);
}

void Reader::find_origin() {
  const auto callers = frames_.subspan(end_of_allocator());
  const auto find = [&](auto&& predicate) {
    if (result_.origin_frame) return;
    const auto found = std::ranges::find_if(callers, predicate);
    if (found == callers.end()) return;
    result_.origin_frame = frames_.size() - static_cast<std::size_t>(callers.end() - found);
  };
  const auto in_executable = [](const FrameFacts& f) { return f.kind == ModuleKind::kExecutable; };
  find([&](const FrameFacts& f) {
    return in_executable(f) && f.own() && !is_language_code(*f.frame);
  });
  find([&](const FrameFacts& f) { return in_executable(f) && f.own(); });
  find([](const FrameFacts& f) { return f.own(); });
  find([&](const FrameFacts& f) {
    return f.frame->module == process_.executable && f.kind != ModuleKind::kLoader && !f.libc &&
           !f.start_file;
  });
}

void Reader::find_phase() {
  const auto has_duty = [&](Duty duty) {
    return any([duty](const FrameFacts& facts) { return facts.duty == duty; });
  };
  const bool in_own_code = any([](const FrameFacts& facts) { return facts.own(); });
  if (result_.cause == Cause::kLoader && !in_own_code && !has_duty(Duty::kDlopen)) {
    result_.phase = Phase::kLibraryLoading;
    return;
  }
  result_.at_run_time = result_.cause == Cause::kLoader;
  const bool in_main = any(is_main) || has_duty(Duty::kMainCaller) || has_duty(Duty::kThreadRoot);
  const bool before_main = started_by_loader_ || result_.cause == Cause::kLibcStartup;
  if (has_duty(Duty::kExit)) {
    result_.phase = Phase::kExit;
  } else if (before_main && !in_main) {
    result_.phase = Phase::kLibcStartup;
  } else if (in_main || in_own_code || result_.cause == Cause::kRuntime) {
    result_.phase = Phase::kProgram;
  } else if (result_.service == "loader") {
    result_.phase = Phase::kLibraryLoading;
  }
}

}  // namespace

Attribution attribute(const unwind::CallStack* stack, const model::Process& process) {
  if (stack == nullptr) {
    Attribution none;
    none.unknown_reason = "no stack";
    return none;
  }
  const std::vector<FrameFacts> frames = read_stack(*stack, process);
  return Reader(frames, process).read(stack->end);
}

}  // namespace mini::explain
