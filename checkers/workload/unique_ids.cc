// The checker "unique-ids": no id is generated twice. After Jepsen's unique-ids.
//
// Operations: `generate`, whose ok value is the id, of any kind. Keys, if any, are spaces of their own.
//
//   duplicate-id   two calls returned the same id
#include <map>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

void judge_unique_ids(Judgement& in) {
  if (!in.understands({"generate"})) return;
  std::map<std::pair<ValueId, ValueId>, std::vector<EventIndex>> calls;
  for (const OperationEvents op : in.operations()) {
    if (!in.ok(op)) continue;
    const ValueId id = in.seen(op);
    if (id == kAbsent || id == kNil) return in.refuse(op, "an id");
    ++in.counter("acknowledged");
    calls[{in.key(op), id}].push_back(op.invocation);
  }
  for (const auto& [id, all] : calls) {
    if (all.size() < 2) continue;
    in.tell("duplicate-id", all,
            "the id " + in.shown(id.second) + " was generated " + std::to_string(all.size()) + " times", {}, id.first);
  }
  if (in.counter("acknowledged") < 2)
    in.inconclusive("fewer than two ids were generated, so nothing was put to the test");
}

}  // namespace

WorkloadChecker unique_ids() {
  return {"unique-ids",
          "a generator of ids: none is generated twice",
          {"unique"},
          judge_unique_ids,
          {{"duplicate-id", "an id was generated twice"}}};
}

}  // namespace ordeal::work
