// Delta debugging (Zeller and Hildebrandt, 2002) with the checker as judge, after two steps that make it fast on long
// histories: only what was invoked before the failing return matters; and of a register's history only what comes after
// a blind write that no observer overlaps, since whatever completed before that write cannot be seen after it.

#include "checkers/linearizability/minimise.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "checkers/linearizability/operations.h"

namespace ordeal::lin {
namespace {

using Calls = std::vector<CallIndex>;

// What an operation provides and what it saw, as tokens; and the operations that only make sense together.
struct Links {
  std::vector<std::int64_t> provides, needs;
  std::int64_t together = -1;  // operations of one number go together; -1: it can go alone
  bool stays = false;          // leaving it out would change what others must see
};

enum class Family { registers, containers, elements, counters, locks, other };

Family family(const Model& model) {
  const std::string_view name = model.name();
  if (is_one_register(model)) return Family::registers;
  if (name == "queue" || name == "unordered-queue" || name == "stack" || name == "priority-queue") return Family::containers;
  if (name == "set" || name == "log") return Family::elements;
  if (name == "counter" || name == "fetch-add") return Family::counters;
  if (name.ends_with("mutex") || name == "mutex-owner" || name.starts_with("semaphore-")) return Family::locks;
  return Family::other;
}

void link_elements(const KeyHistory& history, const Call& call, Links& out) {
  const ValueTable& values = history.history->values();
  const bool read = call.op.code == set::kRead && (history.model->traits(call.op) & kPure) != 0;
  if (read) {
    if (call.op.a == kNil) return;
    for (const ValueId item : values.as_list(static_cast<ValueId>(call.op.a))) out.needs.push_back(item);
    return;
  }
  // All that is said about one element of a set goes together; a log's append alone.
  if (call.op.code == set::kAdd) out.provides.push_back(call.op.a);
  if (history.model->name() == "set") out.together = call.op.a;
}

std::vector<Links> links_of(const KeyHistory& history) {
  std::vector<Links> out(history.calls.size());
  const Family kind = family(*history.model);
  boost::unordered_flat_map<std::int32_t, std::int64_t> held;  // by process: the number of its last acquire
  for (CallIndex i = 0; i < out.size(); ++i) {
    const Operation& op = history.calls[i].op;
    const bool pure = (history.model->traits(op) & kPure) != 0;
    Links& links = out[i];
    switch (kind) {
      case Family::registers:
        if (op.code != reg::kWrite) links.needs.push_back(op.a);
        if (op.code != reg::kRead) links.provides.push_back(op.code == reg::kCas ? op.b : op.a);
        break;
      case Family::containers:
        if (op.a > kNil) links.together = op.a;
        if (op.code == queue::kPut) links.provides.push_back(op.a);
        if (op.code == queue::kTake && op.a > kNil) links.needs.push_back(op.a);
        break;
      case Family::elements:
        link_elements(history, history.calls[i], links);
        break;
      case Family::counters: links.stays = !pure; break;
      case Family::locks: {
        const ProcessId process = history.history->process(history.calls[i].inv);
        if (op.code == lock::kAcquire) held[process] = i;
        const auto mine = held.find(process);
        if (mine != held.end()) links.together = mine->second;
        if (op.code == lock::kAcquire) links.provides.push_back(0);
        if (op.code == lock::kRelease) links.needs.push_back(0);
        if (op.code == lock::kRelease && mine != held.end()) held.erase(mine);
        break;
      }
      case Family::other: links.stays = !pure && history.model->name() != "unique-ids"; break;
    }
  }
  return out;
}

// When each token was provided first.
using Provided = boost::unordered_flat_map<std::int64_t, EventIndex>;

void provide(Provided& provided, const Links& links, const Call& call) {
  for (const std::int64_t token : links.provides) {
    const auto [place, added] = provided.try_emplace(token, call.inv);
    if (!added) place->second = std::min(place->second, call.inv);
  }
}

bool has(const Provided& provided, std::int64_t token, EventIndex before) {
  const auto found = provided.find(token);
  return found != provided.end() && found->second < before;
}

bool self_explaining(const KeyHistory& history, const std::vector<Links>& links, const Provided& by_all, const Calls& kept) {
  Provided provided;
  for (const CallIndex i : kept) provide(provided, links[i], history.calls[i]);
  return std::all_of(kept.begin(), kept.end(), [&](CallIndex i) {
    const EventIndex end = history.calls[i].ret;
    return std::all_of(links[i].needs.begin(), links[i].needs.end(), [&](std::int64_t token) {
      return has(provided, token, end) || !has(by_all, token, end);
    });
  });
}

class Minimiser {
 public:
  Minimiser(const KeyHistory& history, Budget& budget) : history_(history), budget_(budget), links_(links_of(history)) {
    for (CallIndex i = 0; i < links_.size(); ++i) provide(provided_, links_[i], history.calls[i]);
  }

