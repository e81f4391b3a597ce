// The checkers "queue", "total-queue" and "delivery": messages go in and come out. The first two after Jepsen's.
//
// Operations: `enqueue` of a value; `dequeue`, whose ok value is a message, or nil for an empty queue; `drain`, whose
// ok value is the list of all messages until the queue was empty; keys, if any, are queues of their own.
//
//   unexpected-element   a message came out that nobody put in, or only a failed enqueue, or only later
//   duplicate-element    it came out more often than it can have been put in
//   lost-element         acknowledged, never came out, and somebody found the queue empty after the acknowledgement
//   reordered            of two messages (of one key), the one put in later came out earlier (first deliveries), or it
//                        came out and the other one never did
//   false-empty          the queue was found empty while messages were in it all the time
//
// A dequeue of unknown outcome may have taken one message, a drain any number of them: so many missing messages are no
// proof. Levels:
//
//   fifo            (queue) every message at most once, all in the order of the queue, and empty only when it is: for
//                   messages that are put in once these anomalies are all that contradicts linearizability of a queue
//                   (Henzinger, Sezgin and Vafeiadis, "Aspect-oriented linearizability proofs", 2013)
//   at-most-once    no duplicates; an empty queue may be announced while a message is on its way
//   at-least-once   nothing lost
//   exactly-once    both, and no false-empty
//
// The option delivery.ordered asks for order per key, the key being the first part of a message [key …]. Order is only
// judged where both the enqueues and the deliveries are ordered in real time, or both messages are in one drain. A
// message is in the queue from the acknowledgement of its only enqueue until its first delivery is invoked; several may
// cover the whole of an operation that found nothing, one after the other. A take of unknown outcome before that may
// have had a message that came back later, unless the level is fifo.
#include <algorithm>
#include <map>
#include <set>
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
      first_crashed_ = std::min(first_crashed_, op.invocation);
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
    if (drain || seen == kNil) {
      empty_ = std::max(empty_, std::int64_t{op.invocation});
      found_empty_.push_back(op);
      ++in_.counter("found-empty");
    }
    if (!drain && seen != kNil) deliver(seen, op);
    for (const ValueId message : in_.items(drain ? seen : kAbsent)) deliver(message, op);
    return true;
  }

  struct Demands {
    bool once = false;     // no duplicates
    bool all = false;      // nothing lost
    bool ordered = false;  // per key
    bool fifo = false;     // of all messages together
    bool empty = false;    // empty only when it is
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
    missing(out, demands);
    if (demands.ordered || demands.fifo) order(demands);
    if (demands.fifo) overtaken();
    if (demands.empty) empties(demands.fifo);
  }

 private:
  void deliver(ValueId message, OperationEvents op) {
    ++in_.counter("delivered");
    delivered_.push_back({message, op});
  }

  void duplicate(ValueId message, const std::vector<OperationEvents>& ops, const Attempts& tries) {
    std::vector<EventIndex> all = {tries.invoked};
    std::string by;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      all.push_back(ops[i].invocation);
      if (i < 4) by += (i == 0 ? ": " : ", ") + in_.named(ops[i]);
    }
    if (ops.size() > 4) by += " and " + std::to_string(ops.size() - 4) + " more";
    in_.tell("duplicate-element", std::move(all),
             "message " + in_.shown(message) + " came out " + std::to_string(ops.size()) +
                 " times, but was put in at most " + std::to_string(tries.possible) +
                 (tries.possible == 1 ? " time" : " times") + by,
             {}, key_);
  }

  // Acknowledged messages that did not come out. Those acknowledged before the queue was found empty are lost, unless
  // crashed operations took them.
  void missing(const std::map<ValueId, std::vector<OperationEvents>>& out, Demands demands) {
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
    if (!demands.all) return;
    if (in_.counter("missing") > 0 && lost.empty() && !demands.fifo) {
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
  std::map<ValueId, std::vector<Message>> by_key(bool together) const {
    std::map<ValueId, OperationEvents> first;
    for (const Delivery& one : delivered_) {
      const auto [place, fresh] = first.try_emplace(one.message, one.op);
      if (!fresh && one.op.completion < place->second.completion) place->second = one.op;
    }
    std::map<ValueId, std::vector<Message>> out;
    for (const auto& [id, delivery] : first) {
      const Attempts* tries = sent_.find(id);
      const auto parts = in_.items(id);
      if (tries == nullptr || tries->possible != 1 || (parts.empty() && !together)) continue;
      out[together ? kNil : parts[0]].push_back({id, tries->invoked, tries->acknowledged, delivery});
    }
    return out;
  }

  void order(Demands demands) {
    // Where messages may come out again, a crashed dequeue may have been an earlier delivery of one that did.
    const bool again = !demands.once || in_.counter("duplicated") > 0;
    first_known_ = !again || crashed_dequeues_ + crashed_drains_ == 0;
    for (auto& [key, messages] : by_key(demands.fifo)) {
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
    in_.tell("reordered", {earlier.sent, later.sent, earlier.delivery.invocation, later.delivery.invocation},
             "message " + in_.shown(earlier.id) + " was put in before " + in_.shown(later.id) +
                 " and came out after it: " + in_.named(later.delivery) + " came before " + in_.named(earlier.delivery),
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

  // Messages that never came out although one put in later did: more of them than crashed operations can have taken.
  void overtaken() {
    std::map<ValueId, std::vector<Message>> all = by_key(true);
    const Message* last = nullptr;  // that came out: the one put in last
    for (const Message& m : all[kNil]) {
      if (last == nullptr || m.sent > last->sent) last = &m;
    }
    if (last == nullptr || crashed_drains_ > 0) return;
    std::set<ValueId> came;
    for (const Delivery& one : delivered_) came.insert(one.message);
    std::vector<ValueId> left;
    for (const auto& [id, tries] : sent_.all()) {
      if (tries.acknowledged < last->sent && !came.contains(id)) left.push_back(id);
    }
    if (static_cast<std::int64_t>(left.size()) <= crashed_dequeues_) return;
    for (const ValueId id : left) {
      const Attempts& tries = *sent_.find(id);
      in_.tell("reordered", {tries.acknowledged_by, last->sent, last->delivery.invocation},
               "message " + in_.shown(id) + " was put in before " + in_.shown(last->id) + ", which came out (" +
                   in_.event(last->delivery.invocation) + "), and never came out itself",
               {}, key_);
    }
  }

  // Operations that found the queue empty, although messages that were in it for certain cover all of their time.
  void empties(bool fifo) {
    struct Stay {
      EventIndex from = 0, until = kNoEvent;
      ValueId id = kNil;
    };
    std::map<ValueId, OperationEvents> first;  // the delivery of each that was invoked first
    for (const Delivery& one : delivered_) {
      const auto [place, fresh] = first.try_emplace(one.message, one.op);
      if (!fresh && one.op.invocation < place->second.invocation) place->second = one.op;
    }
    std::vector<Stay> stays;
    for (const auto& [id, tries] : sent_.all()) {
      if (tries.possible != 1 || tries.certain != 1) continue;
      const auto out = first.find(id);
      // One that never came out is there to the end, or until the first operation of unknown outcome that may have had
      // it began.
      const EventIndex until = out == first.end() ? first_crashed_ : out->second.invocation;
      if (tries.acknowledged < until) stays.push_back({tries.acknowledged, until, id});
    }
    std::sort(stays.begin(), stays.end(), [](const Stay& a, const Stay& b) { return a.from < b.from; });
    std::sort(found_empty_.begin(), found_empty_.end(), [](auto a, auto b) { return a.invocation < b.invocation; });
    // Stays that touch, as one: the first and the last message of the chain.
    std::size_t next = 0;
    Stay chain;
    bool any = false;
    for (const OperationEvents op : found_empty_) {
      in_.work();
      for (; next < stays.size() && stays[next].from < op.invocation; ++next) join(chain, stays[next], any);
      std::size_t ahead = next;
      Stay cover = chain;
      if (!any || cover.until < op.invocation) continue;
      std::vector<EventIndex> named = {op.invocation};
      const auto name_message = [&](ValueId id) {
        named.push_back(sent_.find(id)->invoked);
        const auto taken = first.find(id);
        named.push_back(taken != first.end() ? taken->second.invocation : first_crashed_);  // kNoEvent is left out
      };
      name_message(chain.id);
      for (; ahead < stays.size() && stays[ahead].from < cover.until && cover.until < op.completion; ++ahead) {
        in_.work();
        if (stays[ahead].until <= cover.until) continue;
        cover.until = stays[ahead].until;
        name_message(stays[ahead].id);
      }
      if (cover.until < op.completion) continue;
      if (!fifo && first_crashed_ < op.completion) {
        in_.inconclusive(in_.named(op) +
                         " found the queue empty while messages should have been in it; but an operation "
                         "of unknown outcome may have had them");
        continue;
      }
      const auto out = first.find(chain.id);
      if (out == first.end() && first_crashed_ == kNoEvent) continue;  // acknowledged before: told as lost
      in_.tell("false-empty", std::move(named),
               in_.named(op) + " found the queue empty, although message " + in_.shown(chain.id) +
                   (chain.until > op.completion ? " was" : " and then others were") + " in it all the while",
               {"Message " + in_.shown(chain.id) + " had been acknowledged at " +
                    in_.event(sent_.find(chain.id)->acknowledged) + ".",
                out == first.end() ? "It never came out, and the first operation that may have had it began at " +
                                         in_.event(first_crashed_) + "."
                                   : "It came out by " + in_.named(out->second) + "."},
               key_);
    }
  }

  template <class Stay>
  static void join(Stay& chain, const Stay& one, bool& any) {
    if (!any || chain.until < one.until) chain.id = one.id;
    chain.until = any ? std::max(chain.until, one.until) : one.until;
    any = true;
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
  std::vector<OperationEvents> found_empty_;
  EventIndex first_crashed_ = kNoEvent;  // the first take of unknown outcome
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
  const bool fifo = level == "fifo";
  for (auto& [key, queue] : queues) {
    queue.judge({level != "at-least-once", level != "at-most-once", ordered, fifo, fifo || level == "exactly-once"});
  }
  in.keys(queues.size());
  if (in.counter("delivered") == 0) in.inconclusive("no message came out, so nothing is known about the queue");
}

const std::vector<std::pair<std::string, std::string>> kAnomalies = {
    {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
    {"duplicate-element", "a read holds an element, or a queue delivered it, more often than it was added"},
    {"lost-element", "an acknowledged element is missing from every later read"},
    {"false-empty", "a queue was found empty while messages were in it all the while"}};

std::vector<std::pair<std::string, std::string>> with_order() {
  auto anomalies = kAnomalies;
  anomalies.emplace_back("reordered", "of two messages of one key, the one sent later was delivered earlier");
  return anomalies;
}

}  // namespace

WorkloadChecker queue() {
  return {"queue",
          "a queue: messages come out once, in the order in which they were put in, and it is empty only when it is",
          {"fifo", "at-most-once"},
          [](Judgement& in) { judge_queues(in, in.level("fifo"), false); },
          with_order()};
}

WorkloadChecker total_queue() {
  return {"total-queue",
          "a queue that was drained: what went in came out, once unless at-least-once is all that is claimed",
          {"exactly-once", "at-least-once"},
          [](Judgement& in) { judge_queues(in, in.level("exactly-once"), false); },
          kAnomalies};
}

WorkloadChecker delivery() {
  return {"delivery",
          "messages are delivered at most once, at least once or exactly once, in order per key where asked for",
          {"exactly-once", "at-least-once", "at-most-once"},
          [](Judgement& in) { judge_queues(in, in.level("exactly-once"), in.flag("delivery.ordered")); },
          with_order(),
          {{"delivery.ordered", OptionSpec::Type::boolean, true, "whether messages of one key come out in order"}}};
}

}  // namespace ordeal::work
