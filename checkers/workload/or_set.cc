// The checker "or-set": a replicated set from which an element is removed as far as its adds were observed (the
// observed-remove set of Shapiro, Preguiça, Baquero and Zawirski, "A comprehensive study of convergent and commutative
// replicated data types", 2011): an add that a remove had not observed survives it.
//
// Operations: `add` and `remove`, an element each; `read`, a list of elements. Keys, if any, are sets of their own. A
// process is a client of one replica, or with or-set.sticky=false of any. The *final read* of a process is its last ok
// read, if it was invoked after every update of the key had ended (one of unknown outcome: was invoked), at least
// or-set.settle later: the time in which replicas converge is part of the claim.
//
//   divergence            two final reads differ in an element, and no update of unknown outcome can be why
//   lost-element          a final read lacks an element, though one of its adds was acknowledged, or must have happened
//                         for a client to see it, and every remove that may have happened was over before that add
//                         began
//   kept-element          a final read has an element of which every add had been observed by a remove
//   resurrected-element   a client removed an element and reads it again though nobody can have added it again
//   unexpected-element    any read has an element that nobody had added, or whose adds failed
//   duplicate-element     any read has an element twice
//
// What a client of one replica removes is all that this replica shows: its own adds, and for every time that it read
// the element since its last remove one add of somebody else, which no earlier time can account for. An add survives
// unless it is one of those. Elements are judged apart. An update of unknown outcome may happen at any time, or never,
// and reach the replicas between their final reads, unless its effect was seen before the last update ended. Reads
// before the last update may be late: eventual consistency demands no more of them than the above. Cost: for each
// element the square of its adds times its reads.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// What is known of one element.
class Element {
 public:
  explicit Element(const Judgement& in) : in_(in) {}

  void add(OperationEvents op) { adds_.push_back(op); }
  void remove(OperationEvents op) { removes_.push_back(op); }

  // What its own client saw and did, in that order: ok operations.
  void own_add(OperationEvents op) { clients_[process(op)].push_back({op, Event::added}); }
  void own_remove(OperationEvents op) { clients_[process(op)].push_back({op, Event::removed}); }
  void shown(OperationEvents op) {
    Events& events = clients_[process(op)];
    if (events.empty() || events.back().kind == Event::removed) events.push_back({op, Event::shown});
  }

  [[nodiscard]] const std::vector<OperationEvents>& adds() const { return adds_; }
  [[nodiscard]] const std::vector<OperationEvents>& removes() const { return removes_; }
  [[nodiscard]] bool crashed_remove() const {
    return std::any_of(removes_.begin(), removes_.end(), [&](auto op) { return !in_.ok(op); });
  }

  // The first read of an element that its client had removed, and that no further add explains. Nothing: none.
  [[nodiscard]] std::optional<OperationEvents> resurrected() const {
    for (const auto& [client, events] : clients_) {
      std::size_t needed = 0;
      for (const Epoch& epoch : epochs_of(events)) {
        if (!epoch.needs_add) continue;
        if (others_before(client, epoch.read.completion, kNoEvent) < ++needed) return epoch.read;
      }
    }
    return std::nullopt;
  }

  // Whether no remove that succeeded can be shown to have observed that add.
  [[nodiscard]] bool may_survive(OperationEvents add) const {
    for (const auto& [client, events] : clients_) {
      std::size_t needed = 0;
      for (const Epoch& epoch : epochs_of(events)) {
        if (!epoch.removed) break;  // what it shows later is not removed by it
        if (std::find(epoch.own.begin(), epoch.own.end(), add.invocation) != epoch.own.end()) return false;
        if (epoch.needs_add && others_before(client, epoch.read.completion, add.invocation) < ++needed) return false;
      }
    }
    return true;
  }
  // Whether an add may be seen at `until`, and survive.
  [[nodiscard]] bool may_be_there(EventIndex until) const {
    return std::any_of(adds_.begin(), adds_.end(),
                       [&](auto add) { return add.invocation < until && may_survive(add); });
  }
  // … and be still on its way to the replica of that reader: it is of unknown outcome, and neither what was read by the
  // last update nor what this reader read needs it.
  [[nodiscard]] bool may_be_arriving(EventIndex until, EventIndex last_update, ProcessId reader) const {
    return std::any_of(adds_.begin(), adds_.end(), [&](auto add) {
      return !in_.ok(add) && add.invocation < until && may_survive(add) && unseen(add, last_update, reader);
    });
  }

