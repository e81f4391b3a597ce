// Promises of messages: one for every change of a state; and that each is acknowledged or dead in the end.

#include <algorithm>
#include <set>

#include "support/promise_oracle.h"
#include "support/some_order.h"

namespace ordeal::testing_support {
namespace {

// ---- outbox

// The ids of that key in a list of [key id].
std::vector<Value> of_key(const Value& list, const Value& key) {
  std::vector<Value> out;
  for (const Value& entry : list.items()) {
    if (entry.items()[0] == key) out.push_back(entry.items()[1]);
  }
  return out;
}
std::vector<Value> each_once(const std::vector<Value>& ids) {
  std::vector<Value> out;
  for (const Value& id : ids) {
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  }
  return out;
}

// The last event before that time; kForever: all are.
std::int64_t last_before(const std::map<std::int64_t, std::int64_t>& times_ns, std::int64_t at_ns) {
  std::int64_t out = -1;
  for (const auto& [place, time] : times_ns) {
    if (time >= at_ns) return out;
    out = place;
  }
  return Call::kForever;
}

// Commits and publications of one key, each an instant, the second after the first; and what views show of them.
class OutboxKey {
 public:
  OutboxKey(const std::vector<Call>& calls, const Value& key, std::int64_t settle_ns) : key_(key) {
    for (const Call& call : calls) {
      times_ns_[call.from] = call.from_ns;
      if (call.told != Call::kForever) times_ns_[call.told] = call.told_ns;
    }
    for (const Call& call : calls) {
      if (call.f != "change" && call.ok()) steps_.push_back(call);
    }
    for (const Call& call : calls) {
      if (call.f != "change" || call.outcome == EventType::fail || *call.asked.find("key") != key) continue;
      Call commit = call, publish = call;
      commit.f = "commit";
      publish.f = "publish";
      publish.outcome = EventType::info;
      publish.until = Call::kForever;
      publish.after = steps_.size();
      // In the state for certain when it was acknowledged, or shown; its message is due a while later.
      const std::int64_t known = in_state(call);
      if (known != Call::kForever) {
        publish.until =
            settle_ns == 0 ? known : std::max(known, last_before(times_ns_, times_ns_.at(known) + settle_ns));
        if (publish.until != Call::kForever) publish.outcome = EventType::ok;
      }
      steps_.push_back(commit);
      steps_.push_back(publish);
    }
  }
  [[nodiscard]] bool explained() const {
    using Lists = std::pair<std::vector<Value>, std::vector<Value>>;  // of the changes, of the messages
    const auto step = [&](const Lists& now, const Call& call, const auto& next) {
      const auto& [committed, published] = now;
      Lists after = now;
      if (call.f == "read") {
        if (of_key(call.seen, key_) == committed) next(now);
      } else if (call.f == "messages") {
        if (each_once(of_key(call.seen, key_)) == published) next(now);
      } else if (call.f == "commit") {
        after.first.push_back(*call.asked.find("id"));
        next(after);
      } else if (committed[published.size()] == *call.asked.find("id")) {  // in the order of the commits
        after.second.push_back(*call.asked.find("id"));
        next(after);
      }
    };
    return some_order(steps_, Lists(), step);
  }

 private:
  // The place from which on the change was in the state for certain.
  [[nodiscard]] std::int64_t in_state(const Call& change) const {
    std::int64_t out = change.ok() ? change.until : Call::kForever;
    for (const Call& view : steps_) {
      if (view.f != "read") continue;
      const auto ids = of_key(view.seen, key_);
      if (std::find(ids.begin(), ids.end(), *change.asked.find("id")) != ids.end()) out = std::min(out, view.until);
    }
    return out;
  }

  const Value key_;
  std::map<std::int64_t, std::int64_t> times_ns_;  // by place
  std::vector<Call> steps_;
};

// ---- dead-letter

constexpr std::int64_t kLast = Call::kForever - 1;  // the place of the end

// A message that is neither acknowledged nor taken out of the dead-letter queue. Where it is nobody is told: with
// clients, in the queue, dead, or between them.
struct Message {
  std::int64_t attempts = 0;
  bool rejected = false;
  std::set<std::int64_t> with;                 // clients that have it
  std::int64_t since = 0;                      // when that was so, at the latest
  bool not_waiting = false, not_dead = false;  // shown since, at a time when it had to be in one of the two queues
  friend auto operator<=>(const Message&, const Message&) = default;
};
struct Queue {
  std::map<std::int64_t, Message> live;  // by id
  std::set<std::int64_t> acknowledged, taken_out;
  std::int64_t latest = -1;  // when the latest of the calls so far began
  friend auto operator<=>(const Queue&, const Queue&) = default;
};

class DeadLetters {
 public:
  DeadLetters(const std::vector<Call>& calls, const DeadLetterRules& rules) : rules_(rules) {
    for (const Call& call : calls) {
      if (call.outcome == EventType::info) gone_.emplace(call.process, over(call));
    }
  }

