// Promises that say what may not be seen, pair by pair, and not by one order of all operations.

#include <algorithm>
#include <map>
#include <set>

#include "support/promise_oracle.h"

namespace ordeal::testing_support {
namespace {

bool before(const Call& a, const Call& b) { return a.until < b.from; }

// From when to when a process certainly holds: from the ok of what gave it to it until it asks to give it back, or
// until something happens to it that nobody knows. Places in the history.
struct Hold {
  std::int64_t process = 0, from = 0, until = Call::kForever;
  Value name;
};
std::vector<Hold> holds_of(const std::vector<Call>& calls, const std::string& gain, const std::string& leave) {
  std::map<Value, std::map<std::int64_t, std::vector<const Call*>>> by_process;
  for (const Call& call : calls) by_process[call.key][call.process].push_back(&call);
  std::vector<Hold> out;
  for (const auto& [key, processes] : by_process) {
    for (const auto& [process, own] : processes) {
      bool known = true;
      for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i]->outcome == EventType::info) known = false;
        if (!known || own[i]->f != gain || !own[i]->ok()) continue;
        Hold hold{process, own[i]->until, Call::kForever, own[i]->asked};
        for (std::size_t j = i + 1; j < own.size(); ++j) {
          if (own[j]->f != leave && own[j]->outcome != EventType::info) continue;
          hold.until = own[j]->from;
          break;
        }
        out.push_back(hold);
      }
    }
  }
  return out;
}
bool disjoint(const std::vector<Hold>& holds) {
  for (const Hold& a : holds) {
    for (const Hold& b : holds) {
      if (a.process != b.process && a.from < b.until && b.from < a.until) return false;
    }
  }
  return true;
}

bool has(const Value& list, const Value& item) {
  return std::find(list.items().begin(), list.items().end(), item) != list.items().end();
}
bool any_twice(const Value& list) {
  return std::set<Value>(list.items().begin(), list.items().end()).size() != list.items().size();
}

}  // namespace

bool keeps_g2(const std::vector<Call>& calls) {
  std::map<Value, int> inserted;
  for (const Call& call : calls) inserted[call.key] += call.ok() ? 1 : 0;
  return std::all_of(inserted.begin(), inserted.end(), [](const auto& one) { return one.second <= 1; });
}

bool keeps_unique_ids(const std::vector<Call>& calls) {
  std::set<Value> ids;
  return std::all_of(calls.begin(), calls.end(),
                     [&](const Call& call) { return !call.ok() || ids.insert(call.seen).second; });
}

bool keeps_lock(const std::vector<Call>& calls) {
  if (!disjoint(holds_of(calls, "acquire", "release"))) return false;
  for (const Call& a : calls) {
    for (const Call& b : calls) {
      const bool both = a.f == "acquire" && b.f == "acquire" && a.ok() && b.ok() && before(a, b);
      if (both && a.seen.is_integer() && b.seen.is_integer() && !(a.seen < b.seen)) return false;
    }
  }
  return true;
}

bool keeps_election(const std::vector<Call>& calls) {
  const auto holds = holds_of(calls, "campaign", "resign");
  if (!disjoint(holds)) return false;
  struct Seen {
    const Call* call;
    Value term, name;
  };
  std::vector<Seen> seen;
  for (const Call& call : calls) {
    if (!call.ok() || call.f == "resign") continue;
    if (call.f == "campaign") {
      seen.push_back({&call, call.seen, call.asked});
    } else if (call.seen.is_map() && call.seen.find("leader") != nullptr) {
      seen.push_back({&call, *call.seen.find("term"), *call.seen.find("leader")});
    }
  }
  for (const Seen& a : seen) {
    for (const Seen& b : seen) {
      if (&a == &b) continue;
      if (a.term == b.term && a.name != b.name && !a.name.is_nil() && !b.name.is_nil()) return false;
      const bool elections = a.call->f == "campaign" && b.call->f == "campaign";
      if (elections && a.term == b.term) return false;
      if (before(*a.call, *b.call) && (b.term < a.term || (b.call->f == "campaign" && b.term == a.term))) return false;
    }
    if (a.call->f != "leader" || a.name.is_nil()) continue;
    // Elected in that term, or by an attempt of which nobody knows the outcome.
    const bool elected = std::any_of(calls.begin(), calls.end(), [&](const Call& call) {
      return call.f == "campaign" && call.asked == a.name && call.from < a.call->until &&
             (call.outcome == EventType::info || (call.ok() && call.seen == a.term));
    });
    if (!elected) return false;
    for (const Hold& hold : holds) {
      if (hold.name != a.name && hold.from < a.call->from && a.call->until < hold.until) return false;
    }
  }
  return true;
}

