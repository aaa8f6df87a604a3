// The loader adds a library's bias to a symbol's value, modulo 2^64 (glibc's elf/dl-lookup.c and
// ldsodefs.h, SYMBOL_ADDRESS): a value can lead to any address, in any library.
#include "kernel/vm/redirect.h"

#include <atomic>
#include <cstdint>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/vm/library_functions.h"
#include "kernel/vm/vm.h"

namespace mini::kernel::vm {
namespace {

// Only the C library offers it.
constexpr char kOfLibc[] = "gnu_get_libc_version";

struct Redirections {
  const Redirection* begin;
  const Redirection* end;
};

/// The segment of a library that an address is in; null where it is in none.
const ElfW(Phdr) * segment_at(const dl_phdr_info& library, ElfW(Addr) address) {
  for (unsigned i = 0; i < library.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = library.dlpi_phdr[i];
    const ElfW(Addr) begin = library.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && address - begin < segment.p_memsz) return &segment;
  }
  return nullptr;
}

int protection_of(const ElfW(Phdr) & segment) {
  return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) |
         ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

// Other threads may look the symbol up meanwhile: they find one function or the other, since the
// value is one aligned word.
void redirect(const dl_phdr_info& library, const ElfW(Sym) & symbol, const void* function) {
  if (segment_at(library, library.dlpi_addr + symbol.st_value) == nullptr) return;
  const auto place = reinterpret_cast<ElfW(Addr)>(&symbol.st_value);
  const ElfW(Phdr)* const segment = segment_at(library, place);
  if (segment == nullptr) return;
  const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  auto* const page = reinterpret_cast<void*>(place & ~(page_bytes - 1));
  const int protection = protection_of(*segment);
  if (::mprotect(page, page_bytes, protection | PROT_WRITE) != 0) return;
  __atomic_store_n(const_cast<ElfW(Addr)*>(&symbol.st_value),
                   reinterpret_cast<ElfW(Addr)>(function) - library.dlpi_addr, __ATOMIC_RELAXED);
  ::mprotect(page, page_bytes, protection);
}

int redirect_if_libc(dl_phdr_info* library, std::size_t, void* argument) {
  const LibraryFunctions functions(*library);
  if (functions.find(FunctionName(kOfLibc)) == nullptr) return 0;
  const auto& redirections = *static_cast<const Redirections*>(argument);
  for (const Redirection* one = redirections.begin; one != redirections.end; ++one) {
    const ElfW(Sym)* const symbol = functions.find(FunctionName(one->name));
    if (symbol != nullptr && one->function != nullptr) redirect(*library, *symbol, one->function);
  }
  return 1;
}

}  // namespace

void redirect_libc(const Redirection* redirections, std::size_t count) {
  enum class State : std::uint8_t { kNotYet, kNow, kDone };
  static constinit std::atomic<State> g_state{State::kNotYet};
  auto state = State::kNotYet;
  if (g_state.compare_exchange_strong(state, State::kNow, std::memory_order_acquire)) {
    Redirections all{redirections, redirections + count};
    ::dl_iterate_phdr(redirect_if_libc, &all);
    g_state.store(State::kDone, std::memory_order_release);
    return;
  }
  // Not for ever: in a child of fork the thread that was at it is gone.
  constexpr std::uint64_t kMostWaitNs = 100'000'000;
  for (const std::uint64_t until = now_ns() + kMostWaitNs; now_ns() < until;) {
    if (g_state.load(std::memory_order_acquire) == State::kDone) return;
    nap();
  }
}

}  // namespace mini::kernel::vm