  template <class Next>
  void operator()(const Queue& now, const Call& call, const Next& then) const {
    const bool settled = now.latest >= 0 && over(call) != Call::kForever && now.latest >= over(call) + rules_.settle_ns;
    if (!call.ok() && settled && (call.f == "receive" || call.f == "reject")) return;  // not any more
    const auto next = [&](Queue after) {
      after.latest = std::max(after.latest, begin(call));
      then(after);
    };
    Queue after = now;
    if (call.f == "enqueue") {
      if (!now.acknowledged.contains(id_of(call.asked))) after.live[id_of(call.asked)].since = over(call);
      next(after);
    } else if (call.f == "receive") {
      receive(now, call, next);
    } else if (call.f == "drain-dead") {
      drain(now, call, next);
    } else if (call.f == "end") {
      if (std::none_of(now.live.begin(), now.live.end(), [&](const auto& one) { return lost(one.second); })) next(now);
    } else if (call.f == "ack") {
      // Whoever had it: what was said to be acknowledged is.
      const std::int64_t id = call.asked.integer();
      if (after.taken_out.contains(id)) return;
      after.live.erase(id);
      after.acknowledged.insert(id);
      next(after);
    } else {
      if (const auto found = after.live.find(call.asked.integer()); found != after.live.end()) {
        found->second.rejected = true;
        found->second.with.erase(call.process);
        changed(found->second, call);
      }
      next(after);
    }
  }

 private:
  static std::int64_t id_of(const Value& message) { return message.find("id")->integer(); }
  // By the clock, or, where things settle at once, by places in the history.
  [[nodiscard]] std::int64_t over(const Call& call) const { return rules_.settle_ns == 0 ? call.told : call.told_ns; }
  [[nodiscard]] std::int64_t begin(const Call& call) const { return rules_.settle_ns == 0 ? call.from : call.from_ns; }
  void changed(Message& message, const Call& call) const {
    message.since = std::max(message.since, over(call));
    message.not_waiting = message.not_dead = false;
  }

  // Whether it was in one of the two queues for certain, its clients being gone, when the call began.
  [[nodiscard]] bool is_back(const Message& message, const Call& call) const {
    std::int64_t since = message.since;
    for (const std::int64_t process : message.with) {
      const auto gone = gone_.find(process);
      since = std::max(since, gone == gone_.end() ? Call::kForever : gone->second);
    }
    return since != Call::kForever && begin(call) >= since + rules_.settle_ns;
  }
  static bool lost(const Message& message) { return message.not_waiting && message.not_dead; }

  // Nothing is found when nothing is there but what somebody had before: that may be away.
  template <class Next>
  void receive(const Queue& now, const Call& call, const Next& next) const {
    Queue after = now;
    if (call.ok() && call.seen.is_nil()) {
      for (auto& [id, message] : after.live) {
        if (message.attempts == 0 && !message.rejected && !rules_.empty_receives) return;
        if (is_back(message, call)) message.not_waiting = true;
      }
      return next(after);
    }
    if (rules_.redelivery) {
      if (call.ok() && now.acknowledged.contains(id_of(call.seen))) next(now);
    }
    // No promise says how long a client has for its answer: what one has another may get.
    for (const auto& [id, message] : now.live) {
      if ((call.ok() && id != id_of(call.seen)) || message.attempts >= rules_.max_attempts) continue;
      after = now;
      Message& received = after.live[id];
      ++received.attempts;
      received.with.insert(call.process);
      changed(received, call);
      next(after);
    }
  }

  // One that was rejected may be dead before all its attempts, and one that had all of them while somebody has it; a
  // dead one may not be there for a while.
  template <class Next>
  void drain(const Queue& now, const Call& call, const Next& next) const {
    const auto may_be_dead = [&](const Message& one) { return one.rejected || one.attempts >= rules_.max_attempts; };
    Queue after = now;
    if (!call.ok()) {  // any of them, and what is not taken is there still
      std::vector<std::int64_t> some;
      for (const auto& [id, message] : now.live) {
        if (may_be_dead(message)) some.push_back(id);
      }
      for (std::uint64_t chosen = 0; chosen < (std::uint64_t{1} << some.size()); ++chosen) {
        after = now;
        for (std::size_t i = 0; i < some.size(); ++i) {
          if ((chosen >> i & 1) == 0) continue;
          after.live.erase(some[i]);
          after.taken_out.insert(some[i]);
        }
        next(after);
      }
      return;
    }
    for (const Value& dead : call.seen.items()) {
      const auto found = after.live.find(id_of(dead));
      if (found == after.live.end() || !may_be_dead(found->second)) return;
      after.taken_out.insert(found->first);
      after.live.erase(found);
    }
    for (auto& [id, message] : after.live) {
      if (is_back(message, call)) message.not_dead = true;
    }
    next(after);
  }

  const DeadLetterRules rules_;
  std::map<std::int64_t, std::int64_t> gone_;  // when clients were known to be gone
};

}  // namespace

bool keeps_outbox(const std::vector<Call>& calls, std::int64_t settle_ns) {
  std::map<Value, Value> keys;  // by id: what was changed, whatever came of it
  std::set<Value> all;
  for (const Call& call : calls) {
    if (call.f != "change") continue;
    keys.emplace(*call.asked.find("id"), *call.asked.find("key"));
    all.insert(*call.asked.find("key"));
  }
  for (const Call& view : calls) {
    if (view.f == "change" || !view.ok()) continue;
    for (const Value& entry : view.seen.items()) {
      const auto found = keys.find(entry.items()[1]);
      if (found == keys.end() || found->second != entry.items()[0]) return false;
    }
  }
  return std::all_of(all.begin(), all.end(),
                     [&](const Value& key) { return OutboxKey(calls, key, settle_ns).explained(); });
}

bool keeps_dead_letter(const std::vector<Call>& calls, const DeadLetterRules& rules) {
  std::vector<Call> all = calls;
  Call end;
  end.f = "end";
  end.outcome = EventType::ok;
  end.from = kLast;
  all.push_back(end);
  return some_order(all, Queue(), DeadLetters(calls, rules));
}

}  // namespace ordeal::testing_support
