// The checker "dead-letter": a queue whose consumers fail on some messages, which must end in a dead-letter queue.
//
// Operations: `enqueue` {"id" i, "poison" true or false}, i unique; `receive`, whose ok value is a message, or nil when
// there is none now; it then is that client's until it says `ack` i or `reject` i, or is gone; `drain-dead`, whose ok
// value is the list of all messages taken out of the dead-letter queue. Consumers reject poison and nothing else. A
// delivery that was rejected, or whose client is gone, is an attempt; after dead-letter.max-attempts of them the
// message goes to the dead-letter queue.
//
//   endless-delivery     delivered more often than there are attempts
//   wrong-dead-letter    dead, although nobody rejected it and fewer deliveries than attempts can have ended otherwise
//   in-both              dead and acknowledged, or delivered after it had been taken out of the dead-letter queue
//   duplicate-element    more often in the dead-letter queue than it was put in
//   delivered-after-ack  delivered after it had been acknowledged, unless dead-letter.redelivery
//   lost-element         acknowledged by the queue, or delivered, and in the end neither acknowledged by a consumer nor
//   dead nor there blocked-message      a receive found nothing, although all the while a message was there that nobody
//   had received
//                        yet, not always the same: another one stood in its way. Not where dead-letter.empty-receives
//   unexpected-element   delivered or dead, although nobody put it in
//
// In the end: dead-letter.settle after the last that is known of a message, after its clients were gone, and after the
// last receive that crashed (it may have had it), a receive found nothing, and the dead-letter queue, taken out by
// then, did not have it. That all messages of clients that are gone, or that wait to be tried again, are back by then,
// in one of the two queues and to stay there, is part of the claim. A consumer's ack of unknown outcome accounts for
// its message, and an ack that was ok does, whoever had it. A receive that crashed may have had one message; which of
// them, all that was seen together has to allow (crashed_receives.h). A drain that crashed may have had any.
//
// Not promised, and so not told: that a message which waits to be tried again is found at once, that one which was
// rejected has all its attempts before it is dead, that a dead one can be taken out at once, or that a client may keep
// a message for as long as it likes: another may get it, and one that had all its attempts may be dead meanwhile. All
// that is promised is decided exactly; the tests hold it to brute force.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/crashed_receives.h"
#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Message {
  bool poison = false;
  std::vector<OperationEvents> deliveries;
  std::vector<OperationEvents> acks;     // successful ones
  EventIndex may_ack = kNoEvent;         // the first of unknown outcome was invoked
  EventIndex rejected = kNoEvent;        // the first reject of it, perhaps successful, was invoked
  std::vector<OperationEvents> dead_in;  // drains that had it
  std::set<ProcessId> held_by;           // to which it was delivered, and which said neither ack nor reject
  EventIndex last = 0;                   // the last event that is known of it
};

class DeadLetters {
 public:
  explicit DeadLetters(Judgement& in)
      : in_(in), attempts_(in.option("dead-letter.max-attempts")), settle_(in.option_ns("dead-letter.settle")) {}

