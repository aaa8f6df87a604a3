#include <optional>
#include <string_view>

#include "explain/memory_ledger.h"
#include "views/event_facts.h"
#include "views/inspect_parts.h"
#include "views/json_writer.h"
#include "views/report_json_parts.h"

namespace mini::views {
namespace {

using model::Inspection;
using model::PieceUse;

void write_ledger(JsonWriter& json, std::string_view name,
                  const std::vector<model::MemoryRow>& rows) {
  json.key(name).begin_array();
  for (const model::MemoryRow& row : rows) {
    json.begin_object();
    json.key("kind").string(model::memory_kind_name(row.kind));
    json.key("bytes").signed_number(row.bytes);
    json.key("owner").string_or_null(row.owner);
    json.key("tag").string(model::figure_tag_name(row.tag));
    json.end_object();
  }
  json.end_array();
}

void write_counters(JsonWriter& json, const model::Heap& heap) {
  json.key("counters").begin_array();
  for (const model::HeapCounter& counter : heap.counters) {
    json.begin_object();
    json.key("name").string(counter.name);
    json.key("counted").number(counter.counted);
    json.key("found").number(counter.found);
    json.key("in_motion").boolean(counter.in_motion);
    json.end_object();
  }
  json.end_array();
}

void write_heap(JsonWriter& json, const Inspection& inspection) {
  json.key("heap");
  if (!inspection.heap) {
    json.null();
    json.key("no_heap_because").string(inspection.no_heap_because);
    return;
  }
  const model::Heap& heap = *inspection.heap;
  const HeapSums sums = heap_sums(inspection.account);
  json.begin_object();
  json.key("allocator").string(heap.allocator);
  json.key("version").string_or_null(heap.version);
  json.key("found_by").string(heap.found_by);
  json.key("live_bytes").bytes(sums.live);
  json.key("live_blocks").number(sums.live_blocks);
  json.key("free_bytes").bytes(sums.free);
  json.key("cached_bytes").bytes(sums.cached);
  json.key("top_bytes").bytes(sums.top);
  json.key("overhead_bytes").bytes(sums.overhead);
  json.key("foreign_bytes").bytes(sums.foreign);
  json.key("unknown_bytes").bytes(sums.unknown);
  json.key("returnable_bytes").bytes(inspection.account.returnable);
  json.key("pinned_bytes").bytes(inspection.account.pinned);
  json.key("mmapped_chunks").number(heap.mmapped_found);
  json.key("mmapped_bytes").bytes(heap.mmapped_bytes_found);
  json.key("mmapped_chunks_counted").number(heap.parameters.mmapped_count);
  json.key("mmapped_bytes_counted").bytes(heap.parameters.mmapped);
  json.key("mmap_threshold_bytes").bytes(heap.parameters.mmap_threshold);
  json.key("trim_threshold_bytes").bytes(heap.parameters.trim_threshold);
  json.key("top_pad_bytes").bytes(heap.parameters.top_pad);
  json.key("thresholds_fixed").boolean(heap.parameters.thresholds_are_fixed);
  json.key("caches_not_found").number(heap.caches_not_found);
  json.key("damages").number(heap.damages_count);
  write_counters(json, heap);
  json.end_object();
}

void write_uses(JsonWriter& json, const model::TotalsByUse& totals) {
  json.key("uses").begin_object();
  for (std::size_t i = 0; i < model::kPieceUseCount; ++i) {
    const model::PieceTotals& total = totals.at(i);
    if (total.pieces == 0) continue;
    json.key(model::piece_use_name(static_cast<PieceUse>(i))).begin_object();
    json.key("chunks").number(total.pieces);
    json.key("bytes").bytes(total.size);
    json.key("header_bytes").bytes(total.header);
    json.key("resident_bytes").bytes(total.resident);
    json.end_object();
  }
  json.end_object();
}

void write_arenas(JsonWriter& json, const Inspection& inspection) {
  json.key("arenas").begin_array();
  for (std::uint32_t i = 0; inspection.heap && i < inspection.heap->arenas.size(); ++i) {
    const model::HeapArena& arena = inspection.heap->arenas[i];
    json.begin_object();
    json.key("name").string(explain::arena_name(inspection, i));
    json.key("address").address(arena.address);
    json.key("main").boolean(arena.is_main);
    json.key("contiguous").boolean(arena.is_contiguous);
    json.key("system_bytes").bytes(arena.system);
    json.key("most_system_bytes").bytes(arena.most_system);
    json.key("threads").number_or_null(arena.attached_threads);
    json.key("top").address_or_null(arena.top);
    json.key("top_bytes").bytes(arena.top_size);
    json.key("last_remainder").address_or_null(arena.last_remainder);
    json.key("regions").begin_array();
    for (const AddressRange& region : arena.regions) {
      json.begin_object();
      json.key("begin").address(region.begin).key("end").address(region.end);
      json.end_object();
    }
    json.end_array();
    write_uses(json, inspection.account.by_arena[i]);
    json.end_object();
  }
  json.end_array();
}

void write_bins(JsonWriter& json, const Inspection& inspection) {
  json.key("bins").begin_array();
  for (std::size_t i = 0; inspection.heap && i < inspection.heap->bins.size(); ++i) {
    const model::HeapBin& bin = inspection.heap->bins[i];
    json.begin_object();
    json.key("kind").string(model::piece_use_name(bin.use));
    json.key("arena").number(bin.arena);
    json.key("thread");
    bin.cache ? json.signed_number(inspection.heap->caches[*bin.cache].thread_id) : json.null();
    json.key("index").number(bin.index);
    json.key("least_chunk_bytes").bytes(bin.least_size);
    json.key("most_chunk_bytes").bytes(bin.most_size);
    json.key("chunks").number(bin.pieces);
    json.key("bytes").bytes(bin.size);
    json.end_object();
  }
  json.end_array();
}

void write_pins(JsonWriter& json, const Inspection& inspection) {
  json.key("pins").begin_array();
  for (const model::HeapPin& pin : inspection.account.pins) {
    json.begin_object();
    json.key("address").address(pin.first_block);
    json.key("blocks").number(pin.blocks);
    json.key("bytes").bytes(pin.size);
    json.key("pinned_bytes").bytes(pin.pinned);
    json.key("arena").string(explain::arena_name(inspection, pin.arena));
    json.key("hint").string_or_null(pin.hint);
    json.key("stack").begin_array();
    for (const std::string& frame : pin.stack) json.string(frame);
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

void write_sizes(JsonWriter& json, const Inspection& inspection) {
  json.key("sizes").begin_array();
  for (std::size_t i = 0; i < inspection.account.sizes.size(); ++i) {
    const model::SizeRow& row = inspection.account.sizes.at(i);
    if (row.live.pieces + row.free.pieces == 0) continue;
    json.begin_object();
    json.key("up_to_bytes").number(i < 64 ? std::uint64_t{1} << i : UINT64_MAX);
    json.key("live_chunks").number(row.live.pieces);
    json.key("live_bytes").bytes(row.live.size);
    json.key("free_chunks").number(row.free.pieces);
    json.key("free_bytes").bytes(row.free.size);
    json.end_object();
  }
  json.end_array();
}

void write_block_sizes(JsonWriter& json, const model::BlockSizes& sizes) {
  json.key("block_sizes").begin_array();
  for (const model::BlockSizeRow& row : sizes.rows()) {
    json.begin_object();
    json.key("block_bytes").bytes(row.block_size);
    json.key("blocks").number(row.blocks);
    json.key("bytes").bytes(row.size());
    json.end_object();
  }
  json.end_array();
}

void write_damages(JsonWriter& json, const Inspection& inspection) {
  json.key("damages").begin_array();
  for (std::size_t i = 0; inspection.heap && i < inspection.heap->damages.size(); ++i) {
    const model::HeapDamage& damage = inspection.heap->damages[i];
    json.begin_object();
    json.key("address").address(damage.where);
    json.key("field").string(damage.field);
    json.key("found").string(damage.found);
    json.key("expected").string(damage.expected);
    json.end_object();
  }
  json.end_array();
}

void write_piece(JsonWriter& json, const Inspection& inspection, const model::HeapPiece& piece) {
  json.begin_object();
  json.key("chunk").address(piece.range.begin);
  json.key("block").address(piece.user());
  json.key("bytes").bytes(piece.range.size());
  json.key("use").string(model::piece_use_name(piece.use));
  json.key("arena").string(explain::arena_name(inspection, piece.arena));
  json.end_object();
}

void write_pieces(JsonWriter& json, const Inspection& inspection, const model::PieceQuery& query,
                  const InspectOptions& options) {
  if (options.show_pieces) {
    json.key("chunks_matching").number(query.matching());
    json.key("chunks_matching_bytes").bytes(query.matching_size());
    json.key("chunks").begin_array();
    for (const model::HeapPiece& piece : query.kept()) write_piece(json, inspection, piece);
    json.end_array();
  }
  if (!options.around) return;
  json.key("around").begin_object();
  json.key("address").address(*options.around);
  const auto& place = query.place();
  const auto neighbour = [&](const char* name, const std::optional<model::HeapPiece>& piece) {
    json.key(name);
    piece ? write_piece(json, inspection, *piece) : static_cast<void>(json.null());
  };
  neighbour("before", place ? place->before : std::nullopt);
  neighbour("in", place ? std::optional(place->piece) : std::nullopt);
  neighbour("after", place ? place->after : std::nullopt);
  json.end_object();
}

void write_pause(JsonWriter& json, const Inspection& inspection) {
  json.key("pause_ns").number(inspection.pause_ns);
  json.key("max_pause_ns").number_or_null(inspection.most_pause_ns);
  json.key("heap_reading").string(model::heap_reading_name(inspection.heap_reading));
  json.key("max_copy_bytes").bytes(inspection.most_copied);
  json.key("heap_bytes_to_read").bytes(inspection.heap_to_read);
  json.key("heap_bytes_in_pause").bytes(inspection.heap_in_pause);
  json.key("heap_readings").number(inspection.heap_readings);
  json.key("places_in_motion").number(inspection.places_in_motion);
  json.key("inconsistencies");
  const bool is_sure = inspection.is_of_one_moment() && !inspection.may_be_motion;
  const bool counts = inspection.heap && !is_sure;
  json.number(counts ? inspection.heap->damages_count : 0);
}

void write_end(JsonWriter& json, const Inspection& inspection) {
  json.key("ended_by");
  if (!inspection.end) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("signal").string(signal_name(inspection.end->signal));
  json.key("thread").signed_number(inspection.end->thread);
  json.key("sender").signed_number_or_null(inspection.end->sender);
  json.end_object();
}

}  // namespace

void write_inspection_json(std::string& out, const Inspection& inspection,
                           std::span<const explain::Finding> findings,
                           const model::PieceQuery& query, const InspectOptions& options,
                           std::string_view version) {
  JsonWriter json(out);
  json.begin_object();
  json.key("type").string("inspect");
  json.key("schema").number(1);
  json.key("heapspy").string(version);
  json.key("source").string(inspection.source == Inspection::Source::kCore ? "core" : "process");
  json.key("pid").signed_number(inspection.pid);
  json.key("executable").string_or_null(inspection.executable);
  write_end(json, inspection);
  json.key("threads").number(inspection.threads.size());
  write_pause(json, inspection);
  json.key("rss_bytes").bytes_or_null(inspection.resident);
  json.key("virtual_bytes").bytes(inspection.mapped);
  json.key("swap_bytes").bytes(inspection.swapped);
  json.key("page_table_bytes").bytes(inspection.page_tables);
  json.key("hugetlb_bytes").bytes(inspection.pool_pages);
  write_ledger(json, "resident_ledger", inspection.resident_ledger);
  write_ledger(json, "virtual_ledger", inspection.mapped_ledger);
  write_heap(json, inspection);
  write_arenas(json, inspection);
  write_bins(json, inspection);
  write_pins(json, inspection);
  write_sizes(json, inspection);
  if (options.block_sizes != nullptr) write_block_sizes(json, *options.block_sizes);
  write_findings(json, findings);
  write_damages(json, inspection);
  json.key("losses").begin_array();
  for (const std::string& loss : inspection.losses) json.string(loss);
  json.end_array();
  write_pieces(json, inspection, query, options);
  write_lost_json(json, inspection);
  if (options.trim) write_trim_json(json, *options.trim);
  if (options.map != nullptr) write_map_json(json, inspection, *options.map, options);
  json.end_object();
  out += '\n';
}

}  // namespace mini::views
