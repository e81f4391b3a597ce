// The checker "kafka": totally ordered logs that producers append to and consumers poll. After Jepsen's kafka workload.
//
// Operations: `send`, `poll` and `txn` are lists of micro-operations ["send" key value], completed as ["send" key
// [offset value]] (or without offset), and ["poll"], completed as ["poll" {key [[offset value] …]}]; `assign` and
// `subscribe` take a list of keys. Values are unique per key. Only what ok operations returned is used.
//
//   inconsistent-offsets   two values at one offset of a key
//   duplicate-message      a value that was sent once, at two offsets
//   aborted-read           a polled value whose send certainly failed
//   unexpected-element     a polled value that nobody sent, or only later
//   precommitted-read      an operation polled what it sent itself
//   lost-write             acknowledged and never polled, although a consumer went past it, or reached the end of
//                          its log
//   int-nonmonotonic-poll  within one operation polls of a key go back
//   int-poll-skip          or leave out a message
//   nonmonotonic-poll, poll-skip              the same between consecutive polls of a process
//   int-nonmonotonic-send, nonmonotonic-send  the offsets of a process' sends to a key go back
//
// Offsets need not be contiguous (a transaction takes some for itself): a poll leaves out a message when one that is
// known to exist, acknowledged or polled by somebody, lies between two offsets that follow on each other. Positions are
// followed from one `assign` to the next only: after `subscribe` the group may move a key, and its position, at any
// time (Jepsen, too, allows these anomalies then).
//
// A message is lost when nobody polled it and
//   - a higher offset was polled, by anybody if no poll crashed: a consumer that did may have been given the message,
//     and the group's position moved. Otherwise by a consumer that polled a lower offset before, and kept the key
//     assigned meanwhile;
//   - or a consumer reached the end of the log: since an `assign` it got nothing of the key from kafka.end-polls polls
//     in a row, all invoked after the acknowledgement, and what it had last polled of the key has a lower offset (or
//     the message's is not known). A consumer that never got anything of the key counts when it is not known to have
//     been moved: nobody polled anything of that log.
// So a crashed poll excuses no message that others should have met.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

struct Message {
  std::int64_t offset = 0;
  ValueId value = kNil;
};

// Since which event, and from which offset on, a consumer found nothing more in a log.
struct End {
  EventIndex since = kNoEvent;  // the invocation of the first of the empty polls
  std::optional<std::int64_t> after;
  OperationEvents last;  // the last of them
};

// What is known of one key.
struct Log {
  AttemptTable sent;
  std::map<ValueId, OperationEvents> first_poll;                             // by value
  std::map<std::int64_t, std::pair<ValueId, OperationEvents>> at;            // by offset: a value, and who saw it there
  std::map<ValueId, std::map<std::int64_t, OperationEvents>> offsets;        // by value
  std::map<ValueId, std::pair<std::int64_t, OperationEvents>> acknowledged;  // values sent, with their offset
  std::map<ValueId, OperationEvents> acks;                                   // values sent, with or without offset
  std::map<std::int64_t, std::int64_t> passed;  // from an offset to a later one a consumer went, since one assign
  std::map<ProcessId, End> ends;
  std::optional<std::pair<std::int64_t, OperationEvents>> highest;  // the highest offset polled
};

using Polled = std::map<ValueId, std::vector<Message>>;  // by key

class Kafka {
 public:
  explicit Kafka(Judgement& in)
      : in_(in),
        end_polls_(in.option("kafka.end-polls")),
        send_(in.values().find(Value("send"))),
        poll_(in.values().find(Value("poll"))) {}

