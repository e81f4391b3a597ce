#include "checkers/transactions/levels.h"

#include <algorithm>

namespace ordeal::txn {

std::span<const Level> levels() {
  static const std::vector<Level> all = {
      {"read-uncommitted", {"PL-1"}, {}, {"G0", "duplicate-elements", "cyclic-versions", "garbage-read"}},
      {"strong-session-read-uncommitted", {"strong-session-PL-1"}, {"read-uncommitted"}, {"G0-process"}},
      {"strong-read-uncommitted", {"strong-PL-1"}, {"strong-session-read-uncommitted"}, {"G0-realtime"}},
      {"read-committed", {"PL-2"}, {"read-uncommitted"},
       {"G1a", "G1b", "G1c", "incompatible-order", "dirty-update", "future-read"}},
      {"strong-session-read-committed", {"strong-session-PL-2"}, {"read-committed", "strong-session-read-uncommitted"}, {"G1c-process"}},
      {"strong-read-committed", {"strong-PL-2"}, {"strong-session-read-committed", "strong-read-uncommitted"}, {"G1c-realtime"}},
      {"monotonic-atomic-view", {"MAV"}, {"read-committed"}, {"non-monotonic-read"}},
      {"cursor-stability", {"PL-CS"}, {"read-committed"}, {"lost-update", "no-update-order"}},
      {"strong-session-cursor-stability", {"strong-session-PL-CS"}, {"cursor-stability", "strong-session-read-committed"}, {"no-update-order-process"}},
      {"strong-cursor-stability", {"strong-PL-CS"}, {"strong-session-cursor-stability", "strong-read-committed"}, {"no-update-order-realtime"}},
      {"read-committed-axiomatic", {"strong-session-monotonic-atomic-view", "strong-session-MAV"},
       {"monotonic-atomic-view", "strong-session-read-committed"}, {"non-monotonic-read-process"}},
      {"strong-monotonic-atomic-view", {"strong-MAV", "strong-read-committed-axiomatic"}, {"read-committed-axiomatic", "strong-read-committed"},
       {"non-monotonic-read-realtime"}},
      {"read-atomic", {"RA", "strong-session-read-atomic"}, {"read-committed-axiomatic"}, {"internal", "fractured-read"}},
      {"strong-read-atomic", {"strong-RA"}, {"read-atomic", "strong-monotonic-atomic-view"}, {"fractured-read-realtime"}},
      {"pram", {"PRAM", "strong-session-pram"}, {"read-atomic"}, {"session-violation"}},
      {"strong-pram", {"strong-PRAM"}, {"pram", "strong-read-atomic"}, {"session-violation-realtime"}},
      {"causal", {"causal-consistency", "CC", "strong-session-causal"}, {"pram"}, {"causality-violation"}},
      {"strong-causal", {"strong-CC"}, {"causal", "strong-pram"}, {"causality-violation-realtime"}},
      {"prefix", {"prefix-consistency", "PC", "strong-session-prefix"}, {"causal"}, {"G-prefix", "no-prefix-order"}},
      {"strong-prefix", {"strong-PC"}, {"prefix", "strong-causal"}, {"G-prefix-realtime", "no-prefix-order-realtime"}},
      {"consistent-view", {"PL-2+"}, {"monotonic-atomic-view", "cursor-stability"}, {"G-single", "no-view-order"}},
      {"strong-session-consistent-view", {"strong-session-PL-2+"},
       {"consistent-view", "read-committed-axiomatic", "strong-session-cursor-stability"}, {"G-single-process", "no-view-order-process"}},
      {"strong-consistent-view", {"strong-PL-2+"},
       {"strong-session-consistent-view", "strong-monotonic-atomic-view", "strong-cursor-stability"}, {"G-single-realtime", "no-view-order-realtime"}},
      {"update-serializable", {"PL-3U"}, {"consistent-view"}, {"G-update", "no-update-serial-order"}},
      {"strong-session-update-serializable", {"strong-session-PL-3U"}, {"update-serializable", "strong-session-consistent-view"}, {"G-update-process", "no-update-serial-order-process"}},
      {"strong-update-serializable", {"strong-PL-3U"}, {"strong-session-update-serializable", "strong-consistent-view"}, {"G-update-realtime", "no-update-serial-order-realtime"}},
      {"parallel-snapshot-isolation", {"PSI"}, {"consistent-view"}, {"internal"}},
      {"strong-session-parallel-snapshot-isolation", {"strong-session-PSI"},
       {"parallel-snapshot-isolation", "strong-session-consistent-view", "causal"}, {}},
      {"strong-parallel-snapshot-isolation", {"strong-PSI"},
       {"strong-session-parallel-snapshot-isolation", "strong-consistent-view", "strong-causal"}, {}},
      {"snapshot-isolation", {"PL-SI", "SI"}, {"parallel-snapshot-isolation"}, {"G-nonadjacent", "no-snapshot-order"}},
      {"strong-session-snapshot-isolation", {"strong-session-PL-SI"},
       {"snapshot-isolation", "prefix", "strong-session-parallel-snapshot-isolation"}, {"G-nonadjacent-process", "no-snapshot-order-process"}},
      {"strong-snapshot-isolation", {"strong-PL-SI"},
       {"strong-session-snapshot-isolation", "strong-prefix", "strong-parallel-snapshot-isolation"},
       {"G-nonadjacent-realtime", "no-snapshot-order-realtime"}},
      {"repeatable-read", {"PL-2.99"}, {"update-serializable"}, {"G2-item", "G-nonadjacent", "no-serial-order"}},
      {"strong-session-repeatable-read", {"strong-session-PL-2.99"}, {"repeatable-read", "strong-session-update-serializable"},
       {"G2-item-process", "G-nonadjacent-process", "no-serial-order-process"}},
      {"strong-repeatable-read", {"strong-PL-2.99"}, {"strong-session-repeatable-read", "strong-update-serializable"},
       {"G2-item-realtime", "G-nonadjacent-realtime", "no-serial-order-realtime"}},
      {"serializable", {"PL-3"}, {"repeatable-read", "snapshot-isolation"}, {}},
      {"strong-session-serializable", {"strong-session-PL-3"},
       {"serializable", "strong-session-repeatable-read", "strong-session-snapshot-isolation"}, {}},
      {"strict-serializable", {"strong-serializable", "strong-PL-3"},
       {"strong-session-serializable", "strong-repeatable-read", "strong-snapshot-isolation"}, {}},
  };
  return all;
}

const Level* find_level(std::string_view name) {
  for (const Level& level : levels()) {
    if (level.name == name || std::find(level.aliases.begin(), level.aliases.end(), name) != level.aliases.end()) return &level;
  }
  return nullptr;
}

bool implies(const Level& strong, const Level& weak) {
  if (strong.name == weak.name) return true;
  return std::any_of(strong.implies.begin(), strong.implies.end(),
                     [&](const std::string& next) { return implies(*find_level(next), weak); });
}

bool forbids(const Level& level, std::string_view anomaly) {
  if (std::find(level.forbids.begin(), level.forbids.end(), anomaly) != level.forbids.end()) return true;
  return std::any_of(level.implies.begin(), level.implies.end(),
                     [&](const std::string& next) { return forbids(*find_level(next), anomaly); });
}

std::span<const AnomalyName> anomaly_names() {
  static const std::vector<AnomalyName> all = {
      {"G0", "write cycle: transactions overwrote each other in a circle"},
      {"G1a", "aborted read: a value that a failed transaction wrote was seen"},
      {"G1b", "intermediate read: a state inside another transaction was seen"},
      {"G1c", "circular information flow: writes and reads form a circle"},
      {"G-single", "read skew: a circle with one anti-dependency"},
      {"G-nonadjacent", "a circle with several anti-dependencies, no two in a row (long fork among them)"},
      {"G2-item", "write skew: a circle with anti-dependencies in a row"},
      {"G-prefix", "what was seen is no prefix of any one order of all commits: a circle in which each anti-dependency follows a read or a session"},
      {"G-prefix-realtime", "G-prefix that needs real time"},
      {"G-update", "transactions that write are in a circle, perhaps with one that only reads"},
      {"G-update-process", "G-update that needs the order within a process"},
      {"G-update-realtime", "G-update that needs real time"},
      {"G0-process", "a write cycle that needs the order within a process"},
      {"G1c-process", "circular information flow that needs the order within a process"},
      {"G-single-process", "read skew that needs the order within a process"},
      {"G-nonadjacent-process", "G-nonadjacent that needs the order within a process"},
      {"G2-item-process", "G2-item that needs the order within a process"},
      {"G0-realtime", "a write cycle that needs real time"},
      {"G1c-realtime", "circular information flow that needs real time"},
      {"G-single-realtime", "read skew that needs real time (a stale read)"},
      {"G-nonadjacent-realtime", "G-nonadjacent that needs real time"},
      {"G2-item-realtime", "G2-item that needs real time"},
      {"internal", "a transaction's reads contradict its own earlier reads or writes"},
      {"future-read", "a transaction read what it wrote only later itself"},
      {"garbage-read", "a value was read that nobody wrote"},
      {"duplicate-elements", "an element is in a list more often than it was appended"},
      {"incompatible-order", "two reads of a list, neither a prefix of the other"},
      {"dirty-update", "a committed write on top of one that failed"},
      {"lost-update", "two updates of the same version"},
      {"cyclic-versions", "the versions of a key follow each other in a circle"},
      {"non-monotonic-read", "a transaction observed another and later read what that one had overwritten (OTV)"},
      {"non-monotonic-read-process", "the same, given the order within processes"},
      {"non-monotonic-read-realtime", "the same, given real time"},
      {"fractured-read", "a transaction saw a part of another's writes, or missed those of its own session"},
      {"fractured-read-realtime", "the same, or it missed a write of a transaction that had ended before it began"},
      {"session-violation", "a transaction missed a write of its session's past, or what a session had done before a write that it saw"},
      {"session-violation-realtime", "the same, where what ended before also counts as the past"},
      {"causality-violation", "a transaction missed a write that is in its causal past"},
      {"causality-violation-realtime", "the same, where what ended before also counts as the past"},
      {"no-update-order", "no order of the writes lets every update come right after what it read"},
      {"no-update-order-process", "the same, given the order within processes"},
      {"no-update-order-realtime", "the same, given real time"},
      {"no-view-order", "every order of the unordered writes leads to a cycle with at most one anti-dependency"},
      {"no-view-order-process", "the same, given the order within processes"},
      {"no-view-order-realtime", "the same, given real time"},
      {"no-update-serial-order", "every order of the unordered writes leads to a cycle of transactions that write and at most one that only reads"},
      {"no-update-serial-order-process", "the same, given the order within processes"},
      {"no-update-serial-order-realtime", "the same, given real time"},
      {"no-prefix-order", "every order of the unordered writes leads to a cycle that prefix consistency forbids"},
      {"no-prefix-order-realtime", "the same, given real time"},
      {"no-serial-order", "every order of the unordered writes leads to a cycle"},
      {"no-serial-order-process", "every order of the unordered writes leads to a cycle, given the order within processes"},
      {"no-serial-order-realtime", "every order of the unordered writes leads to a cycle, given real time"},
      {"no-snapshot-order", "every order of the unordered writes leads to a cycle that snapshot isolation forbids"},
      {"no-snapshot-order-process", "the same, given the order within processes"},
      {"no-snapshot-order-realtime", "the same, given real time"},
  };
  return all;
}

}  // namespace ordeal::txn