  Calls run(const Decision& decision) {
    for (CallIndex i = 0; i < history_.calls.size(); ++i) {
      if (history_.calls[i].inv < decision.failed_at) kept_.push_back(i);
    }
    drop_unfinished(decision.failed_at);
    if (!decision.culprits.empty()) {
      Calls culprits = decision.culprits;
      std::sort(culprits.begin(), culprits.end());
      culprits.erase(std::unique(culprits.begin(), culprits.end()), culprits.end());
      (void)accept(std::move(culprits));
    }
    if (family(*history_.model) == Family::registers) window();
    std::size_t before = 0;
    do {
      before = kept_.size();
      reduce(units([&](CallIndex i) { return is_pure(i); }));
      if (family(*history_.model) == Family::registers) drop_what_explains_nothing();
      reduce(units([&](CallIndex i) { return !links_[i].stays; }));
    } while (kept_.size() < before && !budget_.out_of_time());
    return kept_;
  }

 private:
  bool is_pure(CallIndex i) const { return (history_.model->traits(history_.calls[i].op) & kPure) != 0; }

  bool is_invalid(const Calls& calls) {
    const KeyHistory part = part_of(history_, calls);
    Budget short_time(budget_, std::chrono::steady_clock::now() + std::chrono::seconds(5), {});
    return strategy_for(part).decide(part, short_time, false).verdict == Verdict::invalid;
  }

  // What was still open at the failure need not have happened. Where it saw what was provided only later, it goes.
  void drop_unfinished(EventIndex failed_at) {
    for (bool changed = true; changed;) {
      Provided provided;
      for (const CallIndex i : kept_) provide(provided, links_[i], history_.calls[i]);
      const auto orphaned = [&](CallIndex i) {
        const EventIndex end = history_.calls[i].ret;
        return end > failed_at && std::any_of(links_[i].needs.begin(), links_[i].needs.end(), [&](std::int64_t token) {
                 return !has(provided, token, end);
               });
      };
      changed = std::erase_if(kept_, orphaned) > 0;
    }
  }

  // Goes on with `smaller` when it shows the violation too and explains itself.
  bool accept(Calls smaller) {
    if (budget_.out_of_time() || !self_explaining(history_, links_, provided_, smaller) || !is_invalid(smaller)) return false;
    kept_ = std::move(smaller);
    return true;
  }

  // A blind write that no cas overlaps, with what was open then or came later, and without reads that began before.
  void window() {
    for (std::size_t want = 32; want < kept_.size(); want *= 4) {
      for (std::size_t i = kept_.size() - want, tries = 0; i > 0 && tries < 8; --i) {
        const Call& cut = history_.calls[kept_[i]];
        if (cut.op.code != reg::kWrite || cut.crashed()) continue;
        ++tries;
        Calls smaller;
        bool overlapped = false;
        for (const CallIndex c : kept_) {
          const Call& call = history_.calls[c];
          if (call.ret < cut.inv) continue;
          if (call.op.code != reg::kWrite && call.inv < cut.ret) {
            overlapped |= call.op.code == reg::kCas;
            continue;
          }
          smaller.push_back(c);
        }
        if (overlapped) continue;
        if (accept(std::move(smaller))) return;
        break;
      }
    }
  }

