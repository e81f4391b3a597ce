// Promises of logs: events with positions and the states that are built from them; messages with offsets and those
// who poll them.

#include <algorithm>
#include <set>

#include "support/promise_oracle.h"

namespace ordeal::testing_support {
namespace {

// ---- read-model

struct State {
  const Call* call = nullptr;
  std::int64_t position = 0;
  Value events;
};

// The events and states of one log.
class EventLog {
 public:
  EventLog(const std::vector<Call>& calls, std::int64_t lag_ns) : lag_ns_(lag_ns) {
    for (const Call& call : calls) {
      if (call.f == "append" && call.outcome != EventType::fail) appends_.push_back(&call);
      if (call.f == "append" || !call.ok()) continue;
      states_.push_back({&call, call.seen.items()[0].integer(), call.seen.items()[1]});
      furthest_ = std::max(furthest_, states_.back().position);
    }
  }
  // Whether positions of the appends of unknown outcome, or none, make every state right. Positions that no state
  // reaches are as good as none.
  [[nodiscard]] bool explained() { return states_as_asked() && place(0); }

 private:
  struct Placed {
    const Call* call;
    std::int64_t position;
  };

  [[nodiscard]] bool states_as_asked() const {
    return std::all_of(states_.begin(), states_.end(), [](const State& state) {
      const Value& asked = state.call->asked;
      if (state.call->f == "read-at") return Value(state.position) == asked;
      return state.call->f != "read" || !asked.is_integer() || asked.integer() <= state.position;
    });
  }
  bool place(std::size_t next) {
    if (next == appends_.size()) return right();
    const Call& one = *appends_[next];
    if (!one.ok() && place(next + 1)) return true;
    const std::int64_t told = one.ok() ? one.seen.items()[0].integer() : 0;
    for (std::int64_t position = one.ok() ? told : 1; position <= (one.ok() ? told : furthest_); ++position) {
      placed_.push_back({&one, position});
      const bool found = place(next + 1);
      placed_.pop_back();
      if (found) return true;
    }
    return false;
  }
  [[nodiscard]] bool right() const {
    std::map<std::int64_t, Value> events;
    for (const Placed& one : placed_) {
      if (!events.emplace(one.position, one.call->asked).second) return false;
      for (const Placed& other : placed_) {
        if (other.call->until < one.call->from && other.position > one.position) return false;
      }
    }
    return std::all_of(states_.begin(), states_.end(), [&](const State& state) {
      Value::List until;
      for (const auto& [position, event] : events) {
        if (position <= state.position) until.push_back(event);
      }
      if (Value(std::move(until)) != state.events) return false;
      return std::all_of(placed_.begin(), placed_.end(), [&](const Placed& one) {
        if (one.position <= state.position) return one.call->from < state.call->until;
        return lag_ns_ == 0 || state.call->f == "read-at" || !one.call->ok() ||
               one.call->until_ns + lag_ns_ >= state.call->from_ns;
      });
    });
  }

  const std::int64_t lag_ns_;
  std::vector<const Call*> appends_;
  std::vector<State> states_;
  std::int64_t furthest_ = 0;
  std::vector<Placed> placed_;
};

// ---- kafka

struct Message {
  std::int64_t offset = 0;
  Value value;
};

// What is known of one log.
struct MessageLog {
  std::map<Value, std::vector<const Call*>> sent;           // by value: those that may have happened
  std::map<Value, const Call*> acknowledged;                // by value
  std::map<Value, std::set<std::int64_t>> offsets;          // by value: where it was said to be
  std::map<std::int64_t, std::set<Value>> at;               // by offset
  std::map<Value, std::vector<const Call*>> polled;         // by value
  std::optional<std::int64_t> highest;                      // that was polled
  std::vector<std::pair<std::int64_t, std::int64_t>> gone;  // from an offset to a later one, by one who kept the log
};

class Logs {
 public:
  Logs(const std::vector<Call>& calls, int end_polls) : calls_(calls), end_polls_(end_polls) {
    for (const Call& call : calls_) gather(call);
  }
  [[nodiscard]] bool kept() {
    for (const Call& call : calls_) processes_[call.process].push_back(&call);
    for (const auto& [process, own] : processes_) {
      if (!sends_in_order(own) || !polls_in_order(own)) return false;
      for (const auto& [key, log] : logs_) went(own, key);
    }
    return std::all_of(logs_.begin(), logs_.end(), [&](const auto& one) { return sound(one.first, one.second); });
  }