  void run() {
    if (!in_.understands({"send", "poll", "txn", "assign", "subscribe", "crash", "debug-topic-partitions"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (transacts(op) && !gather(op)) return;
    }
    find_ends();
    for (auto& [key, log] : logs_) judge(key, log);
    follow();
    std::size_t acknowledged = 0;
    for (const auto& [key, log] : logs_) acknowledged += log.acks.size();
    if (acknowledged == 0) in_.inconclusive("no send succeeded, so nothing was put to the test");
    in_.keys(logs_.size());
    if (in_.counter("polled") == 0) in_.inconclusive("no poll returned a message, so nothing is known about the logs");
  }

 private:
  // The process polls these keys, by `assign` or `subscribe`.
  struct Place {
    bool assigned = false;  // by assign: nobody else moves its position
    std::set<ValueId> keys;
  };

  bool transacts(OperationEvents op) const { return in_.f(op) == "send" || in_.f(op) == "poll" || in_.f(op) == "txn"; }
  bool refuse(OperationEvents op) {
    in_.refuse(op, R"(a list of ["send" key value] and ["poll"])");
    return false;
  }

  // Takes what was asked and what was seen into the logs.
  bool gather(OperationEvents op) {
    const auto asked = in_.items(in_.asked(op));
    const auto seen = in_.items(in_.seen(op));
    if (asked.empty() || (in_.ok(op) && seen.size() != asked.size())) return refuse(op);
    bool polls = false;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto parts = in_.items(asked[i]);
      if (parts.size() == 3 && parts[0] == send_) {
        logs_[in_.one_name(parts[1])].sent.add(in_, parts[2], op);
        if (in_.ok(op) && !sent(op, parts, seen[i])) return false;
      } else if (!parts.empty() && parts[0] == poll_) {
        polls = true;
        if (in_.ok(op) && !polled(op, seen[i])) return false;
      } else {
        return refuse(op);
      }
    }
    crashed_polls_ += polls && !in_.ok(op) && !in_.failed(op) ? 1 : 0;
    return true;
  }

  bool sent(OperationEvents op, std::span<const ValueId> asked, ValueId micro) {
    const auto parts = in_.items(micro);
    if (parts.size() != 3 || parts[0] != send_ || parts[1] != asked[1]) return refuse(op);
    logs_[in_.one_name(asked[1])].acks.try_emplace(asked[2], op);
    if (parts[2] == asked[2]) return true;  // no offset
    const auto pair = in_.items(parts[2]);
    if (pair.size() != 2 || pair[1] != asked[2]) return refuse(op);
    const auto offset = in_.integer(pair[0]);
    if (!offset) return pair[0] == kNil || refuse(op);
    const ValueId key = in_.one_name(asked[1]);
    logs_[key].acknowledged.try_emplace(asked[2], *offset, op);
    sends_[op.invocation][key].push_back({*offset, asked[2]});
    place(op, key, {*offset, asked[2]});
    return true;
  }

  bool polled(OperationEvents op, ValueId micro) {
    const auto parts = in_.items(micro);
    if (parts.size() == 1) return true;  // nothing came
    if (parts.size() != 2 || !in_.is_map(parts[1])) return refuse(op);
    const auto keys = in_.values().as_map(parts[1]);
    for (std::size_t i = 0; i < keys.size(); i += 2) {
      const ValueId key = in_.one_name(keys[i]);
      for (const ValueId one : in_.items(keys[i + 1])) {
        const auto pair = in_.items(one);
        const auto offset = pair.size() == 2 ? in_.integer(pair[0]) : std::nullopt;
        if (!offset) return refuse(op);
        Log& log = logs_[key];
        ++in_.counter("polled");
        log.first_poll.try_emplace(pair[1], op);
        if (!log.highest || *offset > log.highest->first) log.highest = {*offset, op};
        polls_[op.invocation][key].push_back({*offset, pair[1]});
        place(op, key, {*offset, pair[1]});
      }
    }
    return true;
  }

  void place(OperationEvents op, ValueId key, Message message) {
    Log& log = logs_[key];
    log.offsets[message.value].try_emplace(message.offset, op);
    const auto [known, fresh] = log.at.try_emplace(message.offset, message.value, op);
    if (fresh || known->second.first == message.value) return;
    in_.tell("inconsistent-offsets", {known->second.second.invocation, op.invocation},
             in_.named(op) + " has " + in_.shown(message.value) + " at offset " + std::to_string(message.offset) +
                 ", " + in_.named(known->second.second) + " has " + in_.shown(known->second.first) + " there",
             {}, key);
  }

  void judge(ValueId key, Log& log) {
    for (const auto& [value, op] : log.first_poll) {
      const Attempts* tries = log.sent.find(value);
      if (tries != nullptr && tries->possible == 0) {
        in_.tell("aborted-read", {tries->failed, op.invocation},
                 in_.named(op) + " returned " + in_.shown(value) + ", whose send certainly failed (" +
                     in_.event(tries->failed) + ")",
                 {}, key);
      } else if (log.sent.explained(in_, "unexpected-element", "message", value, op, key) && tries->possible == 1 &&
                 tries->invoked == op.invocation) {
        in_.tell("precommitted-read", {op.invocation},
                 in_.named(op) + " polled " + in_.shown(value) + ", which it sends itself and has not committed", {},
                 key);
      }
    }
    for (const auto& [value, places] : log.offsets) {
      const Attempts* tries = log.sent.find(value);
      if (places.size() < 2 || (tries != nullptr && tries->possible > 1)) continue;
      in_.tell("duplicate-message", {places.begin()->second.invocation, places.rbegin()->second.invocation},
               "message " + in_.shown(value) + " is at " + std::to_string(places.size()) + " offsets, " +
                   std::to_string(places.begin()->first) + " and " + std::to_string(places.rbegin()->first) +
                   " among them",
               {}, key);
    }
    lost(key, log);
  }

  // Walks the polls of each process to where it reached the end of a log.
  void find_ends() {
    struct Run {
      std::int64_t empty = 0;
      End end;
    };
    std::map<ProcessId, Place> places;
    std::map<std::pair<ProcessId, ValueId>, Run> runs;
    std::map<std::pair<ProcessId, ValueId>, std::int64_t> positions;
    for (const OperationEvents op : in_.operations()) {
      const ProcessId process = in_.history().process(op.invocation);
      Place& place = places[process];
      if (in_.f(op) == "assign" || in_.f(op) == "subscribe") {
        if (in_.failed(op)) continue;
        const Place before = std::exchange(place, {in_.f(op) == "assign" && in_.ok(op), {}});
        for (const ValueId key : in_.items(in_.asked(op))) place.keys.insert(in_.one_name(key));
        for (const ValueId key : place.keys) {
          runs[{process, key}] = {};
          if (!before.assigned || !before.keys.contains(key)) positions.erase({process, key});
        }
        continue;
      }
      if (!place.assigned || !in_.ok(op) || !has_poll(op)) continue;
      const auto polled = polls_.find(op.invocation);
      for (const ValueId key : place.keys) {
        Run& run = runs[{process, key}];
        const auto messages = polled == polls_.end() ? nullptr : find(polled->second, key);
        if (messages != nullptr) {
          passed(process, key, *messages, positions);
          run = {};
          continue;
        }
        if (run.empty++ == 0) run.end.since = op.invocation;
        run.end.last = op;
        if (const auto at = positions.find({process, key}); at != positions.end()) run.end.after = at->second;
        if (run.empty >= end_polls_) logs_[key].ends[process] = run.end;
      }
    }
  }

  static const std::vector<Message>* find(const Polled& polled, ValueId key) {
    const auto found = polled.find(key);
    return found == polled.end() || found->second.empty() ? nullptr : &found->second;
  }
  bool has_poll(OperationEvents op) const {
    for (const ValueId micro : in_.items(in_.asked(op))) {
      const auto parts = in_.items(micro);
      if (!parts.empty() && parts[0] == poll_) return true;
    }
    return false;
  }

  // A consumer went from one offset of a key to a later one.
  void passed(ProcessId process, ValueId key, const std::vector<Message>& messages,
              std::map<std::pair<ProcessId, ValueId>, std::int64_t>& positions) {
    const auto [place, fresh] = positions.try_emplace({process, key}, messages.front().offset);
    std::int64_t from = place->second;
    for (const Message& message : messages) {
      if (message.offset > from) logs_[key].passed[from] = std::max(logs_[key].passed[from], message.offset);
      from = message.offset;
    }
    place->second = from;
  }

  void lost(ValueId key, const Log& log) {
    for (const auto& [value, op] : log.acks) {
      in_.work();
      if (log.first_poll.contains(value)) continue;
      const auto acknowledged = log.acknowledged.find(value);
      std::optional<std::int64_t> offset;
      if (acknowledged != log.acknowledged.end()) offset = acknowledged->second.first;
      const std::string where = offset ? " at offset " + std::to_string(*offset) : "";
      const std::string begun = "message " + in_.shown(value) + " was acknowledged" + where + " (" +
                                in_.event(op.completion) + ") and never polled, although ";
      if (offset && log.highest && *offset <= log.highest->first) {
        ++in_.counter("unseen");
        if (crashed_polls_ > 0 && !was_passed(log, *offset)) continue;
        in_.tell("lost-write", {op.invocation, log.highest->second.invocation},
                 begun + "offset " + std::to_string(log.highest->first) + " was (" +
                     in_.event(log.highest->second.invocation) + ")",
                 {}, key);
      } else if (const End* end = end_after(log, op, offset)) {
        ++in_.counter("unseen");
        in_.tell("lost-write", {op.invocation, end->last.invocation},
                 begun + "a consumer reached the end of the log: it got nothing more from " +
                     std::to_string(end_polls_) + " polls in a row that began later, up to " +
                     in_.event(end->last.invocation),
                 {}, key);
      }
    }
  }

  static bool was_passed(const Log& log, std::int64_t offset) {
    const auto after = log.passed.lower_bound(offset);
    return after != log.passed.begin() && std::prev(after)->second > offset;
  }

  // A consumer that reached the end of the log without the message.
  const End* end_after(const Log& log, OperationEvents acknowledged, std::optional<std::int64_t> offset) const {
    for (const auto& [process, end] : log.ends) {
      if (end.since < acknowledged.completion) continue;
      if (end.after ? !offset || *end.after < *offset : log.first_poll.empty()) return &end;
    }
    return nullptr;
  }

  // Where a process stands in each key.
  struct Consumer {
    bool subscribed = false;
    std::map<ValueId, std::pair<Message, OperationEvents>> at;
    std::map<ValueId, std::pair<Message, OperationEvents>> last_send;
  };

  void follow() {
    std::map<ProcessId, Consumer> consumers;
    for (const OperationEvents op : in_.operations()) {
      Consumer& consumer = consumers[in_.history().process(op.invocation)];
      if (in_.f(op) == "assign" || in_.f(op) == "subscribe") {
        if (in_.failed(op)) continue;
        consumer.at.clear();
        consumer.subscribed = in_.f(op) == "subscribe";
      }
      if (const auto found = sends_.find(op.invocation); found != sends_.end()) {
        for (const auto& [key, messages] : found->second) follow_sends(op, key, messages, consumer);
      }
      const auto found = polls_.find(op.invocation);
      if (found == polls_.end() || consumer.subscribed) continue;
      for (const auto& [key, messages] : found->second) follow_polls(op, key, messages, consumer);
    }
  }

  void follow_sends(OperationEvents op, ValueId key, const std::vector<Message>& messages, Consumer& consumer) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const auto before = consumer.last_send.find(key);
      if (before != consumer.last_send.end() && messages[i].offset <= before->second.first.offset) {
        step(i == 0 ? "nonmonotonic-send" : "int-nonmonotonic-send", before->second, messages[i], op, key, "");
      }
      consumer.last_send.insert_or_assign(key, std::pair(messages[i], op));
    }
  }

  void follow_polls(OperationEvents op, ValueId key, const std::vector<Message>& messages, Consumer& consumer) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const auto before = consumer.at.find(key);
      if (before != consumer.at.end()) {
        const std::int64_t last = before->second.first.offset;
        const auto& at = logs_[key].at;
        const auto between = at.upper_bound(last);
        if (messages[i].offset <= last) {
          step(i == 0 ? "nonmonotonic-poll" : "int-nonmonotonic-poll", before->second, messages[i], op, key, "");
        } else if (between != at.end() && between->first < messages[i].offset) {
          step(i == 0 ? "poll-skip" : "int-poll-skip", before->second, messages[i], op, key,
               ", leaving out " + in_.shown(between->second.first) + " at offset " + std::to_string(between->first) +
                   " (" + in_.event(between->second.second.invocation) + ")",
               between->second.second.invocation);
        }
      }
      consumer.at.insert_or_assign(key, std::pair(messages[i], op));
    }
  }

  void step(const char* type, const std::pair<Message, OperationEvents>& from, Message to, OperationEvents op,
            ValueId key, const std::string& more, EventIndex third = kNoEvent) {
    in_.tell(type, {from.second.invocation, op.invocation, third},
             in_.named(op) + " goes from offset " + std::to_string(from.first.offset) + " (" +
                 in_.event(from.second.invocation) + ") to offset " + std::to_string(to.offset) + more,
             {}, key);
  }

  Judgement& in_;
  const std::int64_t end_polls_;
  const ValueId send_, poll_;
  std::map<ValueId, Log> logs_;  // by key
  std::map<EventIndex, Polled> polls_,
      sends_;  // by invocation of an ok operation, in the order of its micro-operations
  std::int64_t crashed_polls_ = 0;
};

}  // namespace

