// Examples of anomalies of registers, at the levels of checkers/linearizability and checkers/consistency.
// A test judges every one of them (tests/checkers/explanation_test.cc).

#include "checkers/explain/examples.h"

namespace ordeal {

std::string_view object_examples() {
  return R"(
= nonlinearizable register linearizable
0 write x: 1
1 read x: -> null
= nonsequential register sequential
0 write x: 1
0 write x: 2
1 read x: -> 2
1 read x: -> 1
= ThinAirRead register causal-cc
0 write x: 1
1 read x: -> 7
= CyclicCO register causal-cc
0 read y: -> 2
0 write x: 1
1 read x: -> 1
1 write y: 2
= WriteCOInitRead register causal-cc
0 write x: 1
0 write y: 2
1 read y: -> 2
1 read x: -> null
= WriteCORead register causal-cc
0 write x: 1
0 write x: 2
1 read x: -> 2
1 read x: -> 1
= CyclicCF register causal-ccv
0 write x: 1
0 read x: -> 2
1 write x: 2
1 read x: -> 1
= nonpram register pram
0 write x: 1
0 write x: 2
1 read x: -> 2
1 read x: -> 1
= stale-own-write register read-your-writes
0 write x: 1
0 read x: -> null
= non-monotonic-read register monotonic-reads
0 write x: 1
1 read x: -> 1
1 read x: -> null
1 read x: -> 1
= non-monotonic-write register monotonic-writes
0 write x: 1
0 write x: 2
1 read x: -> 2
1 read x: -> 1
= write-before-read-version register writes-follow-reads
0 write x: 1
1 read x: -> 1
1 write x: 2
2 read x: -> 2
2 read x: -> 1
= read-before-write register regular
0 read x: -> 1
1 write x: 1
= divergence register eventual-2s
0 write x: 1 begins
1 write x: 2
0 ends
5s 0 read x: -> 1
1 read x: -> 2
= non-k-atomic register k-atomic-2
0 write x: 1
0 write x: 2
0 write x: 3
1 read x: -> 1
= bound-exceeded register bounded-staleness-500ms
0 write x: 1
0 write x: 2
2s 1 read x: -> 1
= WriteHBInitRead register causal-cm
0 write x: 1
0 write y: 1
0 write z: 1
2 write y: 2
1 read y: -> 2
1 read x: -> null
1 read z: -> 1
1 read y: -> 2
= CyclicHB register causal-cm
0 write x: 1
1 write x: 2
0 read x: -> 2
0 read x: -> 1
)";
}

}  // namespace ordeal
