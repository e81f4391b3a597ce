#include "targets/cockroachdb/cockroachdb_statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace ordeal {
namespace {

// As many as there are nodes, and at most five: with an even number one node fewer.
std::size_t replicas_for(std::size_t nodes) { return std::min<std::size_t>(nodes % 2 == 0 ? nodes - 1 : nodes, 5); }

std::string literal(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> cockroach_further_settings(const Options& options) {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream words(options.string("cockroachdb.settings"));
  for (std::string word; words >> word;) {
    const std::size_t equals = std::min(word.find('='), word.size());
    out.emplace_back(word.substr(0, equals), equals < word.size() ? word.substr(equals + 1) : "");
  }
  return out;
}

std::vector<CockroachStatement> cockroach_settings(const Options& options, std::size_t nodes) {
  std::vector<CockroachStatement> out = {
      {"SET CLUSTER SETTING diagnostics.reporting.enabled = false", "all", "no reports to the vendor"},
      {"SET CLUSTER SETTING sql.stats.automatic_collection.enabled = false", "all", "no work beside the workload's",
       true},
      {"SET CLUSTER SETTING timeseries.storage.enabled = false", "all", "no charts", true},
      {"SET CLUSTER SETTING kv.range_merge.queue_interval = '50ms'", "all", "ranges merge soon", true},
  };
  if (const auto name = options.string("cockroachdb.organization"); !name.empty())
    out.push_back({"SET CLUSTER SETTING cluster.organization = " + literal(name), "all", "whose licence it is"});
  if (const auto license = options.string("cockroachdb.license"); !license.empty())
    out.push_back({"SET CLUSTER SETTING enterprise.license = " + literal(license), "all", "the licence"});
  const std::string isolation = options.string("cockroachdb.isolation");
  if (isolation == "read-committed" || isolation == "read-uncommitted") {
    out.push_back({"SET CLUSTER SETTING sql.txn.read_committed_isolation.enabled = true", "23.2 on",
                   "else such transactions are serializable, without a word"});
  }
  if (isolation == "repeatable-read") {
    out.push_back({"SET CLUSTER SETTING sql.txn.repeatable_read_isolation.enabled = true", "25.1 on",
                   "else such transactions are serializable, without a word"});
  }
  if (const std::size_t replicas = replicas_for(nodes); nodes > 1) {
    for (const char* range : {"default", "meta", "system", "liveness"}) {
      out.push_back({fmt::format("ALTER RANGE {} CONFIGURE ZONE USING num_replicas = {}", range, replicas), "all",
                     "each node has a part in what must not be lost"});
    }
  }
  out.push_back(
      {fmt::format("ALTER DATABASE defaultdb CONFIGURE ZONE USING range_min_bytes = {}, range_max_bytes = {}{}",
                   options.integer("cockroachdb.range-min-bytes"), options.integer("cockroachdb.range-max-bytes"),
                   nodes > 1 ? fmt::format(", num_replicas = {}", replicas_for(nodes)) : ""),
       "all; from 23.1 with COCKROACH_MIN_RANGE_MAX_BYTES=1", "small ranges, so that they split"});
  for (const auto& [name, value] : cockroach_further_settings(options))
    out.push_back({fmt::format("SET CLUSTER SETTING {} = {}", name, value), "the setting's", "asked for"});
  return out;
}

CockroachStatement cockroach_replication() {
  return {"SELECT min(array_length(replicas, 1)) FROM crdb_internal.ranges_no_leases", "all",
          "before that the first kill could lose the only copy of a range"};
}

std::vector<CockroachStatement> cockroach_leaseholders(const std::string& table) {
  const auto text = [&](const char* how) {
    return fmt::format(
        "SELECT lease_holder, count(*) FROM [SHOW RANGES FROM TABLE {}{}] GROUP BY lease_holder ORDER BY count(*) "
        "DESC, "
        "lease_holder",
        table, how);
  };
  return {{text(" WITH DETAILS"), "23.1 on", "who holds leases of the workload's table"},
          {text(""), "up to 22.2", "the same"}};
}

CockroachStatement cockroach_nodes() {
  return {"SELECT node_id, address FROM crdb_internal.gossip_nodes", "all",
          "ids are given in the order of joining, and are not ours"};
}

CockroachStatement cockroach_version() { return {"SELECT version()", "all", "for the report"}; }

}  // namespace ordeal
