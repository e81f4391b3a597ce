// The checker "outbox": every change of a state sends a message, both or neither (the transactional outbox).
//
// Operations: `change` {"id" i, "key" k}, i unique; with "rollback" true the transaction is rolled back at its end and
// ends in fail, as every change does that the system refuses. `read`, whose ok value is the list of [k i] of all
// changes in the state, those of one key in the order of their commits. `messages`, whose ok value is the list of [k i]
// of all messages that have been published, from the first one on, in that order; a message may come several times.
//
//   message-without-change   a message of a change that was rolled back, that nobody made, or that the state does not
//                            show in a read that began after the message had been seen
//   lost-message             no message of a change that was acknowledged, or shown by a read, outbox.settle before, or
//                            that was there before: published within that time is part of the claim
//   reordered                the first messages of two changes of a key are not in the order of the state, unless
//                            outbox.ordered is off; or views contradict each other, or real time, in the order of a
//                            key's changes (outbox_order.h)
//   lost-element             acknowledged, or shown by a read, before a read that does not show it
//   unexpected-element       the state shows a change that was rolled back, or that nobody made, or not under its key
//   duplicate-element        the state shows a change twice
//
// A change of unknown outcome may have happened or not; the two reads and the messages must agree on it: once it is
// seen in the state its message is due, once its message is seen it must be in the state.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/outbox_order.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// What one read of the state, or of the messages, showed.
struct View {
  OperationEvents op;
  std::vector<std::pair<ValueId, ValueId>> all;  // key and id, in order
  std::vector<ValueId> ids;                      // sorted, each once
};

// The view that showed an id, and ended first.
using FirstShown = std::unordered_map<ValueId, OperationEvents>;

class Outbox {
 public:
  explicit Outbox(Judgement& in) : in_(in), settle_(in.option_ns("outbox.settle")) {}