 private:
  static constexpr std::int64_t kNowhere = INT64_MIN;

  static bool moves(const Call& call) { return call.f == "assign" || call.f == "subscribe"; }
  static bool polls(const Call& call) {
    if (moves(call)) return false;
    return std::any_of(call.asked.items().begin(), call.asked.items().end(),
                       [](const Value& micro) { return micro.items()[0] == Value("poll"); });
  }
  // What an ok operation says of a log, sent or polled, in its order.
  static std::vector<Message> said(const Call& call, const char* f, const Value& key) {
    std::vector<Message> out;
    if (!call.ok() || moves(call)) return out;
    for (const Value& micro : call.seen.items()) {
      const auto& parts = micro.items();
      if (parts[0] != Value(f)) continue;
      if (parts[0] == Value("send") && parts[1] == key && parts[2].is_list() && parts[2].items()[0].is_integer())
        out.push_back({parts[2].items()[0].integer(), parts[2].items()[1]});
      const Value* of_key = parts[0] == Value("poll") && parts.size() > 1 ? parts[1].find(key) : nullptr;
      if (of_key == nullptr) continue;
      for (const Value& one : of_key->items()) out.push_back({one.items()[0].integer(), one.items()[1]});
    }
    return out;
  }

  void gather(const Call& call) {
    if (moves(call)) return;
    polls_of_unknown_outcome_ = polls_of_unknown_outcome_ || (polls(call) && call.outcome == EventType::info);
    std::set<Value> keys;
    for (const Value& micro : call.asked.items()) {
      if (micro.items()[0] != Value("send")) continue;
      const Value &key = micro.items()[1], &value = micro.items()[2];
      keys.insert(key);
      MessageLog& log = logs_[key];
      if (call.outcome != EventType::fail) log.sent[value].push_back(&call);
      if (call.ok()) log.acknowledged.emplace(value, &call);
    }
    if (!call.ok()) return;
    for (const Value& micro : call.seen.items()) {
      if (micro.items()[0] != Value("poll") || micro.items().size() < 2) continue;
      for (const auto& [key, messages] : micro.items()[1].entries()) keys.insert(key);
    }
    for (const Value& key : keys) {
      MessageLog& log = logs_[key];
      for (const char* f : {"send", "poll"}) {
        for (const Message& one : said(call, f, key)) {
          log.offsets[one.value].insert(one.offset);
          log.at[one.offset].insert(one.value);
          if (f == std::string("send")) continue;
          log.polled[one.value].push_back(&call);
          log.highest = std::max(log.highest.value_or(one.offset), one.offset);
        }
      }
    }
  }

  [[nodiscard]] bool sends_in_order(const std::vector<const Call*>& own) const {
    for (const auto& [key, log] : logs_) {
      std::optional<std::int64_t> last;
      for (const Call* call : own) {
        for (const Message& one : said(*call, "send", key)) {
          if (last && one.offset <= *last) return false;
          last = one.offset;
        }
      }
    }
    return true;
  }
  // From one assign to the next a consumer gets message by message; the group may move a subscriber at any time.
  [[nodiscard]] bool polls_in_order(const std::vector<const Call*>& own) const {
    for (const auto& [key, log] : logs_) {
      std::int64_t last = kNowhere;
      bool subscribed = false;
      for (const Call* call : own) {
        if (moves(*call) && call->outcome != EventType::fail) {
          last = kNowhere;
          subscribed = call->f == "subscribe";
        }
        if (subscribed) continue;
        for (const Message& one : said(*call, "poll", key)) {
          if (one.offset <= last) return false;
          const auto between = log.at.upper_bound(last);
          if (last != kNowhere && between != log.at.end() && between->first < one.offset) return false;
          last = one.offset;
        }
      }
    }
    return true;
  }

