// The checker "ordered-ids": ids that are unique and roughly ordered by time, as those of Snowflake, UUID version 7
// (RFC 9562), ULID or KSUID are.
//
// Operations: `generate`, whose ok value is the id. Ids are whole numbers, or texts of one length, which compare byte
// by byte, as the text of a UUID, ULID or KSUID does. Keys, if any, are spaces of their own. Options:
// ordered-ids.tolerance (T), by how much the clocks of the generators may differ, and one unit of the time in the ids;
// ordered-ids.per-client, whether the ids that one client gets grow (its requests go to one generator, which promises
// it).
//
//   duplicate-id   two calls returned the same id
//   id-went-back   an id is smaller than one that had been returned more than T before the call began; or, per client,
//                  than one that the client had got before
//
// An id that had been returned at t was made by then, so the time in it is behind that of every generator whose clock
// is at most T behind at any moment more than T later. Times are the recorder's; a call takes place between its two
// events. Cost: O(n log n).
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

class Ids {
 public:
  Ids(Judgement& in, ValueId key) : in_(in), key_(key) {}

  void add(OperationEvents op) { calls_.push_back(op); }

  void judge() {
    unique();
    in_.flag("ordered-ids.per-client") ? by_client() : void();
    by_time();
  }

 private:
  bool less(OperationEvents a, OperationEvents b) const {
    const ValueId left = in_.seen(a), right = in_.seen(b);
    if (in_.integer(left)) return *in_.integer(left) < *in_.integer(right);
    return in_.values().as_string(left) < in_.values().as_string(right);
  }

  void unique() {
    std::map<ValueId, std::vector<EventIndex>> by_id;
    for (const OperationEvents op : calls_) by_id[in_.seen(op)].push_back(op.invocation);
    for (const auto& [id, all] : by_id) {
      if (all.size() < 2) continue;
      in_.tell("duplicate-id", all,
               "the id " + in_.shown(id) + " was generated " + std::to_string(all.size()) + " times", {}, key_);
    }
  }

  void by_client() {
    std::map<ProcessId, OperationEvents> greatest;
    for (const OperationEvents op : calls_) {  // in the order of invocations
      const auto [at, first] = greatest.try_emplace(in_.history().process(op.invocation), op);
      if (first) continue;
      ++in_.counter("pairs-of-a-client");
      if (less(op, at->second)) went_back(at->second, op, ", which the same client had got before");
      if (less(at->second, op)) at->second = op;
    }
  }

  // Goes through the invocations, and beside them through the answers more than T older.
  void by_time() {
    const History& h = in_.history();
    const std::int64_t tolerance = in_.option_ns("ordered-ids.tolerance");
    std::vector<OperationEvents> answered = calls_;
    std::vector<OperationEvents> asked = calls_;
    std::stable_sort(asked.begin(), asked.end(),
                     [&](auto a, auto b) { return h.time(a.invocation) < h.time(b.invocation); });
    std::stable_sort(answered.begin(), answered.end(),
                     [&](auto a, auto b) { return h.time(a.completion) < h.time(b.completion); });
    std::optional<OperationEvents> greatest;
    std::size_t at = 0;
    for (const OperationEvents op : asked) {
      in_.work();
      for (; at < answered.size() && h.time(answered[at].completion) + tolerance < h.time(op.invocation); ++at) {
        if (!greatest || less(*greatest, answered[at])) greatest = answered[at];
      }
      if (!greatest) continue;
      ++in_.counter("compared-by-time");
      if (!less(op, *greatest)) continue;
      const std::int64_t between = (h.time(op.invocation) - h.time(greatest->completion)) / 1'000'000;
      went_back(*greatest, op, ", which had been returned " + std::to_string(between) + " ms before the call began");
    }
  }

  void went_back(OperationEvents before, OperationEvents op, const std::string& which) {
    if (!told_.insert(op.invocation).second) return;
    in_.tell(
        "id-went-back", {before.invocation, op.invocation},
        in_.named(op) + " returned " + in_.shown(in_.seen(op)) + ", less than " + in_.shown(in_.seen(before)) + which,
        {}, key_);
  }

  Judgement& in_;
  const ValueId key_;
  std::vector<OperationEvents> calls_;
  std::set<EventIndex> told_;
};

void judge_ordered_ids(Judgement& in) {
  if (!in.understands({"generate"})) return;
  std::map<ValueId, Ids> spaces;
  std::optional<std::size_t> length;
  std::optional<bool> numbers;
  for (const OperationEvents op : in.operations()) {
    if (!in.ok(op)) continue;
    const ValueId id = in.seen(op);
    const bool number = in.integer(id).has_value();
    if (!number && !in.is(id, Value::Kind::string)) return in.refuse(op, "an id that is a whole number or a text");
    if (numbers.value_or(number) != number) return in.refuse(op, "a number if others are numbers, else a text,");
    numbers = number;
    if (!number) {
      const std::size_t size = in.values().as_string(id).size();
      if (length.value_or(size) != size)
        return in.refuse(op, "a text as long as the others, which alone compare byte by byte,");
      length = size;
    }
    if (in.history().time(op.invocation) < 0 || in.history().time(op.completion) < 0)
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which this checker needs");
    ++in.counter("acknowledged");
    spaces.try_emplace(in.key(op), in, in.key(op)).first->second.add(op);
  }
  for (auto& [key, ids] : spaces) ids.judge();
  in.keys(spaces.size());
  if (in.counter("compared-by-time") == 0)
    in.inconclusive("no two calls were further apart than ordered-ids.tolerance, so no order was put to the test");
  if (in.flag("ordered-ids.per-client") && in.counter("pairs-of-a-client") == 0)
    in.inconclusive("no client got two ids");
}

}  // namespace

WorkloadChecker ordered_ids() {
  return {"ordered-ids",
          "ids roughly ordered by time (Snowflake, UUIDv7, ULID): none twice, and none less than one of long before",
          {"roughly-ordered"},
          judge_ordered_ids,
          {{"duplicate-id", "an id was generated twice"},
           {"id-went-back", "an id is smaller than one that had been returned long enough before"}},
          {{"ordered-ids.tolerance", OptionSpec::Type::duration, 1.0,
            "by how much the generators' clocks may differ, and a unit of the time in ids; 0: ids grow in real time", 0,
            86400},
           {"ordered-ids.per-client", OptionSpec::Type::boolean, false,
            "whether the ids that one client gets must grow, as those of one generator do"}}};
}

}  // namespace ordeal::work