  // Writers that no remaining observer can have read from: they come after it, or were overwritten before it began.
  void drop_what_explains_nothing() {
    if (kept_.size() > 3000) return;
    for (std::size_t i = kept_.size(); i-- > 0;) {
      const Call& writer = history_.calls[kept_[i]];
      if (writer.op.code == reg::kRead) continue;
      const std::int64_t value = links_[kept_[i]].provides[0];
      const bool explains = std::any_of(kept_.begin(), kept_.end(), [&](CallIndex o) {
        const Call& observer = history_.calls[o];
        if (o == kept_[i] || links_[o].needs.empty() || links_[o].needs[0] != value || writer.inv > observer.ret) return false;
        return std::none_of(kept_.begin(), kept_.end(), [&](CallIndex between) {
          const Call& other = history_.calls[between];
          return !links_[between].provides.empty() && links_[between].provides[0] != value && writer.ret < other.inv &&
                 other.ret < observer.inv;
        });
      });
      if (explains) continue;
      Calls smaller = kept_;
      smaller.erase(smaller.begin() + static_cast<std::ptrdiff_t>(i));
      (void)accept(std::move(smaller));
    }
  }

  // The kept calls that satisfy `wanted`, in groups that go together.
  template <class Wanted>
  std::vector<Calls> units(Wanted wanted) const {
    std::vector<Calls> out;
    boost::unordered_flat_map<std::int64_t, std::size_t> place;
    for (const CallIndex i : kept_) {
      if (!wanted(i)) continue;
      if (links_[i].together < 0) {
        out.push_back({i});
        continue;
      }
      const auto [found, added] = place.try_emplace(links_[i].together, out.size());
      if (added) out.emplace_back();
      out[found->second].push_back(i);
    }
    return out;
  }

  // Leaves out units: large chunks first, down to single ones, until none can go.
  void reduce(std::vector<Calls> units) {
    for (std::size_t chunk = std::max<std::size_t>(1, units.size() / 2); !units.empty() && !budget_.out_of_time();) {
      bool any = false;
      for (std::size_t first = 0; first < units.size();) {
        const std::size_t last = std::min(units.size(), first + chunk);
        boost::unordered_flat_set<CallIndex> gone;
        for (std::size_t u = first; u < last; ++u) gone.insert(units[u].begin(), units[u].end());
        Calls smaller;
        for (const CallIndex i : kept_) {
          if (!gone.contains(i)) smaller.push_back(i);
        }
        if (accept(std::move(smaller))) {
          units.erase(units.begin() + static_cast<std::ptrdiff_t>(first), units.begin() + static_cast<std::ptrdiff_t>(last));
          any = true;
        } else {
          first = last;
        }
        if (budget_.out_of_time()) return;
      }
      if (chunk == 1 && !any) return;
      chunk = std::max<std::size_t>(1, chunk / 2);
    }
  }

  const KeyHistory& history_;
  Budget& budget_;
  std::vector<Links> links_;
  Provided provided_;
  Calls kept_;
};

}  // namespace

KeyHistory part_of(const KeyHistory& history, const Calls& calls) {
  KeyHistory part{history.history, history.model, history.key, {}};
  part.calls.reserve(calls.size());
  for (const CallIndex i : calls) part.calls.push_back(history.calls[i]);
  return part;
}

bool explains_itself(const KeyHistory& history, const Calls& calls) {
  const auto links = links_of(history);
  Provided provided;
  for (CallIndex i = 0; i < links.size(); ++i) provide(provided, links[i], history.calls[i]);
  return self_explaining(history, links, provided, calls);
}

Calls minimise(const KeyHistory& history, const Decision& decision, Budget& budget) {
  return Minimiser(history, budget).run(decision);
}

}  // namespace ordeal::lin
