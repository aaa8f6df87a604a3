// minimalloc: what the library offers beyond malloc, free and their family.
//
// The C library's own names (malloc, free, posix_memalign, malloc_usable_size, …) are declared
// where they always were; a program that uses nothing of this header needs nothing of it. What is
// here looks at the allocator, tells it what to do, or makes heaps that are not everybody's.
//
// C11 and C++. All sizes and alignments are bytes. Any thread may call any function at any time,
// but no signal handler may. minimalloc(7) tells the whole story.
#ifndef MINIMALLOC_MINIMALLOC_H
#define MINIMALLOC_MINIMALLOC_H

#include <stddef.h>
#include <stdint.h>

#define MINIMALLOC_VERSION_MAJOR 0
#define MINIMALLOC_VERSION_MINOR 1
#define MINIMALLOC_VERSION_PATCH 0

#ifdef __cplusplus
#define MINIMALLOC_NOTHROW noexcept
extern "C" {
#else
#define MINIMALLOC_NOTHROW
#endif

#if defined(__GNUC__)  // Clang too
#define MINIMALLOC_ALLOCATES(...) __attribute__((malloc, alloc_size(__VA_ARGS__)))
#else
#define MINIMALLOC_ALLOCATES(...)
#endif

/// The version of the library that runs, "0.1.0"; the header's is in MINIMALLOC_VERSION_….
const char* minimalloc_version(void) MINIMALLOC_NOTHROW;

// ── Sizes ──────────────────────────────────────────────────────────────────────────────────────

/// The largest size whose blocks are as large as those for `size`: a program that can use more than
/// it needs allocates this many bytes instead, and none is wasted. 0 where no block can be so
/// large. The first blocks of a process, which do not come from slabs, have other sizes.
size_t minimalloc_good_size(size_t size) MINIMALLOC_NOTHROW;

/// Gives back to the kernel all memory that no block needs: the caller's cached blocks, the depots,
/// free pages, whole free pages inside slabs, and most of what described destroyed heaps. Other
/// threads keep their caches.
///
/// The same as malloc_trim(0). Returns 1 where there was any, else 0.
/// Cost: linear in the pages of the heap; a system call for each run of pages that goes back.
int minimalloc_purge(void) MINIMALLOC_NOTHROW;

// ── Statistics ─────────────────────────────────────────────────────────────────────────────────

// Each field is a uint64_t; _bytes are bytes, _count are numbers. As long as no other thread is
// inside the allocator these hold exactly:
//
//   mapped == heap + tables + fixed
//   heap   == used_pages + free_pages,  resident_free <= free_pages
//   used_pages + fixed == live + cached + depot + slab_free + slab_rest + fixed_rest
//
// While others are at work, fields come from different moments and may miss them a little.
// clang-format off
#define MINIMALLOC_STATS_FIELDS(FIELD)                                                             \
  FIELD(mapped_bytes)        /* address space of the allocator, all of it */                       \
  FIELD(heap_bytes)          /*   of that: pages for blocks, with memory or without */             \
  FIELD(tables_bytes)        /*   and tables that describe them */                                 \
  FIELD(fixed_bytes)         /*   and memory of the library's own, for a process's first blocks */ \
  FIELD(used_pages_bytes)    /* pages of slabs and of large blocks */                              \
  FIELD(free_pages_bytes)    /* pages that are part of nothing */                                  \
  FIELD(resident_free_bytes) /*   of those: may have memory, kept for reuse */                     \
  FIELD(live_bytes)          /* usable bytes of the blocks that the program has */                 \
  FIELD(live_count)                                                                                \
  FIELD(large_bytes)         /*   of those: of blocks with pages of their own */                   \
  FIELD(large_count)                                                                               \
  FIELD(cached_bytes)        /* free blocks that threads keep */                                   \
  FIELD(cached_count)                                                                              \
  FIELD(depot_bytes)         /* free blocks between one thread's cache and the next */             \
  FIELD(depot_count)                                                                               \
  FIELD(slab_free_bytes)     /* free blocks in their slabs */                                      \
  FIELD(slab_free_count)                                                                           \
  FIELD(slab_rest_bytes)     /* ends of slabs, too short for a block */                            \
  FIELD(fixed_rest_bytes)    /* of fixed: what no live block has; freed first blocks, too */       \
  FIELD(slab_count)                                                                                \
  FIELD(heap_count)          /* heaps, malloc's own included */                                    \
  FIELD(thread_count)        /* threads that have a cache */                                       \
  FIELD(lost_count)          /* blocks freed by signal handlers that interrupted the allocator: */ \
                             /* they count as live for ever */
// clang-format on

#define MINIMALLOC_STATS_DECLARE(name) uint64_t name;
/// Counters of the allocator. Later versions append fields.
typedef struct minimalloc_stats {
  size_t struct_size;  ///< the caller's sizeof, set by the caller
  MINIMALLOC_STATS_FIELDS(MINIMALLOC_STATS_DECLARE)
} minimalloc_stats;
#undef MINIMALLOC_STATS_DECLARE

/// Reads the process's counters into *out.
///
/// REQUIRES: out->struct_size == sizeof *out, set by the caller. A newer library fills in that many
///           bytes only; an older one sets what it does not know to 0.
/// Returns 0; or, leaving *out unchanged, EINVAL where the size is none, and EAGAIN in a signal
/// handler that interrupted malloc or free. Leaves errno alone. Allocates nothing.
/// Cost: linear in size classes times heaps and threads.
int minimalloc_stats_read(minimalloc_stats* out) MINIMALLOC_NOTHROW;

/// Writes the table that MINIMALLOC_STATS=1 shows at exit to standard error, now. Allocates
/// nothing. The same as malloc_stats(). In a signal handler that interrupted malloc or free: a line
/// that says so.
void minimalloc_stats_print(void) MINIMALLOC_NOTHROW;

// ── Heaps of one's own ─────────────────────────────────────────────────────────────────────────

/// Blocks that can be freed together, and that reports name. A heap has slabs of its own; its pages
/// come from where all pages come from. No thread caches its blocks, so that each operation takes a
/// lock: what such a heap is for is order, not speed. An empty one takes 12 KiB, and a page at
/// least for each size class that it has blocks of; once it is destroyed the 12 KiB are kept for
/// the next heap, and minimalloc_purge() gives 8 of them back. In a program that has threads fork()
/// takes the locks of all heaps: some 10 microseconds for each.
typedef struct minimalloc_heap minimalloc_heap;

/// A new heap. `name`: cut to 31 bytes; need not be unique; null or "" for none. Tables show
/// control characters of it, and what is not UTF-8, as '?'.
///
/// Null with errno ENOMEM where there is no memory or there are 65,535 heaps already.
minimalloc_heap* minimalloc_heap_create(const char* name) MINIMALLOC_NOTHROW;

/// Frees all blocks of the heap and the heap itself. Null: does nothing. Nor does it do anything in
/// a signal handler that interrupted the allocator itself: the heap stays.
///
/// REQUIRES: nobody uses the heap or a block of it, now or later.
/// Cost: linear in slabs and large blocks, not in blocks.
void minimalloc_heap_destroy(minimalloc_heap* heap) MINIMALLOC_NOTHROW;

/// As malloc, calloc and aligned_alloc, in a heap; a null heap is malloc's. Null with errno ENOMEM
/// where there is no memory, EINVAL where the alignment is no power of two.
///
/// Where the program's free() and realloc() are minimalloc's, as they are unless somebody replaced
/// them once more, they do for such blocks too: realloc() leaves a block in its heap.
void* minimalloc_heap_malloc(minimalloc_heap* heap, size_t size) MINIMALLOC_NOTHROW
    MINIMALLOC_ALLOCATES(2);
void* minimalloc_heap_calloc(minimalloc_heap* heap, size_t count, size_t size) MINIMALLOC_NOTHROW
    MINIMALLOC_ALLOCATES(2, 3);
void* minimalloc_heap_aligned_alloc(minimalloc_heap* heap, size_t alignment,
                                    size_t size) MINIMALLOC_NOTHROW MINIMALLOC_ALLOCATES(3);
/// As realloc: a null `block` is allocated in `heap`, any other stays in the heap that it is in.
/// Size 0 frees the block and returns null. Null with errno ENOMEM: the block is as it was.
void* minimalloc_heap_realloc(minimalloc_heap* heap, void* block, size_t size) MINIMALLOC_NOTHROW;

/// As free, for a block of any heap; null does nothing. Ends the program, with a line that says
/// why, where it is no block or free already. Leaves errno alone.
void minimalloc_free(void* block) MINIMALLOC_NOTHROW;
/// The same, by who knows what was asked for: that is checked, too, and makes it faster.
/// `alignment`: 1 where none was asked for.
void minimalloc_free_sized(void* block, size_t size, size_t alignment) MINIMALLOC_NOTHROW;

/// The heap's number; 0 is malloc's, and null's. Numbers of destroyed heaps are used again.
uint32_t minimalloc_heap_id(const minimalloc_heap* heap) MINIMALLOC_NOTHROW;
/// The heap's name, "" for none; valid as long as the heap.
const char* minimalloc_heap_name(const minimalloc_heap* heap) MINIMALLOC_NOTHROW;
/// A heap of that name, of several the one with the lowest number; null where there is none, or in
/// a signal handler that interrupted the allocator itself. A null name is "".
///
/// REQUIRES: nobody destroys that heap meanwhile.
/// Cost: linear in the heaps that there are or were at once.
minimalloc_heap* minimalloc_heap_find(const char* name) MINIMALLOC_NOTHROW;
/// The heap that a block is in; null for malloc's. REQUIRES: the block is live.
minimalloc_heap* minimalloc_heap_of(const void* block) MINIMALLOC_NOTHROW;

/// What is in one heap. Later versions append fields.
typedef struct minimalloc_heap_stats {
  size_t struct_size;    ///< the caller's sizeof, set by the caller
  uint64_t live_bytes;   ///< usable bytes of the blocks that the program has
  uint64_t live_count;   ///< how many blocks these are
  uint64_t pages_bytes;  ///< pages of its slabs and large blocks
} minimalloc_heap_stats;

/// Reads a heap's counters; null: malloc's. REQUIRES and returns: as minimalloc_stats_read().
/// Cost: linear in size classes, for malloc's heap times threads.
int minimalloc_heap_stats_read(const minimalloc_heap* heap,
                               minimalloc_heap_stats* out) MINIMALLOC_NOTHROW;

// ── A walk over all blocks ─────────────────────────────────────────────────────────────────────

typedef enum minimalloc_block_state {
  MINIMALLOC_BLOCK_LIVE = 0,      ///< the program has it
  MINIMALLOC_BLOCK_CACHED = 1,    ///< free, kept by a thread
  MINIMALLOC_BLOCK_IN_DEPOT = 2,  ///< free, between one thread's cache and the next
  /// Free, in its slab; or freed, of a process's first blocks: fixed_rest_bytes has those, and
  /// slab_free_bytes has not.
  MINIMALLOC_BLOCK_FREE = 3
} minimalloc_block_state;

/// One block, as a walk shows it. Later versions append fields.
typedef struct minimalloc_block {
  void* address;
  size_t usable_bytes;
  minimalloc_block_state state;
  uint32_t heap_id;
  uint32_t size_class;  ///< 0: none; the block has pages of its own, or is one of the first
} minimalloc_block;

/// Anything but 0 ends the walk. Must not throw.
typedef int (*minimalloc_visitor)(const minimalloc_block* block, void* context);

/// Shows every block to `visit`: of one heap, or of all where `heap` is null.
///
/// Other threads may go on meanwhile. Then
///   - a block that is live for the whole walk is shown once, as live, with its address and size
///     (a large one that is resized: with one of its sizes);
///   - a block that is free for the whole walk is never shown as live, unless a thread was carrying
///     it between a slab and its cache when its size class was looked at: at most one batch for
///     each thread, 256 blocks;
///   - what is allocated or freed meanwhile may be shown in either state, or not at all.
/// If nobody else is at work, all of it is exact.
///
/// `visit` runs with no lock held: it may allocate, free, and walk. What it does itself counts as
/// "meanwhile"; it must not destroy the heap that is walked.
///
/// REQUIRES: the heap is not destroyed meanwhile. (A walk over all takes no harm from that.)
/// Returns 0, or what `visit` returned; -1 where there is no memory for a copy of the records of
/// one size class (a few per cent of its slabs), or in a signal handler that interrupted malloc or
/// free.
/// Cost: linear in blocks, free ones included.
int minimalloc_walk(const minimalloc_heap* heap, minimalloc_visitor visit,
                    void* context) MINIMALLOC_NOTHROW;

// ── Options ────────────────────────────────────────────────────────────────────────────────────

/// Sets an option as MINIMALLOC_NAME=value in the environment does at the start; minimalloc(7)
/// lists them. `name` is without the prefix: "RETAIN". Holds from the allocator's next decision on.
///
/// Returns 0, ENOENT for a name that there is not, EINVAL for a value that it does not take.
int minimalloc_option_set(const char* name, const char* value) MINIMALLOC_NOTHROW;

/// Writes an option's value as text, null-terminated.
///
/// Returns 0, ENOENT as above, ERANGE where `size` is too small: 32 are enough for every value.
int minimalloc_option_get(const char* name, char* value, size_t size) MINIMALLOC_NOTHROW;

#ifdef __cplusplus
}
#endif

#endif
