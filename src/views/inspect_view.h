// An inspection for people and for programs: where each resident byte is, and what keeps it there.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "explain/heap_findings.h"
#include "model/block_sizes.h"
#include "model/heap_map.h"
#include "model/inspection.h"
#include "model/piece_query.h"
#include "model/trim_trial.h"
#include "views/text_style.h"

namespace mini::views {

struct InspectOptions {
  TextStyle style;
  std::size_t top = 10;                            // rows of each table
  bool show_pieces = false;                        // the list of `query` instead of the tables
  bool show_lost = false;                          // lost blocks instead of the tables
  const model::HeapMap* map = nullptr;             // drawn instead of the tables
  const model::BlockSizes* block_sizes = nullptr;  // for the JSON
  std::optional<model::TrimTrial> trim;            // shown first
  std::optional<Address> around;  // what `query` has of an address instead of the tables
};

void write_inspection(std::string& out, const model::Inspection& inspection,
                      std::span<const explain::Finding> findings, const model::PieceQuery& query,
                      const InspectOptions& options);

/// One object; docs/inspect-format.md describes it. With the chunks of `query` where options say
/// so.
void write_inspection_json(std::string& out, const model::Inspection& inspection,
                           std::span<const explain::Finding> findings,
                           const model::PieceQuery& query, const InspectOptions& options,
                           std::string_view version);

// The parts of the text, in the order in which they are shown.
void write_inspect_ledger(std::string& out, const model::Inspection& inspection,
                          const InspectOptions& options);
void write_inspect_arenas(std::string& out, const model::Inspection& inspection,
                          const InspectOptions& options);
void write_inspect_bins(std::string& out, const model::Inspection& inspection,
                        const InspectOptions& options);
void write_inspect_pins(std::string& out, const model::Inspection& inspection,
                        const InspectOptions& options);
void write_inspect_sizes(std::string& out, const model::Inspection& inspection,
                         const InspectOptions& options);
void write_inspect_pieces(std::string& out, const model::Inspection& inspection,
                          const model::PieceQuery& query, const InspectOptions& options);

/// What the heap's pieces add up to, as the summary, the JSON and others name it.
struct HeapSums {
  Bytes live;
  std::uint64_t live_blocks = 0;
  Bytes free;    // in bins and fast bins
  Bytes cached;  // in threads' caches
  Bytes top;
  Bytes overhead;
  Bytes foreign;
  Bytes unknown;
};
HeapSums heap_sums(const model::HeapAccount& account);

}  // namespace mini::views
