// A table whose last column is a place in the program with its callers, on as many lines as it
// takes.
#pragma once

#include <string>
#include <vector>

#include "views/text_style.h"

namespace mini::views {

class PlaceTable {
 public:
  /// Columns of figures, then the one of names.
  explicit PlaceTable(std::vector<std::string> titles, std::string name_title = "place")
      : titles_(std::move(titles)), name_title_(std::move(name_title)) {}

  /// One figure a column; `callers` from the place outwards; what it called, inwards, if that is to
  /// be said.
  void add_row(std::vector<std::string> figures, std::string place,
               std::vector<std::string> callers, std::vector<std::string> callees = {}) {
    rows_.push_back({std::move(figures), std::move(place), std::move(callers), std::move(callees)});
  }
  void write(std::string& out, const TextStyle& style) const;

 private:
  struct Row {
    std::vector<std::string> figures;
    std::string place;
    std::vector<std::string> callers;
    std::vector<std::string> callees;
  };

  std::vector<std::string> titles_;
  std::string name_title_;
  std::vector<Row> rows_;
};

}  // namespace mini::views
