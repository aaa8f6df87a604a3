// A new SQLite file that rows are put into, quickly: its first error is kept, and all is silent
// after.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace mini::database {

/// NULL, a number, or text. Text is read as bytes from anybody, and stored as well-formed UTF-8.
using Value = std::variant<std::monostate, std::int64_t, std::string_view>;

class Database {
 public:
  /// Makes the file, or takes an empty one.
  explicit Database(const std::string& path);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  void execute(const std::string& sql);
  bool healthy() const { return !error_; }
  /// After the last write: the file is closed.
  Result<void> close();

 private:
  friend class Statement;
  void check(int result);
  std::string describe(int result) const;

  sqlite3* handle_ = nullptr;
  std::optional<std::string> error_;
};

/// A statement that is prepared once and run again and again. REQUIRES: the database outlives it.
class Statement {
 public:
  Statement(Database& database, const std::string& sql);

  /// The values are those of its parameters, in their order.
  void run(std::initializer_list<Value> values);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace mini::database