  // The operation that shows an add which no remove can have observed, and which the reader's replica must have: the
  // add, or a read of it. Nothing: all that had happened by the last update, or was seen by this reader, may have been
  // removed.
  [[nodiscard]] std::optional<OperationEvents> must_be_there(EventIndex last_update, ProcessId reader) const {
    for (const OperationEvents add : adds_) {
      if (in_.ok(add) && !may_be_removed(add, nullptr)) return add;
    }
    for (const auto& [client, events] : clients_) {
      const std::vector<Epoch> epochs = epochs_of(events);
      if (!epochs.back().needs_add) continue;
      const EventIndex arrived = client == reader ? kNoEvent : last_update;
      if (!explained_by_removed(client, epochs, arrived)) return epochs.back().read;
    }
    return std::nullopt;
  }

 private:
  struct Event {
    OperationEvents op;
    enum Kind { added, removed, shown } kind;
  };
  // What a client saw and did between two of its removes.
  struct Epoch {
    std::vector<EventIndex> own;  // its adds, by their invocations
    bool needs_add = false;       // it read the element before it had added it itself
    OperationEvents read;         // the first such read
    bool removed = false;         // its remove ended the epoch
  };
  using Events = std::vector<Event>;  // of one client, in their order

  ProcessId process(OperationEvents op) const { return in_.history().process(op.invocation); }

  static std::vector<Epoch> epochs_of(const Events& events) {
    std::vector<Epoch> out(1);
    for (const Event& event : events) {
      Epoch& epoch = out.back();
      if (event.kind == Event::added) {
        epoch.own.push_back(event.op.invocation);
      } else if (event.kind == Event::removed) {
        epoch.removed = true;
        out.emplace_back();
      } else if (epoch.own.empty() && !epoch.needs_add) {
        epoch.needs_add = true;
        epoch.read = event.op;
      }
    }
    return out;
  }

  // Of somebody else, or its own, but nobody knows when it happened.
  bool of_other(OperationEvents add, ProcessId client) const { return process(add) != client || !in_.ok(add); }

  // How many adds of other clients had begun by then, without that one.
  std::size_t others_before(ProcessId client, EventIndex until, EventIndex without) const {
    in_.work(adds_.size());
    return static_cast<std::size_t>(std::count_if(adds_.begin(), adds_.end(), [&](auto add) {
      return add.invocation < until && add.invocation != without && of_other(add, client);
    }));
  }

  // Whether all that was read by then, and all that the reader read, is explained without that add.
  bool unseen(OperationEvents add, EventIndex then, ProcessId reader) const {
    for (const auto& [client, events] : clients_) {
      std::size_t needed = 0;
      for (const Epoch& epoch : epochs_of(events)) {
        if (!epoch.needs_add || (epoch.read.completion > then && client != reader)) continue;
        if (others_before(client, epoch.read.completion, add.invocation) < ++needed) return false;
      }
    }
    return true;
  }

  // Whether a remove that may have happened may have observed the add. `but_of`: not one that this client knows to have
  // succeeded.
  bool may_be_removed(OperationEvents add, const ProcessId* but_of) const {
    in_.work(removes_.size());
    return std::any_of(removes_.begin(), removes_.end(), [&](auto remove) {
      if (!in_.ok(remove)) return true;
      return remove.completion > add.invocation && !(but_of != nullptr && process(remove) == *but_of);
    });
  }

  // Whether what the client read after its last remove may be an add that others removed, or one of unknown outcome
  // that it read after `arrived`, when it need not have arrived everywhere.
  bool explained_by_removed(ProcessId client, const std::vector<Epoch>& epochs, EventIndex arrived) const {
    for (const OperationEvents add : adds_) {
      if (!of_other(add, client) || add.invocation > epochs.back().read.completion) continue;
      const bool still_on_its_way = !in_.ok(add) && epochs.back().read.completion > arrived;
      if (!still_on_its_way && !may_be_removed(add, &client)) continue;
      std::size_t needed = 0;
      bool enough = true;
      for (const Epoch& epoch : epochs) {
        if (!epoch.removed || !epoch.needs_add) continue;
        enough = enough && others_before(client, epoch.read.completion, add.invocation) >= ++needed;
      }
      if (enough) return true;
    }
    return false;
  }

