// Examples of anomalies of the run itself.
// A test judges every one of them (tests/checkers/explanation_test.cc).

#include "checkers/explain/examples.h"

namespace ordeal {

std::string_view run_examples() {
  return R"(
= unrecovered recorded -
0 write x: 1
{"process":"nemesis","type":"info","f":"power-loss","value":{"id":1,"step":"inject","nodes":["n2"]}}
{"process":"nemesis","type":"info","f":"power-loss","value":{"id":1,"step":"injected"}}
{"process":"nemesis","type":"info","f":"power-loss","value":{"id":1,"step":"confirmed","evidence":"its processes are gone"}}
{"process":"nemesis","type":"info","f":"power-loss","value":{"id":1,"step":"heal"}}
{"process":"nemesis","type":"info","f":"power-loss","value":{"id":1,"step":"healed"}}
0 read x: -> 1
{"process":"nemesis","type":"info","f":"nemesis","value":{"step":"end","how":"complete","main_s":60.0,"time_limit_s":60.0,"unrecovered":[{"node":"n2","ended":true,"problem":"connection refused"}],"final_phase":"none"}}
= slow-recovery recovery - recovery.bound_s=1 recovery.worker_nodes=["n1"]
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"inject","nodes":["n1"]}}
{"process":"nemesis","type":"info","f":"kill","value":{"id":1,"step":"healed"}}
0 read x: !
0.9s 0 read x: !
5s 0 read x: -> null
= minority-write minority - minority.bound_s=1 minority.worker_nodes=["n1","n2","n3"]
{"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"inject","nodes":["n1"],"fault":{"drops":{"n1":["n2","n3"],"n2":["n1"],"n3":["n1"]}}}}
{"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"injected"}}
{"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"confirmed"}}
3s 0 write x: 1
{"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"heal"}}
{"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"healed"}}
= crash-in-log log -
2026-05-01 12:00:00 raft: applied entry 41
panic: runtime error: index out of range [3] with length 3
goroutine 12 [running]:
main.(*store).apply(0xc0001, 0x2a)
)";
}

}  // namespace ordeal