WorkloadChecker kafka() {
  return {"kafka",
          "logs that are sent to and polled: lost, duplicate, aborted, reordered and skipped messages, inconsistent "
          "offsets",
          {"read-committed"},
          [](Judgement& in) { Kafka(in).run(); },
          {{"inconsistent-offsets", "two messages at one offset of a log"},
           {"duplicate-message", "a message that was sent once is at two offsets of a log"},
           {"aborted-read", "a message was polled whose send certainly failed"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
           {"precommitted-read", "a transaction polled what it had sent itself"},
           {"lost-write", "an acknowledged message was never polled, although later ones were, or the end of its log"},
           {"int-nonmonotonic-poll", "within one operation polls of a log went back"},
           {"int-poll-skip", "within one operation polls of a log left out a message"},
           {"nonmonotonic-poll", "the polls of a process went back in a log"},
           {"poll-skip", "the polls of a process left out a message"},
           {"int-nonmonotonic-send", "within one operation the offsets of sends to a log went back"},
           {"nonmonotonic-send", "the offsets of a process' sends to a log went back"}},
          {{"kafka.end-polls", OptionSpec::Type::integer, 10,
            "how many polls in a row that return nothing of a log show a consumer to be at its end", 1, 1e6}}};
}

}  // namespace ordeal::work