bool keeps_convergence(const std::vector<Call>& calls, bool counter, std::int64_t settle_ns) {
  std::int64_t quiet = -1, quiet_ns = 0;  // when every update had ended, those of unknown outcome had begun
  for (const Call& call : calls) {
    if (call.f != "add") continue;
    const bool open = call.until == Call::kForever;
    quiet = std::max(quiet, open ? call.from : call.until);
    quiet_ns = std::max(quiet_ns, open ? call.from_ns : call.until_ns);
  }
  std::map<std::int64_t, const Call*> last;
  for (const Call& call : calls) {
    const bool settled = call.from > quiet && call.from_ns - quiet_ns >= settle_ns;
    if (call.f == "read" && call.ok() && settled) last[call.process] = &call;
  }
  std::vector<const Call*> finals;
  for (const auto& [process, call] : last) {
    finals.push_back(call);
  }
  std::vector<const Call*> sure, unsure;
  for (const Call& call : calls) {
    if (call.f != "add" || call.outcome == EventType::fail) continue;
    (call.ok() ? sure : unsure).push_back(&call);
  }
  // The sums that some of the adds make, with all of `all`.
  const auto sums = [](const std::vector<const Call*>& all, const std::vector<const Call*>& some) {
    std::int64_t base = 0;
    for (const Call* call : all) base += call->asked.integer();
    std::set<std::int64_t> out{base};
    for (const Call* call : some) {
      for (const std::int64_t sum : std::set(out)) out.insert(sum + call->asked.integer());
    }
    return out;
  };
  for (const Call& read : calls) {
    if (read.f != "read" || !read.ok()) continue;
    std::vector<const Call*> begun;
    for (const auto* some : {&sure, &unsure}) {
      std::copy_if(some->begin(), some->end(), std::back_inserter(begun),
                   [&](const Call* add) { return add->from < read.until; });
    }
    if (counter) {
      if (!read.seen.is_integer() || !sums({}, begun).contains(read.seen.integer())) return false;
      continue;
    }
    if (!read.seen.is_list() || any_twice(read.seen)) return false;
    for (const Value& element : read.seen.items()) {
      if (std::none_of(begun.begin(), begun.end(), [&](const Call* add) { return add->asked == element; }))
        return false;
    }
  }
  // What differs between final reads, updates of unknown outcome may explain: each may still be on its way, but what
  // was seen by one final read is seen by those that begin later.
  for (const Call* read : finals) {
    if (counter) {
      if (!sums(sure, unsure).contains(read->seen.integer())) return false;
    } else {
      for (const Call* add : sure) {
        if (!has(read->seen, add->asked)) return false;
      }
    }
    for (const Call* later : finals) {
      if (!before(*read, *later)) continue;
      if (counter && unsure.empty() && read->seen != later->seen) return false;
      if (counter) continue;
      for (const Value& element : read->seen.items()) {
        if (!has(later->seen, element)) return false;
      }
    }
  }
  return true;
}

bool keeps_idempotency(const std::vector<Call>& calls) {
  const auto id = [](const Call& call) {
    const Value* found = call.asked.is_map() ? call.asked.find("id") : nullptr;
    return found == nullptr ? call.asked : *found;
  };
  std::map<Value, std::set<Value>> answers;
  for (const Call& call : calls) {
    if (call.f == "apply" && call.ok() && call.seen != call.asked) answers[id(call)].insert(call.seen);
  }
  for (const auto& [key, all] : answers) {
    if (all.size() > 1) return false;
  }
  for (const Call& read : calls) {
    if (read.f != "read" || !read.ok()) continue;
    if (!read.seen.is_list() || any_twice(read.seen)) return false;
    for (const Value& key : read.seen.items()) {
      const bool sent = std::any_of(calls.begin(), calls.end(), [&](const Call& call) {
        return call.f == "apply" && id(call) == key && call.outcome != EventType::fail && call.from < read.until;
      });
      if (!sent) return false;
    }
    for (const Call& call : calls) {
      if (!call.ok() || !before(call, read)) continue;
      if (call.f == "apply" && !has(read.seen, id(call))) return false;
      if (call.f != "read" || !call.seen.is_list()) continue;
      for (const Value& key : call.seen.items()) {
        if (!has(read.seen, key)) return false;
      }
    }
  }
  return true;
}

