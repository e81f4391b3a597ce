#pragma once
// A grow-only set: what the checkers set-full, causal-reverse, idempotency and others decide of adds and reads.
//
// Operations: an add with an element, a read that returned all elements; nothing is ever removed. With each element
// added once, what a read returned says of every add whether it comes before or after the read, so linearizability
// (and, of single-operation transactions, strict serializability) needs no search:
//
//   1. the sets that reads returned form a chain: of any two, one contains the other;
//   2. along the chain, adds and reads fall into groups (those first seen by a read, that read and its equals, …, those
//      never seen); no operation may be over before one of an earlier group was invoked.
//
// Any order within real time of each group is then a linearization, and each broken rule is a contradiction. Adds of
// unknown outcome that no read saw are left out. An element added several times is there from the first of them: the
// earliest invocation stands for all.
//
// Thread-safety: one thread; it belongs to one check.

#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

// What is demanded of reads while elements are being added.
enum class Freshness {
  linearizable,
  in_order,  // linearizable; where a read shows a causal reversal, that is told even if it shows a stale read as well
  causal,    // reads may be late for ever, but what they show holds all that it depends on (causal_set.h)
  eventual,  // reads may be late and go back; nothing is lost in the end, set-full.settle after the last add
};

// Judges adds and reads, the sets of all keys, and tells:
//
//   lost-element        known (acknowledged or read), absent from a read that began later, and never seen again; for
//                       `eventual` that read began set-full.settle or longer after every add had ended
//   revived-element     seen, absent from a later read, and seen again
//   stale-read          known by its acknowledgement, absent from a later read, but seen after it
//   unexpected-element  read, but never added, or only by adds that failed, or before its add was invoked
//   duplicate-element   twice in one read
//   incomparable-reads  two reads, each with an element that the other one lacks
//   missing-dependency  of causal (causal_set.h)
//   causal-reverse      a read has an element and lacks one whose add was over before that one's add was invoked
class GrowOnlySets {
 public:
  GrowOnlySets(Judgement& in, Freshness freshness) : in_(in), freshness_(freshness) {}

  void add(OperationEvents op, ValueId element) { sets_[in_.key(op)].adds.emplace_back(op, element); }
  // An ok read of a list.
  void read(OperationEvents op) { sets_[in_.key(op)].reads.push_back(op); }
  // Requires: operations were given in the order of their invocations. Says `inconclusive` when no read succeeded, or
  // none could show an element; counts and measures (set-full's header).
  void judge();

 private:
  struct Set {
    std::vector<std::pair<OperationEvents, ValueId>> adds;
    std::vector<OperationEvents> reads;
  };
  Judgement& in_;
  Freshness freshness_;
  std::map<ValueId, Set> sets_;  // by key
};

// The anomalies above, for the entry of a checker.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> grow_only_anomalies();

}  // namespace ordeal::work