  void run() {
    if (!in_.understands({"change", "read", "messages"})) return;
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "change" && !change(op)) return;
    }
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) != "change" && in_.ok(op) && !view(op)) return;
    }
    for (auto* views : {&states_, &messages_}) {
      std::stable_sort(views->begin(), views->end(),
                       [](const View& a, const View& b) { return a.op.completion < b.op.completion; });
    }
    for (auto* shown : {&in_state_, &in_messages_}) {
      for (const View& one : shown == &in_state_ ? states_ : messages_) {
        in_.work(one.ids.size());
        for (const ValueId id : one.ids) shown->try_emplace(id, one.op);
      }
    }
    for (const View& one : states_) state(one);
    for (const View& one : messages_) published(one);
    if (in_.flag("outbox.ordered")) order();
    // Where nothing has a better name: what all views together say of the order.
    if (!in_.accused()) judge_outbox_order(in_, made_, lists(states_), lists(messages_), in_.flag("outbox.ordered"));
    vacuous();
  }

 private:
  bool change(OperationEvents op) {
    const ValueId asked = in_.asked(op);
    const ValueId id = in_.is_map(asked) ? in_.values().member(asked, "id") : kAbsent;
    const ValueId key = in_.is_map(asked) ? in_.values().member(asked, "key") : kAbsent;
    if (id == kAbsent || key == kAbsent) {
      in_.refuse(op, R"({"id" i, "key" k})");
      return false;
    }
    if (!keys_.try_emplace(id, key).second) {
      in_.refuse("two changes have the id " + in_.shown(id) + " (" + in_.event(op.invocation) + ")");
      return false;
    }
    made_.add(in_, id, op);
    ++in_.counter(in_.ok(op) ? "committed" : in_.failed(op) ? "rolled-back" : "of-unknown-outcome");
    return true;
  }

  bool view(OperationEvents op) {
    View one{op, {}, {}};
    bool pairs = in_.is_list(in_.seen(op));
    for (const ValueId entry : in_.items(in_.seen(op))) {
      const auto parts = in_.items(entry);
      pairs = pairs && parts.size() == 2;
      if (!pairs) break;
      one.all.emplace_back(parts[0], parts[1]);
      one.ids.push_back(parts[1]);
    }
    if (!pairs) {
      in_.refuse(op, "a list of [key id]");
      return false;
    }
    std::sort(one.ids.begin(), one.ids.end());
    one.ids.erase(std::unique(one.ids.begin(), one.ids.end()), one.ids.end());
    (in_.f(op) == "read" ? states_ : messages_).push_back(std::move(one));
    return true;
  }

  static std::vector<OutboxList> lists(const std::vector<View>& views) {
    std::vector<OutboxList> out;
    for (const View& one : views) out.push_back({one.op, one.all});
    return out;
  }

  [[nodiscard]] std::string change_of(ValueId id) const { return "the change " + in_.shown(id); }

  void state(const View& read) {
    for (const auto& [key, id] : read.all) {
      if (fine_in_state_.contains(id) && fine_in_state_.at(id) == key) continue;
      if (!made_.explained(in_, "unexpected-element", "change", id, read.op)) continue;
      if (keys_.at(id) != key) {
        in_.tell("unexpected-element", {made_.find(id)->invoked, read.op.invocation},
                 in_.named(read.op) + " shows " + change_of(id) + " under key " + in_.shown(key) + "; it is of key " +
                     in_.shown(keys_.at(id)));
        continue;
      }
      fine_in_state_.emplace(id, key);
    }
    std::set<ValueId> seen;
    for (const auto& [key, id] : read.all) {
      if (read.ids.size() == read.all.size()) break;
      if (seen.insert(id).second || made_.find(id) == nullptr) continue;
      in_.tell("duplicate-element", {made_.find(id)->invoked, read.op.invocation},
               in_.named(read.op) + " shows " + change_of(id) + " more than once");
    }
    in_.work(made_.all().size());
    auto next = read.ids.begin();  // both are in the order of ids
    for (const auto& [id, tries] : made_.all()) {
      while (next != read.ids.end() && *next < id) ++next;
      if (next != read.ids.end() && *next == id) continue;
      const auto shown = in_state_.find(id);
      if (tries.acknowledged < read.op.invocation) {
        in_.tell("lost-element", {tries.acknowledged_by, read.op.invocation},
                 in_.named(read.op) + " does not show " + change_of(id) + ", which was acknowledged before (" +
                     in_.event(tries.acknowledged) + ")");
      } else if (shown != in_state_.end() && in_.before(shown->second, read.op)) {
        in_.tell("lost-element", {shown->second.invocation, read.op.invocation},
                 in_.named(read.op) + " does not show " + change_of(id) + ", although " + in_.named(shown->second) +
                     ", which was over before, did");
      } else if (const auto sent = in_messages_.find(id);
                 sent != in_messages_.end() && in_.before(sent->second, read.op)) {
        in_.tell("message-without-change", {sent->second.invocation, read.op.invocation},
                 in_.named(sent->second) + " shows a message of " + change_of(id) + ", which " + in_.named(read.op) +
                     ", which began later, does not show");
      }
    }
  }

  // Whether `op` began so long after `event` that what was committed then must have been published.
  [[nodiscard]] bool due(EventIndex event, OperationEvents op) const {
    const History& h = in_.history();
    if (event >= op.invocation) return false;
    return settle_ == 0 || (h.time(event) >= 0 && h.time(op.invocation) >= h.time(event) + settle_);
  }

  void published(const View& messages) {
    for (const auto& [key, id] : messages.all) {
      if (fine_in_messages_.contains(id) && fine_in_messages_.at(id) == key) continue;
      if (!made_.explained(in_, "message-without-change", "message", id, messages.op)) continue;
      if (keys_.at(id) == key) {
        fine_in_messages_.emplace(id, key);
        continue;
      }
      in_.tell("message-without-change", {made_.find(id)->invoked, messages.op.invocation},
               in_.named(messages.op) + " shows a message of " + change_of(id) + " under key " + in_.shown(key) +
                   "; it is of key " + in_.shown(keys_.at(id)));
    }
    in_.work(made_.all().size());
    auto next = messages.ids.begin();  // both are in the order of ids
    for (const auto& [id, tries] : made_.all()) {
      if (tries.possible == 0) continue;  // its message is told elsewhere, and so is that the state shows it
      while (next != messages.ids.end() && *next < id) ++next;
      const bool there = next != messages.ids.end() && *next == id;
      due_ += due(tries.acknowledged, messages.op) ? 1 : 0;
      if (there) continue;
      const auto shown = in_state_.find(id);
      const auto sent = in_messages_.find(id);
      const bool acknowledged = due(tries.acknowledged, messages.op);
      const bool seen = shown != in_state_.end() && due(shown->second.completion, messages.op);
      const bool was_there = sent != in_messages_.end() && in_.before(sent->second, messages.op);
      if (!(acknowledged || seen || was_there)) continue;
      const EventIndex by = acknowledged ? tries.acknowledged_by
                            : seen       ? shown->second.invocation
                                         : sent->second.invocation;
      in_.tell("lost-message", {tries.invoked, by, messages.op.invocation},
               in_.named(messages.op) + " shows no message of " + change_of(id) + ", which " +
                   (acknowledged ? "was acknowledged (" + in_.event(tries.acknowledged) + ")"
                    : seen       ? in_.named(shown->second) + " had shown"
                                 : in_.named(sent->second) + " had shown the message of") +
                   (was_there && !acknowledged && !seen ? "" : " more than outbox.settle before"));
    }
  }

  // The order in which the state has the changes of each key: that of the read that shows most.
  void order() {
    const auto most = std::max_element(states_.begin(), states_.end(),
                                       [](const View& a, const View& b) { return a.ids.size() < b.ids.size(); });
    if (most == states_.end()) return;
    std::unordered_map<ValueId, std::size_t> place;
    for (std::size_t i = 0; i < most->all.size(); ++i) place.try_emplace(most->all[i].second, i);
    for (const View& messages : messages_) {
      std::map<ValueId, ValueId> last;  // by key: the first message so far that is latest in the state
      std::unordered_set<ValueId> seen;
      for (const auto& [key, id] : messages.all) {
        in_.work();
        const auto at = place.find(id);
        if (!seen.insert(id).second || at == place.end()) continue;
        const auto [before, fresh] = last.try_emplace(key, id);
        if (fresh) continue;
        if (place.at(before->second) > at->second) {
          in_.tell("reordered",
                   {most->op.invocation, messages.op.invocation, made_.find(before->second)->invoked,
                    made_.find(id)->invoked},
                   in_.named(messages.op) + " shows the message of " + change_of(before->second) + " before that of " +
                       change_of(id) + ", but " + in_.named(most->op) + " shows that " + in_.shown(id) +
                       " was committed first (key " + in_.shown(key) + ")");
          break;
        }
        before->second = id;
      }
    }
  }

  void vacuous() {
    if (states_.empty() || messages_.empty())
      in_.inconclusive("the state or the messages were never read, so nothing was put to the test");
    else if (due_ == 0)
      in_.inconclusive("the messages were not read outbox.settle after a change, so none was due");
    else if (in_.counter("rolled-back") == 0)
      in_.inconclusive("no change was rolled back, so it is not known whether its message would have been");
  }

  Judgement& in_;
  const std::int64_t settle_;
  AttemptTable made_;
  std::map<ValueId, ValueId> keys_;  // of changes, by id
  std::vector<View> states_, messages_;
  FirstShown in_state_, in_messages_;
  // Ids that a view showed which ended before, with the key, and nothing was wrong with that.
  std::unordered_map<ValueId, ValueId> fine_in_state_, fine_in_messages_;
  std::int64_t due_ = 0;  // messages that had to be there, over all reads
};

}  // namespace

WorkloadChecker outbox() {
  return {"outbox",
          "changes that send messages: both or neither, each at least once, in order per key",
          {"atomic"},
          [](Judgement& in) { Outbox(in).run(); },
          {{"message-without-change", "a message was sent of a change that is not in the state"},
           {"lost-message", "a change is in the state and its message was never sent, or is gone"},
           {"reordered", "messages came out in another order than they were put in"},
           {"lost-element", "an acknowledged element is missing from every later read"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
           {"duplicate-element", "an element appears more often than it was put in"}},
          {{"outbox.ordered", OptionSpec::Type::boolean, true,
            "whether the messages of a key come in the order of its changes"},
           {"outbox.settle", OptionSpec::Type::duration, 2.0,
            "within which time a message is published after its change", 0, 3600}}};
}

}  // namespace ordeal::work
