// The layout that the library publishes of itself: addresses and offsets, known when it is linked.
//
// The note refers to the table by a distance inside the same file, so that nothing has to be filled
// in when the library is loaded.
#include <atomic>
#include <cstddef>
#include <minimalloc/layout.h>

#include "alloc/inspector.h"
#include "api/export.h"
#include "api/version.h"

namespace {

using namespace mini::alloc;

static_assert(sizeof(void*) == 8, "the format knows 64-bit addresses only");
static_assert(MINIMALLOC_SPAN_NONE == static_cast<int>(SpanKind::kFree) &&
              MINIMALLOC_SPAN_SLAB == static_cast<int>(SpanKind::kSlab) &&
              MINIMALLOC_SPAN_LARGE == static_cast<int>(SpanKind::kLarge) &&
              MINIMALLOC_SPAN_GROWING == static_cast<int>(SpanKind::kGrowing) &&
              MINIMALLOC_SPAN_CACHED == static_cast<int>(SpanKind::kCached));
static_assert(MINIMALLOC_POOL_IN_USE == Inspector::kPoolInUse &&
              MINIMALLOC_POOL_FREED == Inspector::kPoolFreed);

// The types that the format names, as they are here.
template <typename Member, typename Published>
concept As = sizeof(Member) == sizeof(Published) && alignof(Member) == alignof(Published);
static_assert(As<decltype(Span::first), std::uint32_t>);
static_assert(As<decltype(Span::pages), std::uint32_t>);
static_assert(As<decltype(Span::heap), std::uint16_t>);
static_assert(As<decltype(Span::size_class), std::uint8_t>);
static_assert(As<decltype(Span::kind), std::uint8_t>);
static_assert(As<decltype(Span::block_count), std::uint16_t>);
static_assert(sizeof(Span::free) == kMostBlocks / 8);
constexpr std::size_t kExtentBitBytes = (kExtentPages + 63) / 64 * sizeof(std::uint64_t);
static_assert(sizeof(Extent::used) == kExtentBitBytes);
static_assert(sizeof(Extent::resident) == kExtentBitBytes);
static_assert(sizeof(Extent::dirty) == kExtentBitBytes);
static_assert(As<PageMapEntry, std::uint16_t>);
static_assert(As<SpanId, std::uint32_t>);
static_assert(As<decltype(SizeClass::block_bytes), std::uint32_t>);
static_assert(As<std::atomic<void*>, void*>);
static_assert(As<std::atomic<std::uint64_t>, std::uint64_t>);

constexpr std::uint32_t offset(std::size_t bytes) {
  return static_cast<std::uint32_t>(bytes);
}

constexpr minimalloc_span_layout span_layout() {
  return {.stride = sizeof(Span),
          .kind = offsetof(Span, kind),
          .first_page = offsetof(Span, first),
          .page_count = offsetof(Span, pages),
          .heap = offsetof(Span, heap),
          .size_class = offsetof(Span, size_class),
          .block_count = offsetof(Span, block_count),
          .free_bits = offsetof(Span, free)};
}

constexpr minimalloc_cache_layout cache_layout() {
  return {.next = offset(Inspector::kCacheNext),
          .sequence = offset(Inspector::kCacheSequence),
          .thread = offset(Inspector::kCacheThread),
          .stacks = offset(Inspector::kCacheStacks),
          .stack_stride = sizeof(BlockStack),
          .stack_top = offsetof(BlockStack, top),
          .stack_limit = offsetof(BlockStack, limit),
          .capacities = offset(Inspector::kCacheCapacities)};
}

constexpr minimalloc_heap_layout heap_layout() {
  return {.id = offset(Inspector::kHeapId),
          .name = offset(Inspector::kHeapName),
          .name_size = offset(Inspector::kHeapNameBytes),
          .large_blocks = offset(Inspector::kHeapLargeBlocks),
          .large_pages = offset(Inspector::kHeapLargePages),
          .bins = offset(Inspector::kHeapBins),
          .bin_stride = sizeof(Bin),
          .depot = offset(Inspector::kBinDepot),
          .depot_count = offset(Inspector::kBinDepotCount),
          .slabs = offset(Inspector::kBinSlabs),
          .pages = offset(Inspector::kBinPages),
          .blocks = offset(Inspector::kBinBlocks),
          .blocks_out = offset(Inspector::kBinBlocksOut)};
}

constexpr minimalloc_shelf_layout shelf_layout() {
  return {.stride = sizeof(SpanShelf),
          .pages = offset(Inspector::kShelfPages),
          .taken_blocks = offset(Inspector::kShelfTakenBlocks),
          .taken_pages = offset(Inspector::kShelfTakenPages)};
}

constexpr minimalloc_extent_layout extent_layout() {
  return {.stride = sizeof(Extent),
          .used = offsetof(Extent, used),
          .resident = offsetof(Extent, resident),
          .dirty = offsetof(Extent, dirty)};
}

template <typename T>
constexpr minimalloc_address where(const T& variable) {
  return static_cast<const void*>(&variable);
}

constexpr void set_variables(minimalloc_layout_table& table) {
  Allocator& a = g_allocator;
  table.heap_begin = where(Inspector::heap_begin(a));
  table.heap_bytes = where(Inspector::heap_bytes(a));
  table.page_map = where(Inspector::page_map(a));
  table.span_ids = where(Inspector::span_ids(a));
  table.spans = where(Inspector::spans(a));
  table.span_end = where(Inspector::span_end(a));
  table.extents = where(Inspector::extents(a));
  table.first_cache = where(Inspector::caches(a));
  table.main_heap = where(Inspector::main_heap(a));
  table.heap_groups = where(Inspector::heap_groups(a));
  table.heap_end = where(Inspector::heap_end(a));
  table.used_pages = where(Inspector::used_pages(a));
  table.cached_pages = where(Inspector::cached_pages(a));
  table.shelves = where(Inspector::shelves(a));
  table.free_pages = where(Inspector::free_pages(a));
  table.resident_free_pages = where(Inspector::resident_free_pages(a));
  table.thread_count = where(Inspector::thread_count(a));
  table.lost_count = where(Inspector::lost_count(a));
}

constexpr minimalloc_layout_table make_table() {
  minimalloc_layout_table table{};
  table.magic = MINIMALLOC_LAYOUT_MAGIC;
  table.version = MINIMALLOC_LAYOUT_VERSION;
  table.size = sizeof table;
  table.minor_version = MINIMALLOC_LAYOUT_MINOR_VERSION;
  for (std::size_t i = 0; i + 1 < sizeof table.library_version && mini::api::kVersion[i] != 0;
       ++i) {
    table.library_version[i] = mini::api::kVersion[i];
  }
  table.page_shift = kPageShift;
  table.extent_pages = kExtentPages;
  table.class_count = kClassCount;
  table.slab_most = kMostBlocks;
  table.class_block_bytes = &kSizeClasses[0].block_bytes;
  table.class_stride = sizeof(SizeClass);
  table.page_code_own_heap = kCodeOwnHeap;
  table.page_code_large = kCodeLarge;
  table.heap_group_count = offset(Inspector::kHeapGroups);
  table.heap_group_slots = offset(Inspector::kHeapGroupSlots);
  table.pools[0] = &g_first_pool;
  table.pools[1] = &g_emergency;
  table.pool_count = 2;
  table.span = span_layout();
  table.cache = cache_layout();
  table.heap = heap_layout();
  table.extent = extent_layout();
  table.shelf_count = offset(Inspector::kShelves);
  table.shelf = shelf_layout();
  table.pool = {.memory = offset(Inspector::kPoolMemory), .size = offset(Inspector::kPoolBytes)};
  set_variables(table);
  return table;
}

}  // namespace

extern "C" {

MINIMALLOC_EXPORT extern constinit const minimalloc_layout_table minimalloc_layout = make_table();

}  // extern "C"

#define MINIMALLOC_TEXT(token) #token
#define MINIMALLOC_NUMBER(macro) MINIMALLOC_TEXT(macro)

// minimalloc_layout_here: a name of the table that no other library can answer to.
asm(".set minimalloc_layout_here, minimalloc_layout\n"
    ".pushsection .note.minimalloc, \"a\", %note\n"
    ".balign 4\n"
    ".long 2f - 1f\n"
    ".long 4f - 3f\n"
    ".long " MINIMALLOC_NUMBER(MINIMALLOC_NOTE_TYPE) "\n"
    "1: .asciz \"" MINIMALLOC_NOTE_NAME "\"\n"
    "2: .balign 4\n"
    "3: .long " MINIMALLOC_NUMBER(MINIMALLOC_LAYOUT_VERSION) "\n"
    ".long 0\n"
    ".quad minimalloc_layout_here - .\n"
    "4: .popsection\n");
static_assert(sizeof(minimalloc_note) == 16);
