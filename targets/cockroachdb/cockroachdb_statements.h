#pragma once
// The SQL that target cockroachdb's database half says, each with the versions that it is for. The client half's is
// that of targets/sql. Sources: cockroachdb/docs (configure-replication-zones, show-ranges, crdb-internal,
// read-committed), docs/generated/settings, and the settings of CockroachDB's own tests. Thread-safety: pure.

#include <string>
#include <utility>
#include <vector>

#include "base/options.h"

namespace ordeal {

struct CockroachStatement {
  std::string text;
  std::string versions;  // "all", "23.1 on", "up to 22.2"
  std::string purpose;
  // A version that does not know it goes on without it.
  bool may_fail = false;
};

// The pairs of the option `settings`, as given: the value is what stands after "=" in SQL, and empty where there was
// none.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> cockroach_further_settings(const Options& options);
// Once the cluster serves and before the first table: small ranges, replicas, what a test cluster does not need.
[[nodiscard]] std::vector<CockroachStatement> cockroach_settings(const Options& options, std::size_t nodes);
// How many replicas the range with the fewest has.
[[nodiscard]] CockroachStatement cockroach_replication();
// How many ranges of a table each node holds the lease of: [node id, count], the most first. To be tried in this order.
[[nodiscard]] std::vector<CockroachStatement> cockroach_leaseholders(const std::string& table);
// [node id, address with port].
[[nodiscard]] CockroachStatement cockroach_nodes();
[[nodiscard]] CockroachStatement cockroach_version();

}  // namespace ordeal