bool keeps_rate_limit(const std::vector<Call>& calls, std::size_t limit, std::int64_t window_ns) {
  std::vector<const Call*> grants, maybe;
  for (const Call& call : calls) {
    if (call.ok()) grants.push_back(&call);
    if (call.outcome != EventType::fail) maybe.push_back(&call);
  }
  // However the grants lie within their operations: those that began at `a` or later and ended less than a window
  // later.
  for (const Call* a : grants) {
    const auto inside = std::count_if(grants.begin(), grants.end(), [&](const Call* b) {
      return b->from_ns >= a->from_ns && b->until_ns < a->from_ns + window_ns;
    });
    if (static_cast<std::size_t>(inside) > limit) return false;
  }
  for (const Call& denial : calls) {
    if (denial.outcome != EventType::fail) continue;
    const auto room = std::count_if(maybe.begin(), maybe.end(), [&](const Call* grant) {
      return grant->from_ns <= denial.until_ns &&
             (grant->until_ns == Call::kForever || grant->until_ns >= denial.from_ns - window_ns);
    });
    if (static_cast<std::size_t>(room) < limit) return false;
  }
  return true;
}

// Each read shows, of every saga, how far it may have come: nothing, what was taken, that and what was given, or that
// and what was given back; an acknowledged one whole, one given up undone. Balances are what the events add up to.
bool keeps_saga(const std::vector<Call>& calls) {
  std::int64_t ended = -1;  // when all sagas had ended, in whatever way
  const Call* last = nullptr;
  for (const Call& call : calls) {
    if (call.f == "saga") ended = std::max(ended, call.until == Call::kForever ? call.from : call.until);
    if (call.f == "read" && call.ok() && (last == nullptr || last->from < call.from)) last = &call;
  }
  const auto member = [](const Call& call, const char* name) {
    const Value* found = call.seen.find(name);
    return found == nullptr ? Value() : *found;
  };
  std::map<Value, Value> offset;  // of each account, in all reads: the balance before all events
  for (const Call& read : calls) {
    if (read.f != "read" || !read.ok()) continue;
    const Value balances = member(read, "balances"), events = member(read, "events");
    if (!balances.is_map() || !events.is_list()) return false;
    std::map<Value, std::int64_t> sums;
    std::map<Value, Value::List> by_saga;
    for (const Value& event : events.items()) {
      if (!event.is_list() || event.items().size() != 3 || !event.items()[2].is_integer()) return false;
      sums[event.items()[1]] += event.items()[2].integer();
      by_saga[event.items()[0]].push_back(Value::list({event.items()[1], event.items()[2]}));
    }
    for (const auto& [account, sum] : sums) {
      if (balances.find(account) == nullptr) return false;
    }
    for (const auto& [account, balance] : balances.entries()) {
      if (!balance.is_integer() || balance.integer() < 0) return false;
      const Value rest(balance.integer() - sums[account]);
      if (offset.try_emplace(account, rest).first->second != rest) return false;
    }
    for (const Call& saga : calls) {
      if (saga.f != "saga") continue;
      const Value from = *saga.asked.find("from"), to = *saga.asked.find("to");
      const std::int64_t amount = saga.asked.find("amount")->integer();
      const Value take = Value::list({from, -amount}), give = Value::list({to, amount}),
                  back = Value::list({from, amount});
      Value::List shown = by_saga[*saga.asked.find("id")];
      by_saga.erase(*saga.asked.find("id"));
      std::sort(shown.begin(), shown.end());
      const auto is = [&](Value::List wanted) {
        std::sort(wanted.begin(), wanted.end());
        return shown == wanted;
      };
      const bool none = is({}), whole = is({take, give}), undone = is({take, back});
      if (saga.from > read.until && !none) return false;
      if (saga.ok() && before(saga, read) ? !whole : saga.ok() && !none && !whole && !is({take})) return false;
      if (saga.outcome == EventType::fail) {
        if (before(saga, read) ? !none && !undone : !none && !undone && !is({take})) return false;
      }
      const bool settled = &read == last && read.from > ended;
      if (saga.outcome == EventType::info && !none && !whole && !undone && (settled || !is({take}))) return false;
    }
    if (!by_saga.empty()) return false;  // of a saga that nobody began
    for (const Call& earlier : calls) {
      if (earlier.f != "read" || !earlier.ok() || !before(earlier, read)) continue;
      const Value shown = member(earlier, "events");
      if (!shown.is_list() || !member(earlier, "balances").is_map()) return false;
      for (const Value& event : shown.items()) {
        if (std::count(events.items().begin(), events.items().end(), event) <
            std::count(shown.items().begin(), shown.items().end(), event))
          return false;
      }
      const Value others = member(earlier, "balances");
      for (const auto& [account, balance] : others.entries()) {
        if (balances.find(account) == nullptr) return false;
      }
    }
  }
  return true;
}

