// minimalloc's state, as it lies in the memory of a process: for debuggers, profilers and whoever
// else reads another process or a core file and wants to know what each byte of its heap is.
//
// One constant object, `minimalloc_layout`, says where everything is; a note of the ELF file that
// holds the library (or the static program that it is part of) says where that object is. Nothing
// else needs to be known: no symbols, no debug information, no version of the library. How to read
// it, step by step, and what is guaranteed while the process goes on: docs/minimalloc-layout.md.
//
// C11 and C++. Little-endian, 64-bit: sizes and offsets are in bytes, addresses are the process's.
#ifndef MINIMALLOC_LAYOUT_H
#define MINIMALLOC_LAYOUT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// "minialoc" in memory.
#define MINIMALLOC_LAYOUT_MAGIC UINT64_C(0x636f6c61696e696d)
/// Of what this header says. Readers refuse any other. Fields that are appended do not change it,
/// nor do offsets: those are data.
#define MINIMALLOC_LAYOUT_VERSION 1
/// Counts what was added to the table and to the values in it; what was there before still holds.
/// 1: MINIMALLOC_SPAN_CACHED, and the table's fields minor_version and cached_pages.
/// 2: shelves, which have a part of some counts, and the table's fields from shelves on.
#define MINIMALLOC_LAYOUT_MINOR_VERSION 2

/// The note: owner "minimalloc", this type, and a minimalloc_note as descriptor. Its section is
/// .note.minimalloc; it is loaded into memory, in a segment of type PT_NOTE.
#define MINIMALLOC_NOTE_NAME "minimalloc"
#define MINIMALLOC_NOTE_TYPE 1

typedef struct minimalloc_note {
  uint32_t version;  ///< MINIMALLOC_LAYOUT_VERSION
  uint32_t reserved;
  int64_t layout_offset;  ///< of the layout table's address from this field's own address
} minimalloc_note;

/// An address in the process that is described.
typedef const void* minimalloc_address;

/// Slabs and large blocks are spans: each has a record in the table of spans. Record 0 is none.
typedef struct minimalloc_span_layout {
  uint32_t stride;
  uint32_t kind;         ///< uint8_t: MINIMALLOC_SPAN_…
  uint32_t first_page;   ///< uint32_t: page of the heap that it begins at
  uint32_t page_count;   ///< uint32_t
  uint32_t heap;         ///< uint16_t: number of its heap
  uint32_t size_class;   ///< uint8_t: of a slab
  uint32_t block_count;  ///< uint16_t: of a slab
  uint32_t free_bits;  ///< uint64_t[]: bit i % 64 of word i / 64 is 1: block i is free in the slab
} minimalloc_span_layout;

#define MINIMALLOC_SPAN_NONE 0
#define MINIMALLOC_SPAN_SLAB 1
#define MINIMALLOC_SPAN_LARGE 2
#define MINIMALLOC_SPAN_GROWING 3  ///< a large block with room to grow at its end, part of it
#define MINIMALLOC_SPAN_CACHED \
  4  ///< pages of large blocks that were freed, kept for the next: free

/// A thread's cache: for each size class a stack of the addresses of free blocks.
typedef struct minimalloc_cache_layout {
  uint32_t next;          ///< address of the next cache, 0 at the end
  uint32_t sequence;      ///< uint32_t: odd while the thread changes more than one end of one stack
  uint32_t thread;        ///< address: the thread pointer of its thread (FS base, TPIDR_EL0)
  uint32_t stacks;        ///< an array of stacks, by size class
  uint32_t stack_stride;  //   of which each has
  uint32_t stack_top;     ///< address after the last block's slot
  uint32_t stack_limit;   ///< address after the last slot that there is
  uint32_t capacities;    ///< uint16_t[]: slots of each stack; the first is at limit - capacity
} minimalloc_cache_layout;

/// A heap: one bin for each size class, and its large blocks.
typedef struct minimalloc_heap_layout {
  uint32_t id;            ///< uint16_t
  uint32_t name;          ///< char[], null-terminated
  uint32_t name_size;     //   of that many
  uint32_t large_blocks;  ///< uint64_t
  uint32_t large_pages;   ///< uint32_t
  uint32_t bins;          ///< an array of bins, by size class
  uint32_t bin_stride;    //   of which each has
  uint32_t depot;         ///< address of an array of addresses of free blocks
  uint32_t depot_count;   ///< uint32_t
  uint32_t slabs;         ///< uint32_t
  uint32_t pages;         ///< uint32_t: of slabs
  uint32_t blocks;        ///< uint64_t: of slabs
  uint32_t blocks_out;    ///< uint64_t: not free in their slabs
} minimalloc_heap_layout;

/// What is known of the pages of one extent, MINIMALLOC's unit of residency: bits by page.
typedef struct minimalloc_extent_layout {
  uint32_t stride;
  uint32_t used;      ///< uint64_t[]: part of a span, or no page of the heap
  uint32_t resident;  ///< uint64_t[]: may have memory
  uint32_t dirty;     ///< uint64_t[]: may hold other bytes than zeros
} minimalloc_extent_layout;

