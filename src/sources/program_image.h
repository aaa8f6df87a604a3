// What a process looks like at a moment, read from /proc, taken over into the model.
#pragma once

#include <vector>

#include "kernel/proc_maps.h"
#include "model/address_space.h"
#include "model/mapping.h"
#include "sources/tracee.h"

namespace mini::sources {

model::Mapping to_mapping(const kernel::MapsEntry& entry);

/// The kernel's list for the process, without [vsyscall], which is not in its address space.
/// Empty where it cannot be read, as when the process is gone.
std::vector<model::Mapping> read_mappings(pid_t pid);

/// Reads everything anew, after execve or at attach: a new address space, the executable, the
/// interpreter, the entry point. REQUIRES: process.space is new and empty.
void load_image(TracedProcess& process);

/// Makes the model equal to the kernel's list, keeping the labels of what stays.
void resync(model::AddressSpace& space, const std::vector<model::Mapping>& kernel);

/// The same with the list of a process; where that cannot be read (the process is gone, or hides
/// itself by prctl PR_SET_DUMPABLE) the model stays as it is.
void read_anew(model::AddressSpace& space, pid_t pid);

/// The kernel extends the main stack downwards when it is touched below its end: takes that over
/// into the model, and returns by how much.
Bytes take_stack_growth(TracedProcess& process);

/// A mapping of a file as the unwinder wants it.
unwind::ModuleMapping to_module(const model::Mapping& mapping, pid_t pid);

/// The executable mappings of files, as the unwinder wants them.
std::vector<unwind::ModuleMapping> code_modules(const model::AddressSpace& space, pid_t pid);

/// Whether a mapping holds code that the unwinder knows by its file.
bool is_code(const model::Mapping& mapping);

}  // namespace mini::sources
