#pragma once
// Simulated stores: what clients see of real concurrency-control protocols, whose transactions interleave operation by
// operation, are refused, and end with unknown outcome (the client gives up; the store goes on, or does not). Each
// protocol gives its own isolation level and, given enough transactions, shows anomalies of stronger ones.

#include <random>
#include <string_view>
#include <vector>

#include "support/txn_oracle.h"

namespace ordeal::testing_support {

enum class Protocol {
  two_phase,         // strict two-phase locking
  serializable,      // serializable snapshot isolation (Cahill, Röhm and Fekete, 2008)
  serializable_old,  // the same with snapshots that may be old
  snapshot,          // snapshot isolation, the newest snapshot
  snapshot_session,  // a snapshot that is not older than what the session did and saw
  snapshot_old,      // any recent snapshot
  parallel,          // sites that replicate in causal order; the first committer wins (Sovran and others, Walter, 2011)
  causal,  // the same without first committer wins: the last writer does (registers), or each key has a primary (lists)
  prefix,  // snapshots of one order of commits, as snapshot_session, but nobody loses
  read_atomic,     // versions of any age, mended to atomic views (Bailis and others, RAMP, 2014)
  monotonic_view,  // versions of any age, not older than those of transactions seen before
  cursor,          // newest committed versions; a write is refused when its key changed since it was read
  committed,       // newest committed versions, long write locks
  committed_old,   // the same, but reads may show older versions
  uncommitted,     // reads without locks, also of what is not committed
  updates,  // two-phase locking for transactions that write; others see all updates but some recent ones that do not
            // matter to the rest
};

struct ProtocolInfo {
  Protocol protocol;
  std::string_view name;
  std::string_view level;     // what it gives
  std::string_view stronger;  // a level of which it shows a violation before long; "" for none
};
[[nodiscard]] const std::vector<ProtocolInfo>& protocols();

struct StoreRun {
  Protocol protocol = Protocol::two_phase;
  bool lists = true;
  std::size_t transactions = 300;
  int clients = 6, keys = 4;
  std::size_t operations = 4;  // of a transaction, at most
  int writes = 24;             // of a key, before another one takes its place
  double gives_up = 0.03;      // clients, at any moment of a transaction
  double refused = 0.02;       // for no reason
};
[[nodiscard]] OracleHistory run_store(const StoreRun& run, std::mt19937_64& chance);

}  // namespace ordeal::testing_support
