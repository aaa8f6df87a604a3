/* Tells heapspy what it cannot see by itself: the blocks of an allocator of the program's own,
 * names for moments, names for memory.
 *
 *     #include <heapspy/annotate.h>
 *
 *     heapspy_mark("frame 12");
 *
 * A header alone: nothing is linked, nothing is loaded, and in a program that `heapspy record` does
 * not watch each call is one test of a pointer. The functions may be called by any thread and from
 * signal handlers, allocate nothing, and leave errno as it is.
 *
 * C99 and later, C++11 and later; GCC and Clang. In a statically linked program they do nothing,
 * nor in one that ran already when `heapspy record -p` joined it.
 */
#ifndef HEAPSPY_ANNOTATE_H
#define HEAPSPY_ANNOTATE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The agent's. Weak: where there is none their addresses are null. The linker would make them null
 * for good in code that is not position-independent: GCC's "noplt" keeps it from that; with Clang's
 * -fno-pic -no-pie link with -z dynamic-undefined-weak. */
#if defined(__has_attribute)
#if __has_attribute(noplt)
#define HEAPSPY_AGENT_ __attribute__((weak, noplt, visibility("default")))
#endif
#endif
#ifndef HEAPSPY_AGENT_
#define HEAPSPY_AGENT_ __attribute__((weak, visibility("default")))
#endif
HEAPSPY_AGENT_ void heapspy_agent_mark(const char* text);
HEAPSPY_AGENT_ void heapspy_agent_pool_memory(const void* block);
HEAPSPY_AGENT_ void heapspy_agent_pool_allocated(const void* block, size_t bytes);
HEAPSPY_AGENT_ void heapspy_agent_pool_freed(const void* block);
HEAPSPY_AGENT_ void heapspy_agent_name_memory(const void* begin, size_t bytes, const char* name);
#undef HEAPSPY_AGENT_

/* Names this moment: "request start". The recording keeps up to 255 bytes. */
static inline void heapspy_mark(const char* text) {
  if (heapspy_agent_mark) heapspy_agent_mark(text);
}

/* `block`, which malloc gave, is memory of a pool from now on: what the pool gives out of it
 * counts, and the block itself no more. It is freed as ever. */
static inline void heapspy_pool_memory(const void* block) {
  if (heapspy_agent_pool_memory) heapspy_agent_pool_memory(block);
}

/* A pool gave out, or got back, a block of its memory; `bytes` is what it was asked for. */
static inline void heapspy_pool_allocated(const void* block, size_t bytes) {
  if (heapspy_agent_pool_allocated) heapspy_agent_pool_allocated(block, bytes);
}
static inline void heapspy_pool_freed(const void* block) {
  if (heapspy_agent_pool_freed) heapspy_agent_pool_freed(block);
}

/* Names anonymous memory, in whole pages, where the kernel can (Linux 5.17): "[anon:texture cache]"
 * in /proc/PID/maps, and so in all that heapspy says of the mapping. Up to 79 printable bytes. */
static inline void heapspy_name_memory(const void* begin, size_t bytes, const char* name) {
  if (heapspy_agent_name_memory) heapspy_agent_name_memory(begin, bytes, name);
}

#ifdef __cplusplus
}
#endif

#endif