  void run() {
    if (!in_.understands({"enqueue", "receive", "ack", "reject", "drain-dead"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (!in_.ok(op) && !in_.failed(op)) gone_.emplace(in_.history().process(op.invocation), over(op));
      if (in_.f(op) == "enqueue" && !enqueue(op)) return;
    }
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) != "enqueue" && !take(op)) return;
    }
    for (auto& [id, message] : messages_) judge(id, message);
    lost();
    if (!in_.flag("dead-letter.empty-receives")) blocked();
    together();
    vacuous();
  }

 private:
  // The id of a message, kAbsent when it is none.
  [[nodiscard]] ValueId id_of(ValueId message) const {
    return in_.is_map(message) ? in_.values().member(message, "id") : kAbsent;
  }
  Message& touched(ValueId id, OperationEvents op) {
    Message& message = messages_[id];
    message.last = std::max(message.last, over(op));
    return message;
  }
  // The event from which on the operation is known to be over, or its client to be gone; the last one of all when that
  // is never known.
  [[nodiscard]] EventIndex over(OperationEvents op) const {
    return op.completion != kNoEvent ? op.completion : static_cast<EventIndex>(in_.history().size() - 1);
  }

  bool enqueue(OperationEvents op) {
    const ValueId asked = in_.asked(op), id = id_of(asked);
    const ValueId poison = id == kAbsent ? kAbsent : in_.values().member(asked, "poison");
    if (!in_.is(poison, Value::Kind::boolean)) {
      in_.refuse(op, R"({"id" i, "poison" true or false})");
      return false;
    }
    sent_.add(in_, id, op);
    if (!in_.failed(op)) touched(id, op).poison = in_.values().as_boolean(poison);
    return true;
  }

  bool take(OperationEvents op) {
    const auto f = in_.f(op);
    const bool crashed = !in_.ok(op) && !in_.failed(op);
    const ProcessId process = in_.history().process(op.invocation);
    if (f == "receive" && crashed) crashed_.push_back(op);
    if (f == "drain-dead" && crashed) drain_crashed_ = true;
    if (in_.failed(op)) return true;
    if (f == "ack" || f == "reject") {
      Message& message = touched(in_.asked(op), op);
      message.held_by.erase(process);
      // One that was over before the message was put in says nothing of it.
      const Attempts* tried = sent_.find(in_.asked(op));
      const bool there = tried != nullptr && (crashed || op.completion > tried->invoked);
      if (f == "reject" && there) message.rejected = std::min(message.rejected, op.invocation);
      if (f == "ack" && crashed) message.may_ack = std::min(message.may_ack, op.invocation);
      if (f == "ack" && !crashed) message.acks.push_back(op);
      return true;
    }
    if (crashed) return true;
    return f == "receive" ? receive(op) : drain(op);
  }

  bool receive(OperationEvents op) {
    if (in_.seen(op) == kNil) {
      empty_.push_back(op);
      return true;
    }
    const ValueId id = id_of(in_.seen(op));
    if (id == kAbsent) {
      in_.refuse(op, "a message, or nil,");
      return false;
    }
    Message& message = touched(id, op);
    message.deliveries.push_back(op);
    message.held_by.insert(in_.history().process(op.invocation));
    return true;
  }

  bool drain(OperationEvents op) {
    if (!in_.is_list(in_.seen(op))) {
      in_.refuse(op, "a list of messages");
      return false;
    }
    drains_.push_back(op);
    for (const ValueId one : in_.items(in_.seen(op))) {
      const ValueId id = id_of(one);
      if (id == kAbsent) {
        in_.refuse(op, "a list of messages");
        return false;
      }
      messages_[id].dead_in.push_back(op);
      ++in_.counter("dead");
    }
    return true;
  }

  void judge(ValueId id, const Message& message) {
    const std::string name = "message " + in_.shown(id);
    in_.work(1 + message.deliveries.size());
    for (const auto* all : {&message.deliveries, &message.dead_in}) {
      for (const OperationEvents op : *all) {
        if (!sent_.explained(in_, "unexpected-element", "message", id, op)) return;
      }
    }
    const Attempts* tried = sent_.find(id);
    const std::int64_t copies = tried == nullptr ? 0 : tried->possible;
    in_.counter("acknowledged") += message.acks.empty() ? 0 : 1;
    if (static_cast<std::int64_t>(message.deliveries.size()) > attempts_ * copies) {
      std::vector<EventIndex> events;
      for (const OperationEvents op : message.deliveries) events.push_back(op.invocation);
      in_.tell("endless-delivery", std::move(events),
               name + " was delivered " + std::to_string(message.deliveries.size()) + " times; after " +
                   std::to_string(attempts_) + " attempts it must go to the dead-letter queue");
    }
    dead(id, message, copies);
    if (copies > 1 || in_.flag("dead-letter.redelivery")) return;
    for (const OperationEvents ack : message.acks) {
      for (const OperationEvents op : message.deliveries) {
        if (!in_.before(ack, op)) continue;
        return in_.tell(
            "delivered-after-ack", {ack.invocation, op.invocation},
            in_.named(op) + " returned " + name + ", which had been acknowledged (" + in_.event(ack.completion) + ")");
      }
    }
  }

  void dead(ValueId id, const Message& message, std::int64_t copies) {
    if (message.dead_in.empty()) return;
    const std::string name = "message " + in_.shown(id);
    const OperationEvents drain = message.dead_in.front();
    if (static_cast<std::int64_t>(message.dead_in.size()) > copies) {
      std::vector<EventIndex> events;
      for (const OperationEvents op : message.dead_in) events.push_back(op.invocation);
      in_.tell("duplicate-element", std::move(events),
               name + " was " + std::to_string(message.dead_in.size()) + " times in the dead-letter queue");
    }
    if (copies > 1) return;
    if (!message.acks.empty()) {
      in_.tell("in-both", {message.acks.front().invocation, drain.invocation},
               name + " was acknowledged by a consumer (" + in_.event(message.acks.front().completion) +
                   ") and is in the dead-letter queue");
    }
    for (const OperationEvents op : message.deliveries) {
      if (!in_.before(drain, op)) continue;
      in_.tell("in-both", {drain.invocation, op.invocation},
               in_.named(op) + " returned " + name + ", which had been taken out of the dead-letter queue before");
      break;
    }
    const std::int64_t crashed = std::count_if(crashed_.begin(), crashed_.end(),
                                               [&](OperationEvents op) { return op.invocation < drain.completion; });
    const std::int64_t missing = missing_attempts(message);
    if (!message.acks.empty() || crashed >= missing) return;
    const std::int64_t may_have_ended = attempts_ - missing + crashed;
    wrong_.insert(id);
    std::vector<EventIndex> events = {drain.invocation};
    for (const OperationEvents op : message.deliveries) events.push_back(op.invocation);
    in_.tell("wrong-dead-letter", std::move(events),
             name + " is in the dead-letter queue, although nobody had rejected it and it had been delivered at most " +
                 std::to_string(may_have_ended) + " times; " + std::to_string(attempts_) + " attempts are due");
  }

  // How many attempts are missing of a message that is dead, unless it was rejected: crashed receives must have been
  // they.
  [[nodiscard]] std::int64_t missing_attempts(const Message& message) const {
    if (message.dead_in.empty() || message.rejected < message.dead_in.front().completion) return 0;
    const auto begun = [&](OperationEvents op) { return op.invocation < message.dead_in.front().completion; };
    return attempts_ - std::count_if(message.deliveries.begin(), message.deliveries.end(), begun);
  }

  // Whether a receive that crashed can have had the message: it had not settled yet when that was put in.
  [[nodiscard]] bool may_have_had(OperationEvents receive, ValueId id) const {
    return !settled(over(receive), {sent_.find(id)->invoked, kNoEvent});
  }

  // Whether `op` began so long after `last` that what was under way then has settled.
  [[nodiscard]] bool settled(EventIndex last, OperationEvents op) const {
    const History& h = in_.history();
    if (op.invocation < last) return false;
    return settle_ == 0 || (h.time(last) >= 0 && h.time(op.invocation) >= h.time(last) + settle_);
  }

  void lost() {
    for (const auto& [id, message] : messages_) {
      const Attempts* tried = sent_.find(id);
      if (tried == nullptr || tried->possible > 1) continue;
      if (tried->certain == 0 && message.deliveries.empty()) continue;  // it may never have been put in
      if (!message.acks.empty() || message.may_ack != kNoEvent || !message.dead_in.empty()) continue;
      if (std::any_of(message.held_by.begin(), message.held_by.end(),
                      [&](ProcessId p) { return !gone_.contains(p); })) {
        in_.inconclusive("message " + in_.shown(id) + " is still with a client that said neither ack nor reject");
        continue;
      }
      EventIndex last = message.last;
      for (const OperationEvents op : crashed_) {
        if (static_cast<std::int64_t>(message.deliveries.size()) < attempts_ && may_have_had(op, id))
          last = std::max(last, over(op));
      }
      for (const ProcessId process : message.held_by) last = std::max(last, gone_.at(process));
      const auto after = [&](OperationEvents op) { return settled(last, op); };
      const auto empty = std::find_if(empty_.begin(), empty_.end(), after);
      const auto drain = std::find_if(drains_.begin(), drains_.end(), after);
      if (drain_crashed_ || empty == empty_.end() || drain == drains_.end()) {
        in_.inconclusive("message " + in_.shown(id) + " was neither acknowledged nor dead, but " +
                         (drain_crashed_ ? "a crashed drain may have had it"
                                         : "the two queues were not found empty late enough to say that it is lost"));
        continue;
      }
      std::vector<EventIndex> events = {tried->invoked, empty->invocation, drain->invocation};
      for (const OperationEvents op : message.deliveries) events.push_back(op.invocation);
      in_.tell("lost-element", std::move(events),
               "message " + in_.shown(id) + " was put in (" + in_.event(tried->invoked) + "), delivered " +
                   std::to_string(message.deliveries.size()) + " times and never acknowledged, and is in neither " +
                   "queue: " + in_.named(*empty) + " found nothing, nor is it in what " + in_.named(*drain) +
                   " took out");
    }
  }

  // A message that waits for somebody to receive it first: from the answer to its enqueue until anything began that
  // shows that it had been received, or may have kept it from being.
  struct Waiting {
    EventIndex from = 0, until = kNoEvent;
    EventIndex enqueue = kNoEvent;
    ValueId id = kAbsent;
  };
  std::vector<Waiting> never_received() const {
    std::vector<Waiting> out;
    for (const auto& [id, message] : messages_) {
      const Attempts* tried = sent_.find(id);
      if (tried == nullptr || tried->certain == 0 || wrong_.contains(id)) continue;
      Waiting one{tried->acknowledged, message.rejected, tried->acknowledged_by, id};
      for (const auto* all : {&message.deliveries, &message.acks}) {
        for (const OperationEvents op : *all) one.until = std::min(one.until, op.invocation);
      }
      // What makes a message dead comes before.
      for (const OperationEvents op : message.dead_in) one.until = std::min(one.until, op.completion);
      // An ack of unknown outcome was none when the message was seen later.
      const bool seen = !message.dead_in.empty() || !message.deliveries.empty();
      if (!seen || in_.flag("dead-letter.redelivery")) one.until = std::min(one.until, message.may_ack);
      if (one.from < one.until) out.push_back(one);
    }
    return out;
  }

  // The instants of a receive that found nothing, as choices: which messages were there, and nobody had received them,
  // so that crashed receives must have had them before. Of those between two changes the last, for more receives may
  // have begun by then. Empty: at some instant there was none.
  std::vector<CrashedReceives::Choice> instants(OperationEvents op, const std::vector<Waiting>& all) const {
    std::vector<Waiting> meanwhile;
    std::vector<EventIndex> ends = {op.completion};  // a message is there from its event on
    in_.work(all.size());
    for (const Waiting& one : all) {
      if (one.from >= op.completion || one.until < op.invocation) continue;
      meanwhile.push_back(one);
      if (one.from > op.invocation) ends.push_back(one.from);
    }
    std::sort(ends.begin(), ends.end());
    std::vector<CrashedReceives::Choice> out;
    for (const EventIndex end : ends) {
      in_.work(meanwhile.size());
      CrashedReceives::Choice choice{end, {}, 1};
      for (const Waiting& one : meanwhile) {
        if (one.from < end && one.until >= end) choice.messages.push_back(one.id);
      }
      if (choice.messages.empty()) return {};
      out.push_back(std::move(choice));
    }
    return out;
  }

  // Receives that found nothing although at every instant more messages were there than receives had crashed.
  void blocked() {
    const std::vector<Waiting> all = never_received();
    for (const OperationEvents op : empty_) {
      auto choices = instants(op, all);
      if (choices.empty()) continue;
      std::int64_t more = std::numeric_limits<std::int64_t>::max();
      std::set<EventIndex> named;
      for (const CrashedReceives::Choice& one : choices) {
        const auto begun = std::count_if(crashed_.begin(), crashed_.end(),
                                         [&](OperationEvents other) { return other.invocation < one.before; });
        more = std::min(more, static_cast<std::int64_t>(one.messages.size()) - begun);
        for (const ValueId id : one.messages) named.insert(sent_.find(id)->acknowledged_by);
      }
      if (more <= 0) {
        found_nothing_.emplace(op.completion, std::move(choices));
        continue;
      }
      named.insert(op.invocation);
      in_.tell("blocked-message", {named.begin(), named.end()},
               in_.named(op) + " found nothing, although at least " + std::to_string(more) +
                   " messages were there that nobody had received yet");
    }
  }

  // Whether some choice of what crashed receives had explains all receives that found nothing and all dead messages.
  void together() {
    if (in_.accused()) return;  // each by itself has the better name
    std::vector<EventIndex> invoked;
    for (const OperationEvents op : crashed_) invoked.push_back(op.invocation);
    CrashedReceives had(in_, std::move(invoked));
    std::set<ValueId> messages;
    for (const auto& [id, message] : messages_) {
      const Attempts* tried = sent_.find(id);
      const std::int64_t missing = tried == nullptr || tried->possible > 1 ? 0 : missing_attempts(message);
      if (missing <= 0) continue;
      const OperationEvents drain = message.dead_in.front();
      had.want(drain.completion, {{drain.completion, {id}, missing}});
      messages.insert(id);
    }
    for (const auto& [event, choices] : found_nothing_) {
      for (const auto& one : choices) messages.insert(one.messages.begin(), one.messages.end());
    }
    for (const ValueId id : messages) {
      const auto deliveries = static_cast<std::int64_t>(messages_.at(id).deliveries.size());
      std::vector<bool> by;
      for (const OperationEvents op : crashed_) by.push_back(may_have_had(op, id));
      had.allow(id, attempts_ * sent_.find(id)->possible - deliveries, std::move(by));
    }
    for (const auto& [event, choices] : found_nothing_) had.want(event, choices);
    const CrashedReceives::Answer answer = had.decide();
    if (answer == CrashedReceives::Answer::undecided)
      in_.inconclusive("which messages the receives had that crashed was not found within the limit of steps");
    if (answer == CrashedReceives::Answer::impossible) tell_together(had.proof());
  }

  // `seen`: when receives that found nothing, and drains, were over.
  void tell_together(const std::vector<EventIndex>& seen) {
    std::set<ValueId> messages;
    std::set<EventIndex> events;
    std::string which;
    bool blocked = false;
    for (const EventIndex event : seen) {
      const EventIndex invocation = in_.history().partner(event);
      events.insert(invocation);
      which += (which.empty() ? "" : ", ") + in_.event(invocation);
      if (const auto found = found_nothing_.find(event); found != found_nothing_.end()) {
        blocked = true;
        for (const auto& choice : found->second) messages.insert(choice.messages.begin(), choice.messages.end());
        continue;
      }
      for (const auto& [id, message] : messages_) {
        if (!message.dead_in.empty() && message.dead_in.front().invocation == invocation) messages.insert(id);
      }
    }
    for (const ValueId id : messages) {
      if (const EventIndex put = sent_.find(id)->acknowledged_by; put != kNoEvent) events.insert(put);
      for (const OperationEvents op : messages_.at(id).deliveries) events.insert(op.invocation);
    }
    for (const OperationEvents op : crashed_) {
      if (op.invocation < seen.back()) events.insert(op.invocation);
    }
    in_.tell(blocked ? "blocked-message" : "wrong-dead-letter", {events.begin(), events.end()},
             "what receives that found nothing and drains showed (" + which +
                 ") cannot be explained together by what crashed receives had: each may have had one message, at most, "
                 "and no message has more than " +
                 std::to_string(attempts_) + " attempts");
  }

  void vacuous() {
    if (in_.counter("acknowledged") == 0)
      in_.inconclusive("no message was acknowledged by a consumer, so nothing was put to the test");
    else if (in_.counter("dead") == 0)
      in_.inconclusive("no message was seen in the dead-letter queue, so nothing was put to the test");
    else if (empty_.empty())
      in_.inconclusive("nobody found the queue empty, so it is not known whether messages are lost");
  }

  Judgement& in_;
  const std::int64_t attempts_, settle_;
  AttemptTable sent_;
  std::map<ValueId, Message> messages_;
  std::vector<OperationEvents> empty_, drains_;  // successful ones
  std::vector<OperationEvents> crashed_;         // receives
  std::set<ValueId> wrong_;                      // dead, and that was told
  // Receives that found nothing, by their ends: what crashed ones had, unless more was there.
  std::map<EventIndex, std::vector<CrashedReceives::Choice>> found_nothing_;
  std::map<ProcessId, EventIndex> gone_;  // an operation of theirs crashed, and was over
  bool drain_crashed_ = false;
};

}  // namespace

