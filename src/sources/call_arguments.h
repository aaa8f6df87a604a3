// A system call's raw registers turned into named arguments as a person reads them.
#pragma once

#include <optional>
#include <vector>

#include "base/memory_reader.h"
#include "kernel/proc_file.h"
#include "kernel/syscall_table.h"
#include "model/event.h"

namespace mini::sources {

/// `file` is what the call's descriptor refers to, where that is known.
std::vector<model::Argument> decode_arguments(const kernel::SyscallSpec& spec,
                                              const std::array<std::uint64_t, 6>& values,
                                              const MemoryReader& memory,
                                              const std::optional<kernel::OpenFile>& file);

/// A zero-terminated string of the target, at most `limit` bytes of it; nullopt where unreadable.
std::optional<std::string> read_text(const MemoryReader& memory, Address from, std::size_t limit);

}  // namespace mini::sources
