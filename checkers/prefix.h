#pragma once
// What a check of the beginning of a history is worth, while the rest is not there yet.
//
// Cut a history at any moment and take operations that are open there as crashed: they may have happened, at any time
// after their invocation, or never. Is an anomaly of that beginning an anomaly of the whole? It is, when every
// beginning of a history that keeps the promise keeps it as well ("prefix-closed": a safety property; Alpern and
// Schneider, 1985).
//
//   * Linearizability is (Herlihy and Wing, 1990; Lynch, Distributed Algorithms, 13.1). Take an order that explains the
//     whole and strike out what was invoked after the cut: nobody before the cut saw it, for whoever saw it completed
//     after its invocation. What was open at the cut and is in the order stays, as a crashed operation that happened.
//   * Strict serializability is the same with a transaction as the operation.
//   * That no id is given twice: two calls that returned it did so, whatever follows.
//
// It is not for promises about what comes in the end (an element is lost when no later read has it; a queue when it was
// drained; a set-full element that reappears; eventual, settled, recovered), nor for levels without real time:
// serializability and sequential consistency let a read return what is written only later, and its beginning then shows
// a value that nobody wrote. Those are judged when the run is over.
//
// For registers, also a part from the middle is worth something. Where no operation of a key is open (crashed ones
// aside), an order of the whole falls apart: first what completed before, then what was invoked after; only crashed
// operations may be on either side. So a key that is linearizable has, from each such point on, an order that begins
// with some value. When not even an unknown first value, with the crashed operations of before still to come, explains
// what follows, nothing explains the whole. A long run can so be followed in windows; what a window does not show, an
// anomaly across its beginning, the check of the whole does.
//
// Thread-safety: pure.

#include "checkers/interfaces/checker.h"

namespace ordeal {

enum class PrefixUse {
  none,     // says nothing of the whole
  whole,    // an anomaly of a beginning is final
  windows,  // … also of what follows a point where no operation of its key is open, from an unknown value
};

[[nodiscard]] PrefixUse prefix_use(const Checker& checker, const CheckOptions& options);

}  // namespace ordeal
