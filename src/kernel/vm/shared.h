// What heapspy's agent asks of the kernel beside pages: memory shared with the recorder, sleeping
// on it, and who it is. The same rules as vm.h: nothing allocates, throws, locks or touches errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/vm/vm.h"

namespace mini::kernel::vm {

/// Maps bytes [offset, offset + bytes) of a file, shared and writable; a child of fork does not
/// have them. Null where that fails.
void* map_shared(const char* path, std::uint64_t offset, std::size_t bytes);

/// The same, for children of fork too.
void* map_inherited(const char* path, std::uint64_t offset, std::size_t bytes);

/// Another part of the file that `begin` maps, by map_inherited() from its offset 0, where the file
/// itself can no longer be opened; as map_shared() does.
void* map_more(void* begin, std::uint64_t offset, std::size_t bytes);

/// Gives the pages of shared memory back, for all who map it: it reads as zeros.
void discard_shared(void* begin, std::size_t bytes);

/// Private zero-filled memory that a child of fork finds zero-filled again (Linux 4.14). Null where
/// there is none.
void* map_wiped_on_fork(std::size_t bytes);

/// Whether children of fork that are made from here on find such memory as it is instead.
void keep_on_fork(void* begin, std::size_t bytes, bool keep);
/// Whether they have what map_shared() or map_more() mapped, too.
void share_on_fork(void* begin, std::size_t bytes, bool share);

/// Has no signal handler run in this thread but that of SIGSYS: kBlockedSignals. What was blocked
/// before, for restore_signals().
std::uint64_t block_signals();
void restore_signals(std::uint64_t blocked);
/// The stack that this thread has for signal handlers; empty where it has none.
Range signal_stack();

/// Sleeps while *word == expected, until wake_shared() by any process, or for `most_ns`.
void wait_shared(std::uint32_t* word, std::uint32_t expected, std::uint64_t most_ns);
void wake_shared(std::uint32_t* word);

std::uint32_t process_id();
std::uint32_t parent_process_id();
std::uint32_t thread_id();
/// The inode of the namespace in which these three count; 0 where it cannot be found out.
std::uint64_t pid_namespace();

/// What this process runs: the path of its program, and its arguments, each ended by a zero. Bytes
/// written, cut to `size`; 0 where it cannot be found out.
std::size_t executable_path(char* out, std::size_t size);
std::size_t command_line(char* out, std::size_t size);

/// The path of a file that is open, in the same way.
std::size_t open_file_path(int descriptor, char* out, std::size_t size);

/// Names whole anonymous pages in /proc/PID/maps, where the kernel can (Linux 5.17).
void name_memory(const void* begin, std::size_t bytes, const char* name);

/// Ends the process at once, all its threads.
[[noreturn]] void end_process(int status);

std::uint32_t effective_user();
std::uint32_t effective_group();

/// Whether a program that this process becomes may open a file to read and write, read it, or
/// execute it.
bool will_open(const char* path);
bool will_read(const char* path);
bool will_execute(const char* path);

/// False where nothing has this name; true too where that may not be looked at.
bool file_exists(const char* path);

}  // namespace mini::kernel::vm
