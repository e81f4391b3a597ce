// Examples of anomalies of the workloads' checkers: accounts, sets, counters, locks, identifiers, limits.
// A test judges every one of them (tests/checkers/explanation_test.cc).

#include "checkers/explain/examples.h"

namespace ordeal {

std::string_view workload_examples() {
  return R"(
= divergence convergence strong-eventual
0 add 1 ?
0 add 2
5s 1 read -> [1,2]
2 read -> [2]
= stale-read set-full linearizable
0 add 1
1 read -> []
2 read -> [1]
= wrong-total bank strict-serializable
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":5}
0 read -> {"0":5,"1":10}
= negative-balance bank strict-serializable bank.total=20
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":15}
0 read -> {"0":-5,"1":25}
= unexpected-account bank strict-serializable bank.accounts=2
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":5}
0 read -> {"0":5,"1":15,"7":0}
= missing-account bank strict-serializable
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":10}
0 read -> {"1":20}
= unexplained-balances bank strict-serializable bank.total=20
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":5}
0 read -> {"0":3,"1":17}
= unexplained-balances overdraft strict-serializable
0 deposit c: {"account":0,"amount":10}
1 withdraw c: {"account":0,"amount":4}
2 read c: -> [10,0]
= incomparable-reads bank strict-serializable bank.total=30
2 read -> {"a":10,"b":10,"c":10}
0 transfer {"from":"a","to":"b","amount":1} begins
1 transfer {"from":"b","to":"c","amount":3} begins
2 read begins
3 read -> {"a":9,"b":11,"c":10}
2 ends -> {"a":10,"b":7,"c":13}
= incomparable-reads set-full linearizable
0 add 1 begins
1 add 2 begins
2 read begins
3 read -> [1]
2 ends -> [2]
0 ends
1 ends
2 read -> [1,2]
= nil-balance bank strict-serializable
0 read -> {"0":10,"1":10}
1 transfer {"from":"0","to":"1","amount":5}
0 read -> {"0":null,"1":15}
= aba cas-by-version linearizable
0 cas-version x: [0,"a"] -> [1,"a"]
1 cas-version x: [1,"b"] -> [2,"b"]
1 cas-version x: [2,"a"] -> [3,"a"]
0 cas-version x: [1,"c"] -> [4,"c"]
= stale-cas cas-by-version linearizable
0 cas-version x: [0,"a"] ?
1 read x: -> [1,"a"]
2 cas-version x: [0,"b"] -> [2,"b"]
= lost-update cas-by-version linearizable
0 cas-version x: [0,"a"] -> [1,"a"]
1 cas-version x: [1,"b"] -> [2,"b"]
2 cas-version x: [1,"c"] -> [3,"c"]
= version-reused cas-by-version linearizable
0 cas-version x: [0,"a"] -> [1,"a"]
1 read x: -> [1,"a"]
2 read x: -> [1,"b"]
= version-went-back cas-by-version linearizable
0 cas-version x: [0,"a"] -> [5,"a"]
1 cas-version x: [5,"b"] -> [3,"b"]
2 read x: -> [3,"b"]
= unexpected-version cas-by-version linearizable
0 cas-version x: [0,"a"] -> [1,"a"]
1 read x: -> [7,"z"]
= lost-element set-full linearizable
0 add 1
1 add 2
0 read -> [1,2]
1 read -> [2]
= unexpected-element set-full linearizable
0 add 1
1 add 2 !
0 read -> [1,2]
= revived-element set-full linearizable
0 add 1
1 read -> [1]
1 read -> []
1 read -> [1]
= duplicate-element set-full linearizable
0 add 1
1 read -> [1,1]
= missing-dependency set-full causal-cc
0 add 1
1 read -> [1]
1 add 2
2 read -> [2]
= causal-reverse causal-reverse strict-serializable
0 write 1
1 write 2
2 read -> [2]
2 read -> [1,2]
= too-many-holders concurrency-limit semaphore concurrency-limit.limit=1
0 acquire-permit
1 acquire-permit
0 release-permit
1 release-permit
= needless-denial concurrency-limit semaphore concurrency-limit.limit=2
0 acquire-permit
1 acquire-permit !limited
0 release-permit
0 acquire-permit
1 acquire-permit
= permits-lost concurrency-limit semaphore concurrency-limit.limit=2
0 acquire-permit
1 acquire-permit !limited
1 acquire-permit !limited
1 acquire-permit !limited
1 acquire-permit !limited
1 acquire-permit !limited
= wrong-sum convergence strong-eventual
0 add 2
1 add 3
5s 0 read -> 4
= impossible-sum convergence strong-eventual
0 add 2
1 read -> 3
1 add 3
5s 0 read -> 5
= counter-out-of-bounds counter bounds
0 add 2
1 add 3
2 read -> 4
= rpo-exceeded durability recovery-point durability.rpo=1s durability.settle=0
0 add 1
5s 0 add 2
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"inject","nodes":["n1"]}}
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"injected"}}
9s 0 read -> [2]
= too-many-lost durability recovery-point durability.rpo=10s durability.max-lost=1 durability.settle=0
0 add 1
0 add 2
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"inject","nodes":["n1"]}}
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"injected"}}
9s 0 read -> []
= rto-exceeded durability recovery-point durability.rto=1s durability.settle=0
0 add 1
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"inject","nodes":["n1"]}}
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"injected"}}
0.5s 0 add 2 !
0.9s 0 add 3 !
5s 0 add 4
9s 0 read -> [1,4]
= G2-predicate g2 serializable
0 insert k: [1,null] begins
1 insert k: [null,2] begins
0 ends
1 ends
= needless-refusal overdraft strict-serializable
0 deposit c: {"account":0,"amount":10}
1 withdraw c: {"account":0,"amount":4} !insufficient
2 read c: -> [10,0]
= two-holders lock mutual-exclusion
0 acquire
1 acquire
0 release
1 release
= token-went-back lock mutual-exclusion
0 acquire -> 8
0 release
1 acquire -> 7
1 release
= two-leaders leader-election mutual-exclusion
0 campaign "a" -> 1
1 leader -> {"term":1,"leader":"a"}
2 campaign "b" -> 1
= term-went-back leader-election mutual-exclusion
0 campaign "a" -> 5
0 resign
1 campaign "b" -> 4
= unexpected-leader leader-election mutual-exclusion
0 campaign "a" -> 1
1 leader -> {"term":2,"leader":"z"}
= stale-leader leader-election mutual-exclusion
0 campaign "a" -> 1
0 resign
1 campaign "b" -> 2
2 leader -> {"term":1,"leader":"a"}
1 resign
= long-fork long-fork snapshot-isolation
0 txn [["w","x",1]]
1 txn [["w","y",1]]
2 txn [["r","x",null],["r","y",null]] -> [["r","x",1],["r","y",null]]
3 txn [["r","x",null],["r","y",null]] -> [["r","x",null],["r","y",1]]
= wrong-winner lww-map strong-eventual
0 put x: [2,"new"]
1 put x: [1,"old"]
5s 2 read x: -> "old"
= resurrected-element lww-map strong-eventual
0 put x: [1,"a"]
1 remove x: 2
5s 2 read x: -> "a"
= value-went-back lww-map strong-eventual
0 put x: [1,"old"]
0 put x: [2,"new"]
0 read x: -> "old"
5s 0 read x: -> "new"
= value-reorder monotonic strict-serializable
0 stamp -> {"val":1,"sts":20}
1 stamp -> {"val":2,"sts":10}
2 read -> [{"val":2,"sts":10},{"val":1,"sts":20}]
= unsorted-rows monotonic strict-serializable
0 stamp -> {"val":1,"sts":10}
1 stamp -> {"val":2,"sts":20}
2 read -> [{"val":2,"sts":20},{"val":1,"sts":10}]
= kept-element or-set strong-eventual
0 add 1
0 remove 1
5s 1 read -> [1]
1 read -> [1]
= duplicate-id unique-ids unique
0 generate -> 41
1 generate -> 42
2 generate -> 41
= id-went-back ordered-ids roughly-ordered ordered-ids.tolerance=1s
0 generate -> 500
5s 1 generate -> 400
= overdraft overdraft strict-serializable
0 deposit c: {"account":0,"amount":10}
1 withdraw c: {"account":0,"amount":8} begins
2 withdraw c: {"account":1,"amount":8} begins
1 ends
2 ends
= too-many-grants rate-limit sliding-window rate-limit.limit=1 rate-limit.window=1s
0 request
1 request
= skipped-write sequential-writes sequential
0 write-chain 3
1 read-chain 3 -> [3,["3_2",null,"3_0"]]
= tokens-lost token-bucket token-bucket token-bucket.burst=1 token-bucket.rate=1
0 request
10s 0 request !limited
20s 0 request !limited
30s 0 request !limited
40s 0 request !limited
50s 0 request !limited
)";
}

}  // namespace ordeal