  const Judgement& in_;
  std::vector<OperationEvents> adds_, removes_;  // those that may have happened, by invocation
  std::map<ProcessId, Events> clients_;
};

class ObservedRemoveSet {
 public:
  ObservedRemoveSet(Judgement& in, ValueId key) : in_(in), key_(key), sticky_(in.flag("or-set.sticky")) {}

  void update(OperationEvents op, bool is_add) {
    const ValueId value = in_.asked(op);
    if (is_add) added_.add(in_, value, op);
    if (in_.failed(op)) return;
    Element& element = elements_.try_emplace(value, in_).first->second;
    is_add ? element.add(op) : element.remove(op);
    last_update_ = std::max(last_update_, in_.ok(op) ? op.completion : op.invocation);
    in_.counter(is_add ? "adds" : "removes") += in_.ok(op) ? 1 : 0;
  }
  void read(OperationEvents op) { reads_.push_back(op); }

  // What its client learns of an operation. Requires: all updates are known; called in the order of invocations.
  void trace(OperationEvents op) {
    if (!sticky_ || !in_.ok(op)) return;
    if (in_.f(op) == "add") return elements_.at(in_.asked(op)).own_add(op);
    if (in_.f(op) == "remove") return elements_.at(in_.asked(op)).own_remove(op);
    for (const ValueId value : in_.items(in_.seen(op))) {
      if (const auto found = elements_.find(value); found != elements_.end()) found->second.shown(op);
    }
  }

  void judge() {
    std::map<ProcessId, OperationEvents> last;
    for (const OperationEvents op : reads_) {
      look(op);
      if (in_.settled(last_update_, op, "or-set.settle")) last[in_.history().process(op.invocation)] = op;
    }
    for (const auto& [process, op] : last) {
      const auto list = in_.items(in_.seen(op));
      finals_.emplace_back(op, std::set<ValueId>(list.begin(), list.end()));
    }
    in_.counter("final-reads") += static_cast<std::int64_t>(finals_.size());
    for (const auto& [value, element] : elements_) judge(value, element);
  }
  [[nodiscard]] bool compared() const { return finals_.size() > 1; }

 private:
  // What any read must keep to.
  void look(OperationEvents op) {
    std::set<ValueId> seen, twice;
    for (const ValueId value : in_.items(in_.seen(op))) {
      if (!added_.explained(in_, "unexpected-element", "element", value, op, key_)) unexplained_.insert(value);
      if (seen.insert(value).second || !twice.insert(value).second) continue;
      in_.tell("duplicate-element", {op.invocation},
               in_.named(op) + " returned element " + in_.shown(value) + " more than once", {}, key_);
    }
  }

  void tell(const char* type, std::vector<EventIndex> operations, std::string explanation) {
    in_.tell(type, std::move(operations), std::move(explanation), {}, key_);
  }

  void judge(ValueId value, const Element& element) {
    if (unexplained_.contains(value)) return;  // told
    const std::string name = "element " + in_.shown(value);
    if (const auto read = element.resurrected()) {
      std::vector<EventIndex> operations = updates(element);
      operations.push_back(read->invocation);
      return tell("resurrected-element", std::move(operations),
                  in_.named(*read) + " shows the " + name +
                      ", though its client had removed as often as anybody else may have added it");
    }
    std::optional<OperationEvents> with;
    std::vector<OperationEvents> without;
    for (const auto& [op, seen] : finals_) {
      in_.work();
      const bool has = seen.contains(value);
      if (has) with = op;
      if (!has) without.push_back(op);
      if (const auto there = element.must_be_there(last_update_, in_.history().process(op.invocation)); !has && there)
        return lost(name, element, *there, op);
      if (has && !element.may_be_there(op.completion)) {
        std::vector<EventIndex> operations = updates(element);
        operations.push_back(op.invocation);
        return tell("kept-element", std::move(operations),
                    "the final " + in_.named(op).substr(4) + " has the " + name +
                        ", though removes that succeeded had "
                        "observed each of its adds");
      }
      in_.counter("elements-removed") += !has && !element.adds().empty() ? 1 : 0;
    }
    if (!with || element.crashed_remove()) return;
    for (const OperationEvents op : without) {
      if (element.may_be_arriving(with->completion, last_update_, in_.history().process(op.invocation))) continue;
      return tell("divergence", {with->invocation, op.invocation},
                  "the final reads of " + in_.event(with->invocation) + " and " + in_.event(op.invocation) +
                      " differ: only the first has the " + name);
    }
  }