  // Where a consumer that was assigned the log went in it, and whether it found its end.
  void went(const std::vector<const Call*>& own, const Value& key) {
    std::optional<std::int64_t> position;
    bool assigned = false;
    std::vector<const Call*> empty;  // polls in a row
    for (const Call* call : own) {
      if (moves(*call) && call->outcome != EventType::fail) {
        const auto& keys = call->asked.items();
        const bool now = call->f == "assign" && call->ok() && std::find(keys.begin(), keys.end(), key) != keys.end();
        if (!assigned || !now) position.reset();
        assigned = now;
        empty.clear();
      }
      if (!assigned || !call->ok() || !polls(*call)) continue;
      const auto messages = said(*call, "poll", key);
      if (messages.empty()) empty.push_back(call);
      for (const Message& one : messages) {
        if (position && one.offset > *position) logs_.at(key).gone.emplace_back(*position, one.offset);
        position = one.offset;
        empty.clear();
      }
      if (empty.size() >= static_cast<std::size_t>(end_polls_)) ends_[key].push_back({empty[0]->from, position});
    }
  }

  [[nodiscard]] bool sound(const Value& key, const MessageLog& log) const {
    for (const auto& [offset, values] : log.at) {
      if (values.size() > 1) return false;
    }
    for (const auto& [value, offsets] : log.offsets) {
      const auto sent = log.sent.find(value);
      if (offsets.size() > 1 && (sent == log.sent.end() || sent->second.size() < 2)) return false;
    }
    for (const auto& [value, polls] : log.polled) {
      const auto sent = log.sent.find(value);
      if (sent == log.sent.end()) return false;
      for (const Call* poll : polls) {
        const bool begun = std::any_of(sent->second.begin(), sent->second.end(),
                                       [&](const Call* send) { return send != poll && send->from < poll->until; });
        if (!begun) return false;
      }
    }
    return std::all_of(log.acknowledged.begin(), log.acknowledged.end(), [&](const auto& one) {
      return log.polled.contains(one.first) || may_be_unseen(key, log, one.first, *one.second);
    });
  }
  // Whether that nobody polled it is no proof that it is lost: nobody got so far, or whoever did may have been given
  // it by a poll of unknown outcome, by which the group's position moved.
  [[nodiscard]] bool may_be_unseen(const Value& key, const MessageLog& log, const Value& value,
                                   const Call& send) const {
    const auto known = log.offsets.find(value);
    const std::int64_t offset = known == log.offsets.end() ? kNowhere : *known->second.begin();
    if (offset != kNowhere && log.highest && offset <= *log.highest) {
      if (!polls_of_unknown_outcome_) return false;
      return std::none_of(log.gone.begin(), log.gone.end(),
                          [&](const auto& way) { return way.first <= offset && offset < way.second; });
    }
    const auto ends = ends_.find(key);
    if (ends == ends_.end()) return true;
    return std::none_of(ends->second.begin(), ends->second.end(), [&](const End& end) {
      if (end.since < send.until) return false;
      return end.position ? offset == kNowhere || *end.position < offset : log.polled.empty();
    });
  }

  struct End {
    std::int64_t since = 0;  // when the first of the empty polls began
    std::optional<std::int64_t> position;
  };

  const std::vector<Call>& calls_;
  const int end_polls_;
  bool polls_of_unknown_outcome_ = false;
  std::map<Value, MessageLog> logs_;
  std::map<Value, std::vector<End>> ends_;
  std::map<std::int64_t, std::vector<const Call*>> processes_;
};

}  // namespace

bool keeps_read_model(const std::vector<Call>& calls, std::int64_t lag_ns) {
  const auto objects = by_key(calls);
  return std::all_of(objects.begin(), objects.end(),
                     [&](const auto& one) { return EventLog(one.second, lag_ns).explained(); });
}

bool keeps_kafka(const std::vector<Call>& calls, int end_polls) { return Logs(calls, end_polls).kept(); }

}  // namespace ordeal::testing_support
