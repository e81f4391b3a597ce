#pragma once
// What the views of an outbox say of the order of a key's changes, all together: a read of the state lists them in the
// order of their commits, the messages have that order, too, and both lists grow at their ends only.
//
// So all reads of the state agree on one list of which each shows a beginning, as do all reads of the messages; a
// change that was acknowledged before another was begun comes before it in both lists; and what comes before a change
// in one of the lists comes before it in the other, whether its message is due or not. Each of these broken is a
// contradiction by itself. Thread-safety: one thread.

#include <utility>
#include <vector>

#include "checkers/workload/judgement.h"

namespace ordeal::work {

struct OutboxList {
  OperationEvents op;
  std::vector<std::pair<ValueId, ValueId>> all;  // key and id, in order
};

// Tells `reordered`, one for each key at most. `made`: the changes by id. With `ordered` off only the state is looked
// at, for messages may have any order then.
void judge_outbox_order(Judgement& in, const AttemptTable& made, const std::vector<OutboxList>& states,
                        const std::vector<OutboxList>& messages, bool ordered);

}  // namespace ordeal::work
