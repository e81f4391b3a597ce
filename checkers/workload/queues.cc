// The checkers "queue", "total-queue" and "delivery": messages go in and come out. The first two after Jepsen's.
//
// Operations: `enqueue` of a value; `dequeue`, whose ok value is a message, or nil for an empty queue; `drain`, whose
// ok value is the list of all messages until the queue was empty; keys, if any, are queues of their own.
//
//   unexpected-element   a message came out that nobody put in, or only a failed enqueue, or only later
//   duplicate-element    it came out more often than it can have been put in
//   lost-element         acknowledged, never came out, and somebody found the queue empty after the acknowledgement
//   reordered            of two messages of one key, the one put in later came out earlier (first deliveries)
//
// A dequeue of unknown outcome may have taken one message, a drain any number of them: so many missing messages are no
// proof. Which anomalies count is the level: "at-most-once" no duplicates, "at-least-once" nothing lost, "exactly-once"
// both. The option delivery.ordered asks for order per key, the key being the first part of a message [key …]. Order is
// only judged where both the enqueues and the deliveries are ordered in real time, or both messages are in one drain.
#include <algorithm>
#include <map>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Delivery {
  ValueId message = kNil;
  OperationEvents op;
};

class Queue {
 public:
  Queue(Judgement& in, ValueId key) : in_(in), key_(key) {}

  // False when the operation was refused.
  bool take(OperationEvents op) {
    if (in_.f(op) == "enqueue") {
      sent_.add(in_, in_.asked(op), op);
      return true;
    }
    if (in_.failed(op)) return true;
    const bool drain = in_.f(op) == "drain";
    if (!in_.ok(op)) {
      ++(drain ? crashed_drains_ : crashed_dequeues_);
      return true;
    }
    const ValueId seen = in_.seen(op);
    if (drain && !in_.is_list(seen)) {
      in_.refuse(op, "a list of messages");
      return false;
    }
    if (!drain && seen == kAbsent) {
      in_.refuse(op, "a message, or nil,");
      return false;
    }
    if (drain || seen == kNil) empty_ = std::max(empty_, std::int64_t{op.invocation});
    if (!drain && seen != kNil) deliver(seen, op);
    for (const ValueId message : in_.items(drain ? seen : kAbsent)) deliver(message, op);
    return true;
  }

  struct Demands {
    bool once = false;     // no duplicates
    bool all = false;      // nothing lost
    bool ordered = false;  // per key
  };
  void judge(Demands demands) {
    std::map<ValueId, std::vector<OperationEvents>> out;
    for (const Delivery& one : delivered_) {
      if (sent_.explained(in_, "unexpected-element", "message", one.message, one.op, key_))
        out[one.message].push_back(one.op);
    }
    for (const auto& [message, ops] : out) {
      const Attempts& tries = *sent_.find(message);
      in_.counter("recovered") += tries.certain == 0 ? 1 : 0;
      if (static_cast<std::int64_t>(ops.size()) <= tries.possible) continue;
      ++in_.counter("duplicated");
      if (demands.once) duplicate(message, ops, tries);
    }
    missing(out, demands.all);
    if (demands.ordered) order(demands.once);
  }

 private:
  void deliver(ValueId message, OperationEvents op) {
    ++in_.counter("delivered");
    delivered_.push_back({message, op});
  }

  void duplicate(ValueId message, const std::vector<OperationEvents>& ops, const Attempts& tries) {
    std::vector<EventIndex> all = {tries.invoked};
    for (const OperationEvents op : ops) all.push_back(op.invocation);
    in_.tell("duplicate-element", std::move(all),
             "message " + in_.shown(message) + " came out " + std::to_string(ops.size()) +
                 " times, but was put in at most " + std::to_string(tries.possible) +
                 (tries.possible == 1 ? " time" : " times"),
             {}, key_);
  }