bool keeps_ordered_ids(const std::vector<Call>& calls, std::int64_t tolerance_ns) {
  for (const Call& a : calls) {
    for (const Call& b : calls) {
      if (&a == &b || !a.ok() || !b.ok() || a.key != b.key) continue;
      if (a.seen == b.seen) return false;
      if (b.from_ns - a.until_ns > tolerance_ns && b.seen < a.seen) return false;
    }
  }
  return true;
}

namespace {

// Whether each lost element can be given to a crash that may have cost it, `most` to each; 0: any number.
bool affordable(const std::vector<std::vector<std::size_t>>& costly, std::size_t next, std::vector<int>& cost,
                int most) {
  if (next == costly.size()) return true;
  for (const std::size_t crash : costly[next]) {
    if (most > 0 && cost[crash] == most) continue;
    ++cost[crash];
    const bool found = affordable(costly, next + 1, cost, most);
    --cost[crash];
    if (found) return true;
  }
  return false;
}

}  // namespace

bool keeps_durability(const std::vector<Call>& calls, std::int64_t settle_ns, const std::vector<Crash>& crashes,
                      std::int64_t rpo_ns, int most) {
  std::vector<std::vector<std::size_t>> costly;
  for (const auto& [key, own] : by_key(calls)) {
    std::int64_t quiet = 0, quiet_ns = 0;  // when every add had ended, those of unknown outcome had begun
    for (const Call& add : own) {
      if (add.f != "add" || add.outcome == EventType::fail) continue;
      const std::int64_t place = add.ok() ? add.until : add.from;
      if (place < quiet) continue;
      quiet = place;
      quiet_ns = add.ok() ? add.until_ns : add.from_ns;
    }
    std::vector<const Call*> finals;
    for (const Call& read : own) {
      if (read.f != "read" || !read.ok()) continue;
      for (const Value& element : read.seen.items()) {
        const bool added = std::any_of(own.begin(), own.end(), [&](const Call& add) {
          return add.f == "add" && add.asked == element && add.outcome != EventType::fail && add.from < read.until;
        });
        if (!added) return false;
      }
      if (read.from > quiet && (read.from_ns < 0 || read.from_ns - quiet_ns >= settle_ns)) finals.push_back(&read);
    }
    for (const Call& add : own) {
      if (add.f != "add" || !add.ok() || finals.empty()) continue;
      if (std::any_of(finals.begin(), finals.end(), [&](const Call* read) { return has(read->seen, add.asked); }))
        continue;
      if (rpo_ns == 0) return false;
      costly.emplace_back();
      for (std::size_t i = 0; i < crashes.size(); ++i) {
        if (crashes[i].over_ns >= add.from_ns && crashes[i].begin_ns - add.until_ns <= rpo_ns)
          costly.back().push_back(i);
      }
    }
  }
  std::vector<int> cost(crashes.size());
  return affordable(costly, 0, cost, most);
}

}  // namespace ordeal::testing_support