WorkloadChecker dead_letter() {
  return {"dead-letter",
          "a queue with poison messages, which end in the dead-letter queue: nothing lost, nothing blocked",
          {"at-least-once"},
          [](Judgement& in) { DeadLetters(in).run(); },
          {{"endless-delivery", "a message was delivered more often than it may be attempted"},
           {"wrong-dead-letter", "a message that nobody rejected is in the dead-letter queue"},
           {"in-both", "a message was acknowledged, or delivered again, and dead, too"},
           {"duplicate-element", "an element appears more often than it was put in"},
           {"delivered-after-ack", "a message was delivered after a consumer had acknowledged it"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"blocked-message", "a receive found nothing although a message was there that nobody had received"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
          {{"dead-letter.max-attempts", OptionSpec::Type::integer, 3,
            "after so many deliveries a message goes to the dead-letter queue", 1, 1e6},
           {"dead-letter.redelivery", OptionSpec::Type::boolean, false,
            "whether a message may be delivered again after it was acknowledged"},
           {"dead-letter.empty-receives", OptionSpec::Type::boolean, false,
            "whether a receive may find nothing although there are messages"},
           {"dead-letter.settle", OptionSpec::Type::duration, 2.0,
            "how long until a message is back that was rejected or whose client is gone", 0, 3600}}};
}

}  // namespace ordeal::work