  // Acknowledged messages that did not come out. Those acknowledged before the queue was found empty are lost, unless
  // crashed operations took them.
  void missing(const std::map<ValueId, std::vector<OperationEvents>>& out, bool demanded) {
    std::vector<ValueId> lost;
    std::int64_t lost_count = 0;
    for (const auto& [message, tries] : sent_.all()) {
      const auto found = out.find(message);
      const auto came = found == out.end() ? std::int64_t{0} : static_cast<std::int64_t>(found->second.size());
      in_.counter("acknowledged") += tries.certain;
      if (came >= tries.certain) continue;
      in_.counter("missing") += tries.certain - came;
      // With several enqueues of one message it is not known which of them came out.
      if (tries.certain > 1 || tries.acknowledged > empty_) continue;
      lost_count += tries.certain - came;
      lost.push_back(message);
    }
    if (!demanded) return;
    if (in_.counter("missing") > 0 && lost.empty()) {
      in_.inconclusive(
          "messages are missing, but nobody found the queue empty after they were acknowledged: it was not drained");
    }
    if (crashed_drains_ > 0 || lost_count <= crashed_dequeues_) {
      in_.counter("taken-by-crashed-operations") += lost_count;
      return;
    }
    for (const ValueId message : lost) {
      const Attempts& tries = *sent_.find(message);
      std::string explanation = "message " + in_.shown(message) + " was acknowledged (" +
                                in_.event(tries.acknowledged) +
                                ") and never came out, although the queue was found empty later (" +
                                in_.event(static_cast<EventIndex>(empty_)) + ")";
      std::vector<std::string> sentences;
      if (crashed_dequeues_ > 0) {
        sentences.push_back(std::to_string(lost_count) + " messages are missing; the " +
                            std::to_string(crashed_dequeues_) +
                            " dequeues of unknown outcome can have taken one each.");
      }
      in_.tell("lost-element", {tries.acknowledged_by, static_cast<EventIndex>(empty_)}, std::move(explanation),
               std::move(sentences), key_);
    }
  }

  struct Message {
    ValueId id = kNil;
    EventIndex sent = kNoEvent;  // invocation of its only enqueue
    EventIndex acknowledged = kNoEvent;
    OperationEvents delivery;  // the first
  };

  // The messages of each key that were put in once and came out.
  std::map<ValueId, std::vector<Message>> by_key() const {
    std::map<ValueId, OperationEvents> first;
    for (const Delivery& one : delivered_) {
      const auto [place, fresh] = first.try_emplace(one.message, one.op);
      if (!fresh && one.op.completion < place->second.completion) place->second = one.op;
    }
    std::map<ValueId, std::vector<Message>> out;
    for (const auto& [id, delivery] : first) {
      const Attempts* tries = sent_.find(id);
      const auto parts = in_.items(id);
      if (tries == nullptr || tries->possible != 1 || parts.empty()) continue;
      out[parts[0]].push_back({id, tries->invoked, tries->acknowledged, delivery});
    }
    return out;
  }

  void order(bool once) {
    // Where messages may come out again, a crashed dequeue may have been an earlier delivery of one that did.
    const bool again = !once || in_.counter("duplicated") > 0;
    first_known_ = !again || crashed_dequeues_ + crashed_drains_ == 0;
    for (auto& [key, messages] : by_key()) {
      across_operations(messages);
      within_drains(messages);
    }
  }

  // `earlier` was put in before `later`, and came out after it.
  void reordered(const Message& earlier, const Message& later, const std::string& how) {
    if (!first_known_) {
      return in_.inconclusive("message " + in_.shown(earlier.id) + " came out after " + in_.shown(later.id) +
                              ", which was sent later; but a dequeue of unknown outcome may have delivered it before");
    }
    in_.tell(
        "reordered", {earlier.sent, later.sent, earlier.delivery.invocation, later.delivery.invocation},
        "message " + in_.shown(earlier.id) + " was put in before " + in_.shown(later.id) + " and came out after it",
        {"The enqueue of " + in_.shown(earlier.id) + " was acknowledged (" + in_.event(earlier.acknowledged) +
             ") before that of " + in_.shown(later.id) + " was invoked (" + in_.event(later.sent) + ").",
         how},
        key_);
  }

