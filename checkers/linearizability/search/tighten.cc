#include "checkers/linearizability/search/tighten.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "checkers/linearizability/models/operations.h"

namespace ordeal::lin {
namespace {

struct ValueUse {
  std::int64_t last_seen = -1;       // when the last operation that observes the value returns; -1: nobody does
  EventIndex first_return = kNever;  // when the first one does
  std::uint32_t writers = 0;
  CallIndex writer = 0;
};

std::int64_t written(const Operation& op) { return op.code == reg::kCas ? op.b : op.a; }
bool observes(const Operation& op) { return op.code != reg::kWrite; }
bool writes(const Operation& op) { return op.code != reg::kRead; }

}  // namespace

void tighten(const KeyHistory& history, std::vector<Call>& calls, std::vector<CallIndex>& origin) {
  const auto copy_all = [&] {
    calls = history.calls;
    origin.resize(calls.size());
    for (CallIndex i = 0; i < origin.size(); ++i) origin[i] = i;
  };
  if (!is_one_register(*history.model)) return copy_all();

  boost::unordered_flat_map<std::int64_t, ValueUse> uses;
  std::vector<const Call*> crashed_cas;
  for (const Call& call : history.calls) {
    if (observes(call.op)) {
      ValueUse& use = uses[call.op.a];
      if (call.crashed()) {
        crashed_cas.push_back(&call);
      } else {
        use.last_seen = std::max(use.last_seen, static_cast<std::int64_t>(call.ret));
        use.first_return = std::min(use.first_return, call.ret);
      }
    }
    if (writes(call.op)) (void)uses[written(call.op)];
  }
  // A crashed cas observes, but matters only as long as what it writes does.
  for (bool changed = true; changed;) {
    changed = false;
    for (const Call* cas : crashed_cas) {
      const std::int64_t seen = uses[cas->op.b].last_seen;
      if (seen < static_cast<std::int64_t>(cas->inv)) continue;
      ValueUse& from = uses[cas->op.a];
      if (from.last_seen < seen) {
        from.last_seen = seen;
        changed = true;
      }
    }
  }
  for (CallIndex i = 0; i < history.calls.size(); ++i) {
    const Call& call = history.calls[i];
    if (call.crashed() && uses[written(call.op)].last_seen < static_cast<std::int64_t>(call.inv)) continue;
    if (writes(call.op)) {
      ValueUse& use = uses[written(call.op)];
      ++use.writers;
      use.writer = static_cast<CallIndex>(calls.size());
    }
    calls.push_back(call);
    origin.push_back(i);
  }
  const std::uint32_t initial = history.model->initial()[0];
  if (initial == kAnyState) return;
  for (const auto& [value, use] : uses) {
    if (use.writers != 1 || value == initial) continue;
    Call& writer = calls[use.writer];
    // A cas from a value to itself observes what it writes, and says nothing about when.
    if (writer.op.code == reg::kCas && writer.op.a == writer.op.b) continue;
    if (use.first_return > writer.inv) writer.ret = std::min(writer.ret, use.first_return);
  }
}

}  // namespace ordeal::lin
