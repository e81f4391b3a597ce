#include "targets/sql/access.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/names.h"
#include "base/text.h"

namespace ordeal {

std::span<const SqlAccess> sql_accesses() {
  static constexpr std::string_view kNumber = ", h bigint GENERATED ALWAYS AS (hashtext(k)) STORED";
  // What fills the table lies in 128 heaps with nothing between them, where the ranges of keys fall: no page of a GiST
  // index speaks for such a place, and none is locked.
  static constexpr std::string_view kRange =
      ", span int8range GENERATED ALWAYS AS (CASE WHEN k LIKE 'fill%' THEN "
      "int8range((hashtext(k)::bigint >> 25) << 25, ((hashtext(k)::bigint >> 25) << 25) + 1) "
      "ELSE int8range(hashtext(k)::bigint, hashtext(k)::bigint + 1) END) STORED";
  static constexpr std::string_view kEqual = "h = hashtext($1)::bigint";
  static constexpr std::string_view kOverlaps = "span && int8range(hashtext($1)::bigint, hashtext($1)::bigint + 1)";
  constexpr int kFiller = 5'000;  // some forty pages of an index, made in a fraction of a second
  static const std::vector<SqlAccess> all = {
      {"btree", kNumber, "(h)", kEqual, kFiller},
      {"hash", kNumber, "USING hash (h)", kEqual, kFiller},
      {"gin", ", words text[] GENERATED ALWAYS AS (ARRAY[k]) STORED", "USING gin (words)", "words @> ARRAY[$1]",
       kFiller},
      {"gist", kRange, "USING gist (span)", kOverlaps, 4 * kFiller},
      {"spgist", kRange, "USING spgist (span)", kOverlaps, kFiller},
      {"brin", kNumber, "USING brin (h)", kEqual, kFiller},
      {"partial", ", h bigint GENERATED ALWAYS AS (hashtext(k)) STORED, live boolean NOT NULL DEFAULT true",
       "(h) WHERE live", "h = hashtext($1)::bigint AND live", kFiller},
      {"expression", "", "((k || '#'))", "k || '#' = $1 || '#'", kFiller},
      {"seq", kNumber, "", kEqual, 200},
      {"tid", kNumber, "", "ctid >= '(0,0)' AND ctid < '(4294967294,0)' AND h = hashtext($1)::bigint", 200},
  };
  return all;
}

Result<std::vector<const SqlAccess*>> sql_accesses_named(std::string_view list) {
  std::vector<const SqlAccess*> out;
  const auto all = sql_accesses();
  for (const std::string& name : split(list, ',')) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const SqlAccess& one) { return one.name == name; });
    if (found == all.end()) {
      std::vector<std::string> known;
      for (const SqlAccess& one : all) known.emplace_back(one.name);
      return fail(unknown_name("access path", name, known));
    }
    if (std::find(out.begin(), out.end(), &*found) == out.end()) out.push_back(&*found);
  }
  return out;
}

const SqlAccess* sql_access_of(std::span<const SqlAccess* const> paths, std::string_view key) {
  if (paths.empty()) return nullptr;
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return paths[static_cast<std::size_t>(hash >> 32) % paths.size()];
}

std::string sql_access_table(std::string_view table, const SqlAccess* access) {
  return access == nullptr ? std::string(table) : fmt::format("{}_{}", table, access->name);
}

std::string sql_access_condition(const SqlAccess& access) {
  // Two keys may have one hash. As it is written, no index serves the second half.
  return fmt::format("{} AND k || '' = $1", access.predicate);
}

std::vector<std::string> sql_access_schema(std::string_view table, const SqlAccess& access, std::string_view key,
                                           std::string_view columns, std::string_view filling) {
  const std::string name = sql_access_table(table, &access);
  std::vector<std::string> out = {
      fmt::format("CREATE TABLE IF NOT EXISTS {} (k text {}{}{})", name, key, columns, access.column)};
  if (!access.index.empty())
    out.push_back(fmt::format("CREATE INDEX IF NOT EXISTS {0}_by ON {0} {1}", name, access.index));
  out.push_back(
      fmt::format("INSERT INTO {0} SELECT 'fill' || i::text, {1} FROM generate_series(1, {2}) AS i "
                  "WHERE NOT EXISTS (SELECT FROM {0} LIMIT 1)",
                  name, filling, access.filler));
  out.push_back("ANALYZE " + name);
  return out;
}

}  // namespace ordeal
