#include "database/sqlite.h"

#include <cerrno>
#include <sqlite3.h>
#include <system_error>
#include <utility>

#include "base/utf8.h"

namespace mini::database {
namespace {

int bind(sqlite3_stmt* statement, int position, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, position, *number);
  }
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    const std::string sound = well_formed_utf8(*text);
    return sqlite3_bind_text64(statement, position, sound.data(), sound.size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  return sqlite3_bind_null(statement, position);
}

}  // namespace

Database::Database(const std::string& path) {
  check(
      sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr));
}

Database::~Database() {
  sqlite3_close(handle_);
}

/// In the words of the system where it is the system that refused, as for any other file.
std::string Database::describe(int result) const {
  if (handle_ == nullptr) return sqlite3_errstr(result);
  const int kind = result & 0xff;  // an extended code has more bits
  // SQLite forgets the number of this one.
  if (kind == SQLITE_FULL) return std::generic_category().message(ENOSPC);
  int error = kind == SQLITE_CANTOPEN ? sqlite3_system_errno(handle_) : 0;
  if (kind == SQLITE_IOERR) {
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  return error != 0 ? std::generic_category().message(error) : sqlite3_errmsg(handle_);
}

void Database::check(int result) {
  if (result != SQLITE_OK && !error_) error_ = describe(result);
}

void Database::execute(const std::string& sql) {
  if (healthy()) check(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr));
}

Result<void> Database::close() {
  check(sqlite3_close(std::exchange(handle_, nullptr)));
  if (error_) return fail(*error_);
  return {};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(Database& database, const std::string& sql) : database_(database) {
  if (!database.healthy()) return;
  sqlite3_stmt* statement = nullptr;
  database.check(sqlite3_prepare_v3(database.handle_, sql.c_str(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  statement_.reset(statement);
}

void Statement::run(std::initializer_list<Value> values) {
  if (!database_.healthy()) return;
  int position = 0;
  for (const Value& value : values) database_.check(bind(statement_.get(), ++position, value));
  sqlite3_step(statement_.get());
  database_.check(sqlite3_reset(statement_.get()));  // returns what the step did
}

}  // namespace mini::database
