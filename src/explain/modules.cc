#include "explain/modules.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"

namespace mini::explain {
namespace {

struct NamePattern {
  std::string_view prefix;
  std::string_view name;
};

// Files that are another allocator or a runtime, by how their name begins.
constexpr std::array kRuntimeFiles = std::to_array<NamePattern>({
    {"libjemalloc", "jemalloc"},
    {"libtcmalloc", "tcmalloc"},
    {"libmimalloc", "mimalloc"},
    {"libminimalloc", "minimalloc"},
    {"libc_malloc_debug", "glibc's debugging malloc"},
    {"libsnmalloc", "snmalloc"},
    {"librpmalloc", "rpmalloc"},
    {"libhardened_malloc", "hardened_malloc"},
    {"libmesh", "Mesh"},
    {"libhoard", "Hoard"},
    {"libscudo", "Scudo"},
    {"libasan", "AddressSanitizer"},
    {"libtsan", "ThreadSanitizer"},
    {"libjvm.so", "HotSpot"},
    {"libnode.so", "V8"},
    {"libv8", "V8"},
    {"libgo.so", "Go runtime"},
    {"python2", "CPython"},
    {"python3", "CPython"},
    {"libpython", "CPython"},
    {"libruby", "Ruby"},
    {"libcoreclr", ".NET"},
    {"libclr", ".NET"},
    {"libmono", "Mono"},
    {"libluajit", "LuaJIT"},
    {"libmozjs", "SpiderMonkey"},
    {"libjavascriptcore", "JavaScriptCore"},
    {"beam.smp", "Erlang"},
});

// Functions of the same, wherever they are linked in, by how their demangled name begins.
constexpr std::array kAllocatorFunctions = std::to_array<NamePattern>({
    {"je_", "jemalloc"},
    {"_rjem_", "jemalloc"},
    {"os_pages_map", "jemalloc"},
    {"os_pages_unmap", "jemalloc"},
    {"pages_purge_", "jemalloc"},
    {"tcmalloc::", "tcmalloc"},
    {"TCMalloc", "tcmalloc"},
    {"MmapSysAllocator::", "tcmalloc"},
    {"SbrkSysAllocator::", "tcmalloc"},
    {"DefaultSysAllocator::", "tcmalloc"},
    // Not all of "mi_": gdb's machine interface and MyISAM begin so, too.
    {"_mi_", "mimalloc"},
    {"mi_aligned_", "mimalloc"},
    {"mi_arena", "mimalloc"},
    {"mi_calloc", "mimalloc"},
    {"mi_find_page", "mimalloc"},
    {"mi_free", "mimalloc"},
    {"mi_heap_", "mimalloc"},
    {"mi_large_", "mimalloc"},
    {"mi_malloc", "mimalloc"},
    {"mi_memalign", "mimalloc"},
    {"mi_new", "mimalloc"},
    {"mi_os_", "mimalloc"},
    {"mi_page_", "mimalloc"},
    {"mi_posix_memalign", "mimalloc"},
    {"mi_process_", "mimalloc"},
    {"mi_realloc", "mimalloc"},
    {"mi_reserve_", "mimalloc"},
    {"mi_rezalloc", "mimalloc"},
    {"mi_segment", "mimalloc"},
    {"mi_thread_", "mimalloc"},
    {"mi_unix_mmap", "mimalloc"},
    {"mi_zalloc", "mimalloc"},
    {"minimalloc_", "minimalloc"},
    {"snmalloc::", "snmalloc"},
    {"rpmalloc", "rpmalloc"},
    {"_rpmalloc", "rpmalloc"},
    {"scudo::", "Scudo"},
    {"__asan", "AddressSanitizer"},
    {"__sanitizer", "sanitizer"},
    {"__tsan", "ThreadSanitizer"},
    {"partition_alloc::", "PartitionAlloc"},
    {"GC_unix_", "Boehm collector"},
    {"GC_expand_hp", "Boehm collector"},
});

constexpr std::array kLanguageFunctions = std::to_array<NamePattern>({
    {"v8::", "V8"},
    {"cppgc::", "V8"},
    {"heap::base::", "V8"},
    {"runtime.", "Go runtime"},
    {"runtime/", "Go runtime"},
    {"_rt0_", "Go runtime"},
    {"_PyObject_Arena", "CPython"},
    {"_PyMem_Arena", "CPython"},
    {"lj_alloc", "LuaJIT"},
});

constexpr std::array<std::string_view, 7> kLibcFiles = {
    "libc.so.", "libc-2.", "libpthread", "libdl.so", "libdl-2", "librt.so", "librt-2"};

constexpr std::array<std::string_view, 4> kLoaderFiles = {"ld-linux", "ld-2.", "ld.so.1",
                                                          "ld64.so"};

constexpr std::array<std::string_view, 3> kMuslFiles = {"ld-musl", "libc.musl", "libc.so"};

std::string_view name_by(std::span<const NamePattern> patterns, std::string_view text) {
  const auto found = std::ranges::find_if(
      patterns, [text](const NamePattern& pattern) { return text.starts_with(pattern.prefix); });
  return found == patterns.end() ? std::string_view{} : found->name;
}

}  // namespace

bool is_agent_file(std::string_view path) {
  return path.starts_with('/') && path_basename(path).starts_with("libheapspy-agent.so");
}

bool is_of_agent(std::string_view path) {
  return path.starts_with("/memfd:heapspy") || is_agent_file(path);
}

Module classify_module(std::string_view path, const model::Process& process) {
  if (path.empty() || path.starts_with("/memfd:") || path.starts_with("//anon")) return {};
  if (path.starts_with('[')) return {ModuleKind::kKernel, {}};
  const std::string_view name = path_basename(path);
  if (const auto runtime = name_by(kRuntimeFiles, name); !runtime.empty()) {
    return {ModuleKind::kRuntime, runtime};
  }
  // A loader may be run itself, with the program's path as its argument.
  const bool is_loader = process.interpreter.empty() && begins_with_any(name, kLoaderFiles);
  if (path == process.executable && !is_loader) return {ModuleKind::kExecutable, {}};
  if (begins_with_any(name, kLibcFiles)) return {ModuleKind::kLibc, {}};
  if (begins_with_any(name, kMuslFiles)) return {ModuleKind::kMusl, {}};
  // The interpreter's path may be a symbolic link; maps has the file's own.
  const bool interpreter =
      !process.interpreter.empty() && name == path_basename(process.interpreter);
  if (interpreter || begins_with_any(name, kLoaderFiles)) return {ModuleKind::kLoader, {}};
  return {ModuleKind::kLibrary, {}};
}

std::string_view allocator_of_function(std::string_view function) {
  return name_by(kAllocatorFunctions, function);
}

std::string_view runtime_of_function(std::string_view function) {
  const std::string_view allocator = allocator_of_function(function);
  return allocator.empty() ? name_by(kLanguageFunctions, function) : allocator;
}

}  // namespace mini::explain
