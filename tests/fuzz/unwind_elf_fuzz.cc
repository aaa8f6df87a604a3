// A hostile ELF file as a module: its layout, symbols, call frame information and DWARF.
//
// The first 8 bytes choose addresses to ask about; the rest is the file.
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_target.h"
#include "unwind/elf_file.h"
#include "unwind/module.h"

namespace {

constexpr std::size_t kChoiceBytes = 8;

/// The file in memory under a descriptor, as the module of a real target is.
int file_of(const std::uint8_t* data, std::size_t size) {
  const int descriptor = memfd_create("module", MFD_CLOEXEC);
  if (descriptor < 0) return -1;
  if (write(descriptor, data, size) == static_cast<ssize_t>(size)) return descriptor;
  close(descriptor);
  return -1;
}

void ask(mini::unwind::Module& module, std::uint64_t address) {
  module.row_at(address);
  module.resolve(address, true);
  module.resolve(address, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kChoiceBytes) return 0;
  std::uint64_t choice = 0;
  std::memcpy(&choice, data, kChoiceBytes);
  const int descriptor = file_of(data + kChoiceBytes, size - kChoiceBytes);
  if (descriptor < 0) return 0;
  auto file = mini::unwind::ElfFile::from_descriptor(descriptor);
  if (!file) return 0;
  const std::uint64_t entry = (*file)->entry();
  (void)(*file)->load_bias(choice & ~std::uint64_t{4095}, choice & 0xffff);
  mini::unwind::UnwinderOptions options;
  options.use_debug_files = false;  // the machine's own files are no part of the input
  mini::unwind::Module module(std::move(*file), "", "", options);
  ask(module, choice);
  for (std::uint64_t i = 0; i < 16; ++i) ask(module, entry + (choice >> (4 * i) & 0xff) + 16 * i);
  (void)module.address_of("main_arena");
  return 0;
}