  void across_operations(std::vector<Message>& messages) {
    std::vector<const Message*> by_ack;
    for (const Message& m : messages) by_ack.push_back(&m);
    std::vector<const Message*> by_send = by_ack;
    std::sort(by_ack.begin(), by_ack.end(), [](auto a, auto b) { return a->acknowledged < b->acknowledged; });
    std::sort(by_send.begin(), by_send.end(), [](auto a, auto b) { return a->sent < b->sent; });
    const Message* latest = nullptr;  // of those put in before the one at hand, the one that came out last
    std::size_t next = 0;
    for (const Message* m : by_send) {
      for (; next < by_ack.size() && by_ack[next]->acknowledged < m->sent; ++next) {
        if (latest == nullptr || by_ack[next]->delivery.invocation > latest->delivery.invocation) latest = by_ack[next];
      }
      if (latest == nullptr || latest->delivery.invocation < m->delivery.completion) continue;
      reordered(*latest, *m,
                in_.named(m->delivery) + " returned " + in_.shown(m->id) + " before " + in_.named(latest->delivery) +
                    " was invoked.");
    }
  }

  void within_drains(const std::vector<Message>& messages) {
    std::map<ValueId, const Message*> known;
    for (const Message& m : messages) known[m.id] = &m;
    const Message* first = nullptr;  // of those later in the same list, the one put in first
    for (std::size_t i = delivered_.size(); i-- > 0;) {
      const Delivery& one = delivered_[i];
      if (i + 1 == delivered_.size() || delivered_[i + 1].op.invocation != one.op.invocation) first = nullptr;
      const auto found = known.find(one.message);
      if (found == known.end() || found->second->delivery.invocation != one.op.invocation) continue;
      const Message* m = found->second;
      if (first != nullptr && first->acknowledged < m->sent)
        reordered(*first, *m, in_.named(one.op) + " returned them in that order.");
      if (first == nullptr || m->acknowledged < first->acknowledged) first = m;
    }
  }

  Judgement& in_;
  ValueId key_;
  AttemptTable sent_;
  std::vector<Delivery> delivered_;
  std::int64_t crashed_dequeues_ = 0;
  std::int64_t crashed_drains_ = 0;
  bool first_known_ = true;  // whether the first deliveries seen are the first ones
  std::int64_t empty_ = -1;  // the last invocation of an operation that found the queue empty
};

void judge_queues(Judgement& in, std::string_view level, bool ordered) {
  if (!in.understands({"enqueue", "dequeue", "drain"})) return;
  std::map<ValueId, Queue> queues;
  for (const OperationEvents op : in.operations()) {
    if (!queues.try_emplace(in.key(op), in, in.key(op)).first->second.take(op)) return;
  }
  for (auto& [key, queue] : queues) queue.judge({level != "at-least-once", level != "at-most-once", ordered});
  in.keys(queues.size());
  if (in.counter("delivered") == 0) in.inconclusive("no message came out, so nothing is known about the queue");
}

const std::vector<std::pair<std::string, std::string>> kAnomalies = {
    {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
    {"duplicate-element", "a read holds an element, or a queue delivered it, more often than it was added"},
    {"lost-element", "an acknowledged element is missing from every later read"}};

}  // namespace

WorkloadChecker queue() {
  return {"queue",
          "a queue: every message that comes out was put in, and comes out no more often",
          {"at-most-once"},
          [](Judgement& in) { judge_queues(in, "at-most-once", false); },
          kAnomalies};
}

WorkloadChecker total_queue() {
  return {"total-queue",
          "a queue that was drained: what went in came out; duplicates are counted only",
          {"at-least-once", "exactly-once"},
          [](Judgement& in) { judge_queues(in, in.level("at-least-once"), false); },
          kAnomalies};
}

WorkloadChecker delivery() {
  auto anomalies = kAnomalies;
  anomalies.emplace_back("reordered", "of two messages of one key, the one sent later was delivered earlier");
  return {"delivery",
          "messages are delivered at most once, at least once or exactly once, in order per key where asked for",
          {"exactly-once", "at-least-once", "at-most-once"},
          [](Judgement& in) { judge_queues(in, in.level("exactly-once"), in.flag("delivery.ordered")); },
          std::move(anomalies),
          {{"delivery.ordered", OptionSpec::Type::boolean, true, "whether messages of one key come out in order"}}};
}

}  // namespace ordeal::work
