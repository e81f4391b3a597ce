// Examples of anomalies of the workloads' checkers: queues, logs, keys of requests, events, sagas.
// A test judges every one of them (tests/checkers/explanation_test.cc).

#include "checkers/explain/examples.h"

namespace ordeal {

std::string_view message_examples() {
  return R"(
= endless-delivery dead-letter at-least-once dead-letter.max-attempts=2
0 enqueue {"id":1,"poison":true}
1 receive -> {"id":1,"poison":true}
1 reject 1
1 receive -> {"id":1,"poison":true}
1 reject 1
1 receive -> {"id":1,"poison":true}
= wrong-dead-letter dead-letter at-least-once
0 enqueue {"id":1,"poison":false}
1 drain-dead -> [{"id":1,"poison":false}]
= in-both dead-letter at-least-once dead-letter.max-attempts=1
0 enqueue {"id":1,"poison":false}
1 receive -> {"id":1,"poison":false}
1 ack 1
2 drain-dead -> [{"id":1,"poison":false}]
= delivered-after-ack dead-letter at-least-once
0 enqueue {"id":1,"poison":false}
1 receive -> {"id":1,"poison":false}
1 ack 1
2 receive -> {"id":1,"poison":false}
= blocked-message dead-letter at-least-once
0 enqueue {"id":1,"poison":false}
1 receive -> null
1 receive -> {"id":1,"poison":false}
1 ack 1
= false-empty queue fifo
0 enqueue 1
1 dequeue -> null
1 dequeue -> 1
= reordered queue fifo
0 enqueue 1
0 enqueue 2
1 dequeue -> 2
1 dequeue -> 1
= applied-twice idempotency exactly-once
0 apply "k" -> 1
0 apply "k" -> 1
1 read -> ["k","k"]
= different-answers idempotency exactly-once
0 apply "k" -> 1
0 apply "k" -> 2
1 read -> ["k"]
= key-reused idempotency-keys exactly-once
0 apply {"id":"k","body":"a"} -> 1
1 apply {"id":"k","body":"b"} -> 2
= needless-refusal idempotency-keys exactly-once
0 apply {"id":"k","body":"a"} !conflict
1 read -> []
1 apply {"id":"k","body":"a"} -> 1
= unexplained-key idempotency-keys exactly-once idempotency-keys.ttl=5s
0 apply {"id":"k","body":"a"} -> 10
9s 1 apply {"id":"k","body":"a"} -> 11
2 read -> [["k","a"]]
= inconsistent-offsets kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
1 send [["send","x",2]] -> [["send","x",[0,2]]]
= duplicate-message kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[0,1],[1,1]]}]]
= aborted-read kafka read-committed
0 send [["send","x",1]] !
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[0,1]]}]]
= precommitted-read kafka read-committed
0 assign ["x"]
0 txn [["send","x",1],["poll"]] -> [["send","x",[0,1]],["poll",{"x":[[0,1]]}]]
= lost-write kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
0 send [["send","x",2]] -> [["send","x",[1,2]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[1,2]]}]]
= int-nonmonotonic-poll kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
0 send [["send","x",2]] -> [["send","x",[1,2]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[1,2],[0,1]]}]]
= int-poll-skip kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
0 send [["send","x",2]] -> [["send","x",[1,2]]]
0 send [["send","x",3]] -> [["send","x",[2,3]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[0,1],[2,3]]}]]
2 assign ["x"]
2 poll [["poll"]] -> [["poll",{"x":[[0,1],[1,2],[2,3]]}]]
= nonmonotonic-poll kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
0 send [["send","x",2]] -> [["send","x",[1,2]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[0,1],[1,2]]}]]
1 poll [["poll"]] -> [["poll",{"x":[[0,1]]}]]
= poll-skip kafka read-committed
0 send [["send","x",1]] -> [["send","x",[0,1]]]
0 send [["send","x",2]] -> [["send","x",[1,2]]]
0 send [["send","x",3]] -> [["send","x",[2,3]]]
1 assign ["x"]
1 poll [["poll"]] -> [["poll",{"x":[[0,1]]}]]
1 poll [["poll"]] -> [["poll",{"x":[[2,3]]}]]
2 assign ["x"]
2 poll [["poll"]] -> [["poll",{"x":[[0,1],[1,2],[2,3]]}]]
= int-nonmonotonic-send kafka read-committed
0 txn [["send","x",1],["send","x",2]] -> [["send","x",[5,1]],["send","x",[4,2]]]
= nonmonotonic-send kafka read-committed
0 send [["send","x",1]] -> [["send","x",[5,1]]]
0 send [["send","x",2]] -> [["send","x",[4,2]]]
= message-without-change outbox atomic
0 change {"id":1,"key":"k"} !
1 messages -> [["k",1]]
5s 2 read -> []
= lost-message outbox atomic
0 change {"id":1,"key":"k"}
1 read -> [["k",1]]
5s 2 messages -> []
= stale-token read-model bounded-staleness
0 append x: "a" -> [1,"a"]
0 append x: "b" -> [2,"b"]
1 read x: 2 -> [1,["a"]]
= wrong-position read-model bounded-staleness
0 append x: "a" -> [1,"a"]
0 append x: "b" -> [2,"b"]
1 read-at x: 1 -> [2,["a","b"]]
= different-states read-model bounded-staleness
0 append x: "a" -> [1,"a"]
1 replay x: -> [1,["a"]]
2 replay x: -> [1,[]]
= divergent-states read-model bounded-staleness
0 append x: "a" ?
1 append x: "b" ?
2 replay x: -> [1,["a"]]
3 replay x: -> [2,["b"]]
= lost-event read-model bounded-staleness
0 append x: "a" -> [1,"a"]
0 append x: "b" -> [2,"b"]
1 replay x: -> [2,["b"]]
= early-event read-model bounded-staleness
0 append x: "a" -> [1,"a"]
0 append x: "b" -> [2,"b"]
1 replay x: -> [1,["a","b"]]
= reordered-events read-model bounded-staleness
0 append x: "a" -> [1,"a"]
0 append x: "b" -> [2,"b"]
1 replay x: -> [2,["b","a"]]
= duplicate-position read-model bounded-staleness
0 append x: "a" -> [1,"a"]
1 append x: "b" -> [1,"b"]
2 replay x: -> [1,["a"]]
= position-went-back read-model bounded-staleness
0 append x: "a" -> [5,"a"]
1 append x: "b" -> [4,"b"]
2 replay x: -> [5,["b","a"]]
= read-model-lag read-model bounded-staleness read-model.lag=1s
0 append x: "a" -> [1,"a"]
5s 1 read x: -> [0,[]]
= skipped-version ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 1
0 deposit a: {"id":2,"amount":5} -> 3
= duplicate-version ledger linearizable
0 deposit a: {"id":1,"amount":5} begins
1 deposit a: {"id":2,"amount":5} begins
0 ends -> 1
1 ends -> 1
= duplicate-event ledger linearizable
0 deposit a: {"id":1,"amount":5} ?
1 events a: -> [[1,1,5],[2,1,5]]
= wrong-version ledger linearizable
0 deposit a: {"id":1,"amount":5} ?
1 deposit a: {"id":2,"amount":5} -> 1
2 events a: -> [[1,1,5],[2,2,5]]
= version-went-back ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 2
1 deposit a: {"id":2,"amount":5} -> 1
= rewritten-stream ledger linearizable
0 deposit a: {"id":1,"amount":5} ?
1 deposit a: {"id":2,"amount":5} ?
2 events a: -> [[1,1,5]]
3 events a: -> [[1,2,5]]
= wrong-balance ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 1
1 balance a: -> [1,10]
= wrong-model ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 1
1 model a: -> [1,10]
= wrong-replay ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 1
1 replay a: -> [1,10]
= model-went-back ledger linearizable
0 deposit a: {"id":1,"amount":5} -> 1
1 model a: -> [1,5]
2 model a: -> [0,0]
= model-behind ledger linearizable ledger.settle=1s
0 deposit a: {"id":1,"amount":5} -> 1
5s 1 model a: -> [0,0]
= forked-log transparency-log linearizable
0 append "a" -> [0,"a"]
1 append "b" -> [0,"b"]
= index-went-back transparency-log linearizable
0 append "a" -> [1,"a"]
1 append "b" -> [0,"b"]
= wrong-range transparency-log linearizable
0 append "a" -> [0,"a"]
0 append "b" -> [1,"b"]
1 read [0,10] -> {"from":0,"entries":["a"],"size":2}
= early-head transparency-log linearizable
0 append "a" -> [0,"a"]
1 head -> {"size":2,"root":"/GktHH8fbqZ1mqq/MFD4ratNJbZf2RmPBYMgh/4cNdI="}
0 append "b" -> [1,"b"]
= forked-head transparency-log linearizable
0 append "a" -> [0,"a"]
1 head -> {"size":1,"root":"5ENkfwW3F6bNjOYJW4O2HyJy8aGMAiC+ZLf9WE9IUb4="}
2 head -> {"size":1,"root":"AufYbscmWzXqzsG1DxV0/N7/W/8ngpoUcAXtfNp5tQk="}
= wrong-root transparency-log linearizable
0 append "a" -> [0,"a"]
0 append "b" -> [1,"b"]
1 head -> {"size":1,"root":"AufYbscmWzXqzsG1DxV0/N7/W/8ngpoUcAXtfNp5tQk="}
= unsigned-head transparency-log linearizable
0 append "a" -> [0,"a"]
1 head -> {"size":1,"root":"5ENkfwW3F6bNjOYJW4O2HyJy8aGMAiC+ZLf9WE9IUb4=","signed":false}
= bad-proof transparency-log linearizable
0 append "a" -> [0,"a"]
0 append "b" -> [1,"b"]
1 inclusion [0,2] -> {"leaf":"5ENkfwW3F6bNjOYJW4O2HyJy8aGMAiC+ZLf9WE9IUb4=","proof":["5ENkfwW3F6bNjOYJW4O2HyJy8aGMAiC+ZLf9WE9IUb4="]}
= ledger-mismatch saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4}
5s 0 read -> {"balances":{"a":6,"b":15},"events":[[1,"a",-4],[1,"b",4]]}
= incomplete-saga saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4}
5s 0 read -> {"balances":{"a":6,"b":10},"events":[[1,"a",-4]]}
= uncompensated-saga saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4} !
5s 0 read -> {"balances":{"a":6,"b":10},"events":[[1,"a",-4]]}
= half-saga saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4} ?
5s 0 read -> {"balances":{"a":6,"b":10},"events":[[1,"a",-4]]}
9s 0 read -> {"balances":{"a":6,"b":10},"events":[[1,"a",-4]]}
= impossible-step saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4} begins
0 read -> {"balances":{"a":3,"b":10},"events":[[1,"a",-7]]}
1 ends
= unexpected-event saga eventually-atomic
0 read -> {"balances":{"a":10,"b":10},"events":[]}
1 saga {"id":1,"from":"a","to":"b","amount":4}
0 read -> {"balances":{"a":5,"b":15},"events":[[1,"a",-4],[1,"b",4],[9,"a",-1],[9,"b",1]]}
)";
}

}  // namespace ordeal
