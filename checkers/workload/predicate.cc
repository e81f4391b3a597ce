// The checker "g2": transactions that look for rows by a predicate and insert one when there is none. After Jepsen's
// adya.
//
// Operations: `insert` with a key and [a b], of which one is nil and the other the unique id of the row; or, as Jepsen
// writes it, the value [key [a b]]. A client reads all rows of the key from two tables and inserts its own only when it
// found none; otherwise it completes with `fail`. Of two that both inserted neither saw the other's row, which no
// serial order allows:
//
//   G2-predicate   two inserts under one key were acknowledged
//
// An insert of unknown outcome proves nothing.
#include <map>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

void judge_predicate(Judgement& in) {
  if (!in.understands({"insert"})) return;
  std::map<ValueId, std::vector<OperationEvents>> inserted;
  std::map<ValueId, std::size_t> tried;
  for (const OperationEvents op : in.operations()) {
    const auto [key, row] = in.keyed(op);
    if (key == kAbsent || in.items(row).size() != 2) return in.refuse(op, "a key and [a b]");
    ++tried[key];
    if (in.ok(op)) inserted[key].push_back(op);
  }
  std::size_t contested = 0;
  for (const auto& [key, times] : tried) contested += times > 1 ? 1u : 0u;
  in.counter("keys") = static_cast<std::int64_t>(tried.size());
  for (const auto& [key, all] : inserted) {
    if (all.size() < 2) continue;
    in.tell("G2-predicate", {all[0].invocation, all[1].invocation},
            std::to_string(all.size()) + " inserts under key " + in.shown(key) +
                " were acknowledged, although each looks for rows of the key first",
            {in.named(all[0]) + " found no row of key " + in.shown(key) + " and inserted one.",
             in.named(all[1]) + " found none either, and inserted one, too.",
             "Whichever came first, the other must have seen its row."},
            key);
  }
  if (inserted.empty())
    in.inconclusive("no insert succeeded");
  else if (contested == 0)
    in.inconclusive("no key was inserted to twice, so nothing was put to the test");
}

}  // namespace

WorkloadChecker g2() {
  return {"g2",
          "inserts that first look for rows by a predicate: at most one a key",
          {"serializable"},
          judge_predicate,
          {{"G2-predicate", "two transactions each inserted a row that the other's predicate should have found"}}};
}

}  // namespace ordeal::work
