#pragma once
// SqlAccess: by which path PostgreSQL finds the rows of a key: the kind of index, or none, and the predicate that asks
// it. What SERIALIZABLE locks to know who read what (SIREAD locks: tuples, pages of an index, the whole table, or, by a
// mistake, nothing) hangs on it, so a promise that holds on one path may be broken on another.
//
// A table of an access path has a key column whose index no lookup uses, and beside it what the path looks at, which
// the server itself computes (generated columns: version 12 or later). It is filled with rows that no operation asks
// for: of a small table the planner takes no index, and an index of one page is locked as a whole.
// Thread-safety: constants.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal {

struct SqlAccess {
  std::string_view name;
  std::string_view column;     // generated from the column k: its definition, after a comma; may be empty
  std::string_view index;      // after ON <table>; empty: there is none
  std::string_view predicate;  // finds the rows whose k is the parameter $1
  int filler = 20'000;         // rows of the table that no operation asks for
};

[[nodiscard]] std::span<const SqlAccess> sql_accesses();
// "btree,gist": those paths, in that order; none of "". Errors: usage, for a name that is unknown.
[[nodiscard]] Result<std::vector<const SqlAccess*>> sql_accesses_named(std::string_view list);
// That of a key, the same each time. Nullptr: `paths` is empty.
[[nodiscard]] const SqlAccess* sql_access_of(std::span<const SqlAccess* const> paths, std::string_view key);

// "ordeal_lists", gist → "ordeal_lists_gist"; nullptr: the name as it is.
[[nodiscard]] std::string sql_access_table(std::string_view table, const SqlAccess* access);
// The condition under which a row is the key's, $1. It never names the index of k.
[[nodiscard]] std::string sql_access_condition(const SqlAccess& access);
// The statements that make and fill the table: k, `columns` beside it (", v text NOT NULL"), and what the filling gives
// those ("'0'"); `key` is how k is constrained ("PRIMARY KEY").
[[nodiscard]] std::vector<std::string> sql_access_schema(std::string_view table, const SqlAccess& access,
                                                         std::string_view key, std::string_view columns,
                                                         std::string_view filling);
// Of a connection's start, so that these paths are taken. A table without an index for its predicate is scanned still.
inline constexpr const char* kSqlAccessSettings = "-c enable_seqscan=off";

}  // namespace ordeal
