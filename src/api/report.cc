// Every line but the first is a sum of the lines above it or a part of one below it.
#include "api/report.h"

#include <unistd.h>

#include "alloc/statistics.h"
#include "api/version.h"
#include "api/writer.h"

namespace mini::api {
namespace {

using alloc::g_allocator;

constexpr std::size_t kSizeWidth = 12;
constexpr std::size_t kSlabsWidth = 8;
constexpr std::size_t kWidth = 10;
constexpr std::size_t kLabelWidth = 40;
constexpr std::size_t kBytesWidth = 15;

void write_cells(Writer& out, const alloc::ClassFigures& row) {
  out.number(row.slabs, kSlabsWidth);
  for (const std::uint64_t cell :
       {row.pages, row.blocks, row.in_use, row.cached, row.in_depots, row.free}) {
    out.number(cell, kWidth);
  }
  out << '\n';
}

// blocks == in use + cached + in depots + free, in every line and in the last one.
void write_classes(Writer& out, const alloc::ClassTable& classes,
                   const alloc::ClassFigures& total) {
  out << "  block size   slabs     pages    blocks    in use    cached in depots      free\n";
  for (std::uint32_t i = 1; i < alloc::kClassCount; ++i) {
    if (classes[i].slabs == 0) continue;
    out.number(alloc::kSizeClasses[i].block_bytes, kSizeWidth);
    write_cells(out, classes[i]);
  }
  out.text("   all small", kSizeWidth);
  write_cells(out, total);
}

class Bytes {
 public:
  explicit Bytes(Writer& out) : out_(out) {}

  void row(const char* label, std::uint64_t bytes) {
    out_.text(label, kLabelWidth).number(bytes, kBytesWidth) << '\n';
  }
  void row(const char* label, std::uint64_t bytes, std::uint64_t count, const char* what) {
    out_.text(label, kLabelWidth).number(bytes, kBytesWidth)
        << "   " << count << ' ' << what << '\n';
  }

 private:
  Writer& out_;
};

void write_bytes(Writer& out, const alloc::Figures& figures, const alloc::ClassSums& small) {
  constexpr std::uint64_t kPage = alloc::kPageBytes;
  const std::uint64_t used = figures.used_pages * kPage;
  const std::uint64_t free = figures.free_pages * kPage;
  const alloc::PoolFigures& pools = figures.pools;
  Bytes bytes(out);
  out << "\n  bytes\n";
  bytes.row("    small blocks in use", small.in_use_bytes, small.counts.in_use, "blocks");
  bytes.row("  + large blocks in use", figures.large.pages * kPage, figures.large.blocks, "blocks");
  bytes.row("  + cached by threads", small.cached_bytes, small.counts.cached, "blocks");
  bytes.row("  + in depots", small.depot_bytes, small.counts.in_depots, "blocks");
  bytes.row("  + free in slabs", small.free_bytes, small.counts.free, "blocks");
  bytes.row("  + ends of slabs, too short for a block", small.rest_bytes, small.counts.slabs,
            "slabs");
  bytes.row("  = pages in use", used, figures.used_pages, "pages");
  bytes.row("  + free pages", free, figures.resident_free_pages, "may have memory");
  bytes.row("  = heap", used + free);
  bytes.row("    first blocks in use", pools.live_bytes, pools.live_blocks, "blocks");
  bytes.row("  + the rest of their memory", pools.rest_bytes);
  bytes.row("  + tables that describe the heap", figures.tables_bytes);
  bytes.row("  + heap", used + free);
  bytes.row("  = minimalloc's address space", used + free + figures.tables_bytes + pools.bytes);
}

void write_heaps(Writer& out, const alloc::Figures& figures) {
  out << "\n  threads with a cache " << figures.threads << ", heaps " << figures.heaps
      << ", blocks lost to signal handlers " << figures.lost_blocks << '\n';
  for (std::uint32_t id = 1; id < alloc::heap_end(g_allocator); ++id) {
    alloc::HeapFigures heap;
    if (!alloc::read_heap_figures(g_allocator, static_cast<alloc::HeapId>(id), &heap)) continue;
    const alloc::ClassSums small = alloc::sum(heap.classes);
    out << "  heap " << std::uint64_t{id} << " \"";
    out.foreign(heap.name.data(), heap.name.size()) << "\": ";
    out << small.in_use_bytes + heap.large.pages * alloc::kPageBytes << " bytes in "
        << small.counts.in_use + heap.large.blocks << " blocks in use, "
        << small.counts.pages + heap.large.pages << " pages\n";
  }
}

}  // namespace

void write_report(int fd, const char* moment) {
  alloc::Figures figures;
  Writer out(fd);
  if (!alloc::read_figures(g_allocator, &figures)) {
    out << "minimalloc: no statistics: asked for by a signal handler that interrupted malloc or "
           "free; ask again after it\n";
    return;
  }
  const alloc::ClassSums small = alloc::sum(figures.classes);
  out << "minimalloc " << kVersion << ": process ";
  Digits digits;
  out << write_digits(static_cast<std::uint64_t>(::getpid()), &digits, false) << ", " << moment
      << "\n\n";
  write_classes(out, figures.classes, small.counts);
  write_bytes(out, figures, small);
  write_heaps(out, figures);
}

}  // namespace mini::api