  std::vector<EventIndex> updates(const Element& element) const {
    std::vector<EventIndex> out;
    for (const OperationEvents op : element.adds()) out.push_back(op.invocation);
    for (const OperationEvents op : element.removes()) out.push_back(op.invocation);
    return out;
  }

  void lost(const std::string& name, const Element& element, OperationEvents there, OperationEvents read) {
    std::vector<EventIndex> operations = {there.invocation, read.invocation};
    for (const OperationEvents op : element.removes()) operations.push_back(op.invocation);
    tell("lost-element", std::move(operations),
         "the final " + in_.named(read).substr(4) + " lacks the " + name + ", which " + in_.named(there) +
             " shows to have been added; " +
             (element.removes().empty() ? "nobody removed it" : "no remove can have observed that add"));
  }

  Judgement& in_;
  const ValueId key_;
  const bool sticky_;
  AttemptTable added_;
  std::map<ValueId, Element> elements_;
  std::set<ValueId> unexplained_;
  std::vector<OperationEvents> reads_;
  std::vector<std::pair<OperationEvents, std::set<ValueId>>> finals_;
  EventIndex last_update_ = 0;
};

void judge_or_set(Judgement& in) {
  if (!in.understands({"add", "remove", "read"})) return;
  std::map<ValueId, ObservedRemoveSet> sets;
  for (const OperationEvents op : in.operations()) {
    ObservedRemoveSet& set = sets.try_emplace(in.key(op), in, in.key(op)).first->second;
    if (in.f(op) == "read") {
      if (!in.ok(op)) continue;
      if (!in.takes_elements(op)) return;
      set.read(op);
    } else if (in.asked(op) == kAbsent) {
      return in.refuse(op, "an element");
    } else if (in.f(op) == "add" || in.f(op) == "remove") {
      set.update(op, in.f(op) == "add");
    }
  }
  for (const OperationEvents op : in.operations()) sets.at(in.key(op)).trace(op);
  bool compared = false;
  for (auto& [key, set] : sets) {
    set.judge();
    compared = compared || set.compared();
  }
  in.keys(sets.size());
  if (!compared)
    in.inconclusive("fewer than two processes read after the last update, so nothing was compared" +
                    in.without_times());
  if (in.counter("adds") == 0) in.inconclusive("no add succeeded");
  if (in.counter("removes") == 0) in.inconclusive("no remove succeeded");
  if (in.counter("elements-removed") == 0) in.inconclusive("no final read lacks an element, so no remove was seen");
}

}  // namespace

WorkloadChecker or_set() {
  return {
      "or-set",
      "a replicated set: an add survives the removes that did not observe it, and no others; replicas agree in the end",
      {"strong-eventual"},
      judge_or_set,
      {{"divergence", "after all writes of a key had ended, processes went on to read different values"},
       {"lost-element", "an element is gone that no remove can have observed"},
       {"kept-element", "an element is there though removes had observed each of its adds"},
       {"resurrected-element", "what was removed is there again though nobody added it again"},
       {"duplicate-element", "a read holds an element more often than it was added"},
       {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"}},
      {{"or-set.settle", OptionSpec::Type::duration, 2.0, "how long replicas have to converge before the final reads",
        0, 3600},
       {"or-set.sticky", OptionSpec::Type::boolean, true,
        "whether a client stays with one replica, so that it removes what it had added or read itself"}}};
}

}  // namespace ordeal::work