/// A shelf: where large blocks of malloc's heap come from and go to on some processors. Its pages
/// are in used_pages all the while, and the heap's large_blocks and large_pages do not change.
typedef struct minimalloc_shelf_layout {
  uint32_t stride;
  uint32_t pages;         ///< uint32_t: of spans of kind MINIMALLOC_SPAN_CACHED that lie there
  uint32_t taken_blocks;  ///< uint64_t: taken from it, less those put to it; modulo 2^64
  uint32_t taken_pages;   ///< uint32_t: of those; modulo 2^32
} minimalloc_shelf_layout;

/// A pool: memory that is cut into blocks one after the other. The first block is 16 bytes after
/// the memory's begin; the word before a block is the distance to the next one plus a state in its
/// four lowest bits, or 0 where no block was made yet. A block's usable size is 8 less than the
/// distance.
typedef struct minimalloc_pool_layout {
  uint32_t memory;  ///< address
  uint32_t size;    ///< uint64_t
} minimalloc_pool_layout;

#define MINIMALLOC_POOL_IN_USE 5
#define MINIMALLOC_POOL_FREED 10

/// Where everything is. A field that is "where" a value is holds the address of a variable of the
/// type that is named; the others are values.
typedef struct minimalloc_layout_table {
  uint64_t magic;
  uint32_t version;
  uint32_t size;  ///< of this structure, in the library that is described
  char library_version[16];

  uint32_t page_shift;    ///< a page is 1 << page_shift bytes
  uint32_t extent_pages;  ///< pages of an extent
  uint32_t class_count;   ///< size classes, class 0 (none) included
  uint32_t slab_most;     ///< blocks of a slab at most: bits of its free_bits

  minimalloc_address class_block_bytes;  ///< uint32_t of class 0: bytes of a block
  uint32_t class_stride;                 ///< from one class's to the next
  uint32_t reserved_0;

  minimalloc_address heap_begin;  ///< where the address of page 0 is: 0 as long as there is no heap
  minimalloc_address heap_bytes;  ///< where the heap's length is: uint64_t, gaps included
  minimalloc_address page_map;    ///< where the address of the page map is: uint16_t for each page;
                                ///< low byte: size class, with page_code_own_heap where its heap is
                                ///< not malloc's, or page_code_large at a large block's first page,
                                ///< or 0; high byte: number of the page in its slab
  minimalloc_address span_ids;     ///< where the address of the span numbers is: uint32_t for each
                                   ///< page, valid for the first page of a span
  minimalloc_address spans;        ///< where the address of span record 0 is
  minimalloc_address span_end;     ///< where the number after the last span's is: uint32_t
  minimalloc_address extents;      ///< where the address of extent 0 is
  minimalloc_address first_cache;  ///< where the address of the first thread cache is: 0 for none
  minimalloc_address main_heap;    ///< malloc's heap
  minimalloc_address
      heap_groups;              ///< the address of heap h is in group h / heap_group_slots, entry
                                ///< h % heap_group_slots; a group's address is at heap_groups + 8 *
                                ///< its number; either may be 0. Heap 0 is not there: main_heap
  minimalloc_address heap_end;  ///< where the number after the last heap's is: uint32_t
  uint32_t heap_group_count;
  uint32_t heap_group_slots;

  minimalloc_address used_pages;           ///< where the pages of spans are counted: uint32_t
  minimalloc_address free_pages;           ///< and the others of the heap: uint32_t
  minimalloc_address resident_free_pages;  ///< and those of them that may have memory: uint32_t
  minimalloc_address thread_count;         ///< and the thread caches: uint32_t
  minimalloc_address lost_count;           ///< and blocks that signal handlers lost: uint64_t

  minimalloc_address pools[4];  ///< the first pool_count of them
  uint32_t pool_count;
  uint32_t page_code_large;     ///< see page_map
  uint32_t page_code_own_heap;  ///< see page_map

  minimalloc_span_layout span;
  minimalloc_cache_layout cache;
  minimalloc_heap_layout heap;
  minimalloc_extent_layout extent;
  minimalloc_pool_layout pool;

  // Since minor version 1.
  uint32_t minor_version;  ///< MINIMALLOC_LAYOUT_MINOR_VERSION; 0 where `size` ends before
  uint32_t reserved_1;
  minimalloc_address cached_pages;  ///< where the pages of spans of kind MINIMALLOC_SPAN_CACHED are
                                    ///< counted: uint32_t; they are in neither count above. Those
                                    ///< that lie on shelves are not in this one
  // Since minor version 2.
  minimalloc_address shelves;  ///< shelf 0
  uint32_t shelf_count;
  uint32_t reserved_2;
  minimalloc_shelf_layout shelf;
} minimalloc_layout_table;

/// In the process's own library. A reader of another process goes by the note.
extern const minimalloc_layout_table minimalloc_layout;

#ifdef __cplusplus
}
#endif

#endif
