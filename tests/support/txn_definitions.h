#pragma once
// Every isolation level by its definition, decided by trying all orders of versions of a small history. After Adya
// (1999) for the levels that forbid cycles, Cerone, Bernardi and Gotsman (2015) and Cerone, Gotsman and Yang (2017) for
// snapshots and prefixes, Biswas and Enea (2019) for the axioms. Relations are bit matrices with their closures;
// nothing is shared with the checker. tests/checkers/transactions/definitions_test.cc compares it with the oracles that
// execute schedules, too.
//
// What the definitions leave open is taken as checkers/transactions/README.md says: a list that was read is a version;
// a transaction that read a register and wrote it made a later version (at read uncommitted, too); a read that
// contradicts its own transaction counts as one of others; unacknowledged transactions take part when an acknowledged
// one saw a write of theirs, but not at read uncommitted, where they may have been rolled back.

#include <map>
#include <optional>
#include <string>

#include "support/txn_oracle.h"

namespace ordeal::testing_support {

// By level: whether the history satisfies it. A level is absent where its definition says nothing: read uncommitted of
// lists that are no versions of one another. nullopt: there are too many orders to try. Requires: at most 16
// transactions; what is written to a key is unique.
using LevelsByDefinition = std::map<std::string, bool>;
[[nodiscard]] std::optional<LevelsByDefinition> levels_by_definition(const OracleHistory& history, bool lists);

// Parallel snapshot isolation by all visibility relations: partial orders in which writers of a key are comparable, and
// each transaction gives what was read when it is executed on what it sees. Requires: at most 5 transactions that did
// not fail.
[[nodiscard]] bool parallel_snapshot_isolated(const OracleHistory& history, OracleOrder order);

}  // namespace ordeal::testing_support
