// The tables, as the build put them in from schema.sql.
#pragma once

namespace mini::database {

/// Goes into PRAGMA user_version: changes when a table or a column changes its meaning, or goes
/// away.
inline constexpr int kSchemaVersion = 1;

extern const char* const kSchema;

}  // namespace mini::database
