// Examples of anomalies of transactions, the smallest that a search over random histories found or smaller.
// A test judges every one of them (tests/checkers/explanation_test.cc).

#include "checkers/explain/examples.h"

namespace ordeal {

std::string_view transaction_examples() {
  return R"(
= G0 list-append read-uncommitted
0 txn [["append","x",1],["append","y",1]]
1 txn [["append","x",2],["append","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",[1,2]],["r","y",[2,1]]]
= G1a list-append read-committed
0 txn [["append","x",1]] !
1 txn [["r","x",null]] -> [["r","x",[1]]]
= G1b list-append read-committed
0 txn [["append","x",1],["append","x",2]]
1 txn [["r","x",null]] -> [["r","x",[1]]]
= G1c list-append read-committed
0 txn [["append","x",1],["r","y",null]] -> [["append","x",1],["r","y",[1]]]
1 txn [["append","y",1],["r","x",null]] -> [["append","y",1],["r","x",[1]]]
= G-single list-append consistent-view
0 txn [["append","x",1],["append","y",1]]
1 txn [["r","x",null],["r","y",null]] -> [["r","x",[]],["r","y",[1]]]
= G2-item list-append repeatable-read
0 txn [["append","z",1]]
1 txn [["r","z",null],["r","x",null]] -> [["r","z",[1]],["r","x",[]]]
2 txn [["r","w",null],["append","x",1]] -> [["r","w",[]],["append","x",1]]
3 txn [["append","w",1],["r","z",null]] -> [["append","w",1],["r","z",[]]]
= G-prefix list-append prefix
0 txn [["append","x",1]]
1 txn [["append","y",1]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",[1]],["r","y",[]]]
3 txn [["r","x",null],["r","y",null]] -> [["r","x",[]],["r","y",[1]]]
= G-prefix-realtime rw-register strong-prefix
0 txn [["w","z",1]]
1 txn [["r","z",null]]
= G-update list-append update-serializable
0 txn [["r","x",null],["append","y",1]] -> [["r","x",[]],["append","y",1]]
1 txn [["r","y",null],["append","x",1]] -> [["r","y",[]],["append","x",1]]
= G-update-process list-append strong-session-update-serializable
0 txn [["append","z",1]]
0 txn [["r","x",null]] -> [["r","x",[]]]
1 txn [["append","x",1],["r","z",null]] -> [["append","x",1],["r","z",[]]]
= G0-process list-append strong-session-read-uncommitted
0 txn [["append","x",1],["r","x",null]] -> [["append","x",1],["r","x",[2,1]]]
0 txn [["append","x",2]]
= G1c-process rw-register strong-session-read-committed
0 txn [["r","x",null]] -> [["r","x",1]]
0 txn [["w","x",1]]
= G-single-process rw-register strong-session-consistent-view
0 txn [["w","x",1]]
0 txn [["r","x",null]]
= G2-item-process list-append strong-session-repeatable-read
0 txn [["append","z",1]]
1 txn [["r","z",null]] -> [["r","z",[1]]]
1 txn [["r","x",null]] -> [["r","x",[]]]
2 txn [["append","x",1],["r","z",null]] -> [["append","x",1],["r","z",[]]]
= G0-realtime list-append strong-read-uncommitted
0 txn [["append","x",1]]
1 txn [["r","x",null],["append","x",2]] -> [["r","x",[2]],["append","x",2]]
= G1c-realtime rw-register strong-read-committed
0 txn [["r","x",null]] -> [["r","x",1]]
1 txn [["w","x",1]]
= G-single-realtime rw-register strong-consistent-view
0 txn [["w","z",1]]
1 txn [["r","z",null]]
= internal rw-register read-atomic
0 txn [["w","x",1]]
0 txn [["r","x",null],["r","x",null]] -> [["r","x",1],["r","x",null]]
= missed-own-write rw-register read-committed-axiomatic
0 txn [["w","x",1],["r","x",null]] -> [["w","x",1],["r","x",null]]
1 txn [["r","x",null]] -> [["r","x",1]]
= future-read rw-register read-committed
0 txn [["r","x",null],["w","x",1]] -> [["r","x",1],["w","x",1]]
= garbage-read rw-register read-uncommitted
0 txn [["w","x",1]]
1 txn [["r","x",null]] -> [["r","x",99]]
= duplicate-elements list-append read-uncommitted
0 txn [["append","x",1]]
1 txn [["r","x",null]] -> [["r","x",[1,1]]]
= incompatible-order list-append read-committed
0 txn [["append","x",1]]
1 txn [["append","x",2]]
2 txn [["r","x",null]] -> [["r","x",[1,2]]]
3 txn [["r","x",null]] -> [["r","x",[2,1]]]
= dirty-update list-append read-committed
0 txn [["append","x",1]] !
1 txn [["append","x",2]]
2 txn [["r","x",null]] -> [["r","x",[1,2]]]
= lost-update list-append cursor-stability
0 txn [["r","x",null],["append","x",1]] -> [["r","x",[]],["append","x",1]]
1 txn [["r","x",null],["append","x",2]] -> [["r","x",[]],["append","x",2]]
= cyclic-versions rw-register read-uncommitted
0 txn [["r","x",null],["w","x",1]] -> [["r","x",2],["w","x",1]]
1 txn [["r","x",null],["w","x",2]] -> [["r","x",1],["w","x",2]]
= non-monotonic-read rw-register monotonic-atomic-view
0 txn [["w","x",1],["w","y",1]]
1 txn [["r","y",null],["r","x",null]] -> [["r","y",1],["r","x",null]]
= non-monotonic-read-process rw-register read-committed-axiomatic
0 txn [["w","x",1]]
0 txn [["r","x",null],["r","x",null]] -> [["r","x",1],["r","x",null]]
= non-monotonic-read-realtime rw-register strong-monotonic-atomic-view
0 txn [["w","x",1]]
1 txn [["r","x",null],["r","x",null]] -> [["r","x",1],["r","x",null]]
= fractured-read rw-register read-atomic
0 txn [["w","x",1],["w","y",1]]
1 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= fractured-read-realtime rw-register strong-read-atomic
0 txn [["w","x",1]]
1 txn [["r","x",null]]
= session-violation rw-register pram
0 txn [["w","x",1]]
0 txn [["w","y",1]]
1 txn [["r","y",null]] -> [["r","y",1]]
1 txn [["r","x",null]] -> [["r","x",null]]
= session-violation-realtime rw-register strong-pram
0 txn [["w","x",1]]
1 txn [["r","x",null]]
= causality-violation rw-register causal
0 txn [["w","x",1]]
1 txn [["r","x",null],["w","y",1]] -> [["r","x",1],["w","y",1]]
2 txn [["r","y",null]] -> [["r","y",1]]
2 txn [["r","x",null]] -> [["r","x",null]]
= causality-violation-realtime rw-register strong-causal
0 txn [["w","x",1]]
1 txn [["r","x",null]]
= no-update-order rw-register cursor-stability
1 txn [["w","x",1]]
1 txn [["r","x",null],["w","x",2],["r","x",null]] -> [["r","x",null],["w","x",2],["r","x",1]]
1 txn [["r","x",null]] -> [["r","x",1]]
= no-update-order-process rw-register strong-session-cursor-stability
0 txn [["w","y",1]]
0 txn [["r","y",null],["w","y",2]]
= no-update-order-realtime rw-register strong-cursor-stability
0 txn [["w","y",1]]
1 txn [["r","y",null],["w","y",2]]
= no-view-order list-append consistent-view
0 txn [["append","x",1],["r","x",null]] -> [["append","x",1],["r","x",[]]]
0 txn [["append","x",2],["r","x",null]] -> [["append","x",2],["r","x",[]]]
= no-view-order-process rw-register strong-session-consistent-view
0 txn [["w","x",1]]
1 txn [["r","x",null],["w","x",2]]
0 txn [["r","x",null]] -> [["r","x",2]]
= no-view-order-realtime rw-register strong-consistent-view
0 txn [["r","y",null],["w","y",1]]
1 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= no-update-serial-order rw-register update-serializable
1 txn [["w","x",1],["r","x",null],["r","x",null]] -> [["w","x",1],["r","x",1],["r","x",2]]
1 txn [["r","x",null],["r","x",null],["r","x",null]] -> [["r","x",1],["r","x",1],["r","x",2]]
1 txn [["r","x",null],["w","x",2]]
= no-update-serial-order-process rw-register strong-session-update-serializable
0 txn [["w","x",1]]
1 txn [["r","x",null],["w","x",2]]
0 txn [["r","x",null]] -> [["r","x",2]]
= no-update-serial-order-realtime rw-register strong-update-serializable
0 txn [["r","y",null],["w","y",1]]
1 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= no-prefix-order rw-register prefix
0 txn [["r","y",null],["w","y",1]]
0 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
0 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= no-prefix-order-realtime rw-register strong-prefix
0 txn [["r","y",null],["w","y",1]]
1 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= no-serial-order rw-register repeatable-read
0 txn [["w","x",1]]
0 txn [["w","x",2]]
0 txn [["r","x",null],["r","x",null]] -> [["r","x",3],["r","x",2]]
0 txn [["w","x",3]]
= no-serial-order-process rw-register strong-session-repeatable-read
0 txn [["w","x",1]]
1 txn [["r","x",null],["w","x",2]]
0 txn [["r","x",null]] -> [["r","x",2]]
= no-serial-order-realtime rw-register strong-repeatable-read
0 txn [["r","y",null],["w","y",1]]
1 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= no-snapshot-order list-append snapshot-isolation
0 txn [["append","x",1],["append","y",2]]
1 txn [["r","y",null],["append","x",3],["append","y",4]] -> [["r","y",[]],["append","x",3],["append","y",4]]
1 txn [["append","y",5],["r","x",null],["r","x",null]] -> [["append","y",5],["r","x",[]],["r","x",[]]]
= no-snapshot-order-process rw-register strong-session-snapshot-isolation
0 txn [["w","x",1]]
1 txn [["r","x",null],["w","x",2]]
0 txn [["r","x",null]] -> [["r","x",2]]
= no-snapshot-order-realtime rw-register strong-snapshot-isolation
0 txn [["r","y",null],["w","y",1]]
1 txn [["w","y",2],["r","y",null]] -> [["w","y",2],["r","y",2]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= G-nonadjacent list-append snapshot-isolation
0 txn [["append","x",1]]
1 txn [["append","y",1]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",[1]],["r","y",[]]]
3 txn [["r","x",null],["r","y",null]] -> [["r","x",[]],["r","y",[1]]]
= G-update-realtime list-append strong-update-serializable
1 txn [["append","x",1],["r","z",null]] begins
0 txn [["append","z",1]]
2 txn [["r","x",null]] -> [["r","x",[]]]
1 ends -> [["append","x",1],["r","z",[]]]
= G2-item-realtime list-append strong-repeatable-read
0 txn [["append","x",1],["r","z",null]] begins
1 txn [["append","z",1]]
2 txn [["r","z",null]] -> [["r","z",[1]]]
3 txn [["r","x",null]] -> [["r","x",[]]]
0 ends -> [["append","x",1],["r","z",[]]]
= G-nonadjacent-process list-append strong-session-snapshot-isolation
0 txn [["append","x",1]]
0 txn [["r","y",null]] -> [["r","y",[]]]
1 txn [["append","y",1]]
1 txn [["r","x",null]] -> [["r","x",[]]]
= G-nonadjacent-realtime list-append strong-snapshot-isolation
0 txn [["append","x",1]] begins
1 txn [["append","y",1]] begins
4 txn [["r","x",null],["r","y",null]] begins
2 txn [["r","y",null]] -> [["r","y",[1]]]
3 txn [["r","x",null]] -> [["r","x",[]]]
4 ends -> [["r","x",[1]],["r","y",[]]]
0 ends
1 ends
)";
}

}  // namespace ordeal
