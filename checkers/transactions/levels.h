#pragma once
// The consistency models of transactions as a lattice: which level implies which, and which anomaly contradicts which.
//
// After Adya (1999), Bailis and others (2013), Cerone, Bernardi and Gotsman (2015), Biswas and Enea (2019) and the
// lattice of Elle. Thread-safety: immutable.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/interfaces/anomaly_entry.h"

namespace ordeal::txn {

// The axioms of Biswas and Enea that axioms.cc decides.
enum class Axiom { read_committed, read_atomic, pram, causal };

// Which cycles an order of the writes must not close; order_search.cc looks for one.
enum class OrderKind {
  serial,       // all: serializability
  snapshot,     // those without two anti-dependencies in a row: snapshot isolation
  prefix,       // those in which each anti-dependency follows a read or a session: prefix consistency
  information,  // those without anti-dependencies, with every update right after what it read: cursor stability
  single,       // those with at most one anti-dependency: consistent view, parallel snapshot isolation
  updates,      // those with at most one transaction that only reads: update serializability; with sessions or time
                // `single`, too
};

// Which order is given besides what was read from whom.
enum class Given { reads, sessions, time };  // `time` includes sessions

// What the proof of a level is one of: of the level by itself, or of everything weaker, too.
enum class Covers { itself, weaker };

// How the absence of anomalies is shown, beyond that no forbidden cycle and no other finding is there: every axiom
// holds, and the writes nobody knows the order of can be ordered.
struct Proof {
  struct Holds {
    Axiom axiom;
    Given given;
  };
  std::vector<Holds> axioms;  // each contains those before it: it forces what they force, and more
  std::optional<OrderKind> order;
  Given order_given = Given::reads;
  Covers covers = Covers::itself;
};

struct Level {
  std::string name;
  std::vector<std::string> aliases;
  std::vector<std::string> implies;  // the next weaker levels
  std::vector<std::string> forbids;  // anomalies beyond those of weaker levels
  Proof proof;
};

[[nodiscard]] std::span<const Level> levels();  // every level after all those it implies
// By name or alias, nullptr when unknown.
[[nodiscard]] const Level* find_level(std::string_view name);
// True when `strong` is `weak` or implies it.
[[nodiscard]] bool implies(const Level& strong, const Level& weak);
// True when the anomaly contradicts the level or a weaker one.
[[nodiscard]] bool forbids(const Level& level, std::string_view anomaly);

// A read of a key that shows something else than what its transaction wrote there last.
inline constexpr const char* kMissedOwnWrite = "missed-own-write";

[[nodiscard]] std::span<const AnomalyEntry> anomaly_names();

}  // namespace ordeal::txn
