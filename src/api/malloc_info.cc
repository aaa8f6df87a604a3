// malloc_info: the figures as XML, in glibc's elements.
//
// The text goes through stdio, which may allocate: so all figures of a heap are read before any of
// them is written.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "alloc/statistics.h"
#include "api/export.h"
#include "api/writer.h"

extern "C" int malloc_info(int options, FILE* file) noexcept;

namespace {

using mini::alloc::g_allocator;
using mini::alloc::HeapFigures;
using mini::alloc::kClassCount;
using mini::alloc::kPageBytes;
using mini::alloc::kSizeClasses;

using Count = unsigned long long;  // what %llu prints

void write_total(FILE* file, const char* type, Count count, Count bytes) {
  std::fprintf(file, "<total type=\"%s\" count=\"%llu\" size=\"%llu\"/>\n", type, count, bytes);
}

// What the heap has of the kernel; "max" is the same, since address space is not given back.
void write_system(FILE* file, Count bytes) {
  for (const char* const type : {"current", "max"}) {
    std::fprintf(file, "<system type=\"%s\" size=\"%llu\"/>\n", type, bytes);
  }
  for (const char* const type : {"total", "mprotect"}) {
    std::fprintf(file, "<aspace type=\"%s\" size=\"%llu\"/>\n", type, bytes);
  }
}

void write_name(FILE* file, const char* name) {
  if (*name == '\0') return;
  std::fputs(" name=\"", file);
  for (const char* const end = name + std::strlen(name); name != end;) {
    const std::size_t shown = mini::api::shown_bytes(name, static_cast<std::size_t>(end - name));
    if (shown == 0) {
      std::fputc('?', file);
    } else if (*name == '<' || *name == '&' || *name == '"') {
      std::fprintf(file, "&#%d;", *name);
    } else {
      std::fwrite(name, 1, shown, file);
    }
    name += std::max<std::size_t>(shown, 1);
  }
  std::fputc('"', file);
}

void write_heap(FILE* file, std::uint32_t id, const HeapFigures& heap) {
  std::fprintf(file, "<heap nr=\"%u\"", id);
  write_name(file, heap.name.data());
  std::fputs(">\n<sizes>\n", file);
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const Count free = heap.classes[i].free;
    if (free == 0) continue;
    std::fprintf(file, "  <size from=\"%u\" to=\"%u\" total=\"%llu\" count=\"%llu\"/>\n",
                 kSizeClasses[i - 1].block_bytes + 1, kSizeClasses[i].block_bytes,
                 free * kSizeClasses[i].block_bytes, free);
  }
  std::fputs("</sizes>\n", file);
  const mini::alloc::ClassSums small = mini::alloc::sum(heap.classes);
  write_total(file, "fast", small.counts.cached + small.counts.in_depots,
              small.cached_bytes + small.depot_bytes);
  write_total(file, "rest", small.counts.free, small.free_bytes);
  write_system(file, (small.counts.pages + heap.large.pages) * kPageBytes);
  std::fputs("</heap>\n", file);
}

void write_all(FILE* file, const mini::alloc::Figures& figures) {
  const mini::alloc::ClassSums small = mini::alloc::sum(figures.classes);
  write_total(file, "fast", small.counts.cached + small.counts.in_depots,
              small.cached_bytes + small.depot_bytes);
  write_total(file, "rest", small.counts.free + figures.free_pages,
              small.free_bytes + figures.free_pages * kPageBytes);
  write_total(file, "mmap", figures.large.blocks, figures.large.pages * kPageBytes);
  write_system(file, (figures.used_pages + figures.free_pages) * kPageBytes);
}

}  // namespace

// Options: none are known, by glibc neither. EAGAIN: a signal handler asks that interrupted malloc.
extern "C" MINIMALLOC_EXPORT int malloc_info(int options, FILE* file) noexcept {
  if (options != 0) return EINVAL;
  mini::alloc::Figures figures;
  if (!mini::alloc::read_figures(g_allocator, &figures)) return EAGAIN;
  std::fputs("<malloc version=\"1\">\n", file);
  for (std::uint32_t id = 0; id < mini::alloc::heap_end(g_allocator); ++id) {
    HeapFigures heap;
    if (mini::alloc::read_heap_figures(g_allocator, static_cast<mini::alloc::HeapId>(id), &heap)) {
      write_heap(file, id, heap);
    }
  }
  write_all(file, figures);
  std::fputs("</malloc>\n", file);
  return 0;
}
