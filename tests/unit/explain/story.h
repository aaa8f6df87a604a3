// Stacks and events written as data, and a process to tell them to.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "explain/explainer.h"
#include "model/event.h"
#include "model/process.h"

namespace mini::explain {

/// A stack from words, innermost first: "brk@c ?@c malloc@c main@p:heap_spy.c:11". After @ comes
/// the module: c libc, l loader, p the program, s libselinux, x another library, C libstdc++, j
/// libjemalloc, v libjvm, y python, m musl, k the vdso, - no file. "?" is a frame without a name;
/// "_" in a name is as it is, "~" stands for a space.
unwind::CallStackRef stack_of(std::string_view text,
                              unwind::StackEnd end = unwind::StackEnd::kComplete);

/// A dynamically linked program with an empty address space, unless `is_static`.
model::Process make_process(bool is_static = false);

/// A process and its events: what sources/ would do to the model is done here.
class Story {
 public:
  explicit Story(bool is_static = false) : process(make_process(is_static)) {}

  /// Each returns the explained event.
  model::Event brk(std::uint64_t to, std::string_view stack);
  model::Event brk(std::uint64_t to, std::string_view stack, const model::MallocState& state,
                   std::optional<model::MallocRequest> request = {});
  model::Event mmap(AddressRange range, std::string_view stack, std::string path = "",
                    std::uint64_t prot = 3, std::uint64_t flags = 0x22, std::uint64_t offset = 0);
  model::Event munmap(AddressRange range, std::string_view stack);
  model::Event mprotect(AddressRange range, std::uint64_t prot, std::string_view stack);
  model::Event madvise(AddressRange range, std::string_view stack,
                       std::string advice = "MADV_DONTNEED");
  model::Event failed(std::string_view syscall, int error_number, std::string_view stack);
  model::Event exec();
  model::Event of_kind(model::EventKind kind, std::string note = "");

  /// Fills in what every event has and has it explained.
  void tell(model::Event& event, std::string_view stack, Bytes mapped_before);

  // Given to the next mmap, munmap or mremap, then forgotten.
  std::optional<model::MallocState> next_state;
  std::optional<model::MallocRequest> next_request;

  model::Process process;
};

/// glibc 2.36 with its default parameters; an empty heap where there is no top.
model::MallocState malloc_state(std::optional<std::uint64_t> top = {}, std::uint64_t top_bytes = 0);

constexpr AddressRange range_of(std::uint64_t begin, std::uint64_t size) {
  return {Address{begin}, Address{begin + size}};
}

inline constexpr std::string_view kProgramPath = "/opt/prog";
inline constexpr std::string_view kLibcPath = "/usr/lib/x86_64-linux-gnu/libc.so.6";

// Stacks met in glibc 2.36, with the names of its debug information and without.
inline constexpr std::string_view kPrintfGrowth =
    "__brk@c __GI___sbrk@c __glibc_morecore@c sysmalloc@c _int_malloc@c tcache_init@c "
    "__GI___libc_malloc@c __GI__IO_file_doallocate@c __GI__IO_doallocbuf@c "
    "_IO_new_file_overflow@c _IO_new_file_xsputn@c __vfprintf_internal@c __printf@c "
    "main@p:heap_spy.c:11 __libc_start_call_main@c __libc_start_main_impl@c _start@p";
inline constexpr std::string_view kPrintfGrowthUnnamed =
    "brk@c sbrk@c ?@c ?@c ?@c ?@c malloc@c ?@c ?@c ?@c ?@c printf@c main@p:heap_spy.c:11 ?@c "
    "__libc_start_main@c _start@p";
inline constexpr std::string_view kMallocGrowth =
    "brk@c sbrk@c __glibc_morecore@c sysmalloc@c _int_malloc@c malloc@c work@p main@p "
    "__libc_start_call_main@c __libc_start_main@c _start@p";
inline constexpr std::string_view kFree =
    "munmap@c munmap_chunk@c free@c main@p __libc_start_call_main@c __libc_start_main@c _start@p";
inline constexpr std::string_view kOwnSbrk =
    "brk@c sbrk@c main@p:hidden.c:14 __libc_start_call_main@c __libc_start_main@c _start@p";
inline constexpr std::string_view kOwnMmap =
    "mmap64@c main@p __libc_start_call_main@c __libc_start_main@c _start@p";
inline constexpr std::string_view kLoaderMaps =
    "mmap@l _dl_map_segments@l _dl_map_object_from_fd@l _dl_map_object@l dl_main@l "
    "_dl_sysdep_start@l _dl_start@l _start@l";
inline constexpr std::string_view kLoaderMapsUnnamed = "?@l ?@l ?@l ?@l ?@l ?@l";

}  // namespace mini::explain
