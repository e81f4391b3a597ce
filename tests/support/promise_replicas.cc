// Promises of replicas that converge: a replica for each client, which receives updates whenever it likes, and in the
// end has all that had happened by the last update.

#include <algorithm>
#include <functional>
#include <set>

#include "support/promise_oracle.h"
#include "support/some_order.h"

namespace ordeal::testing_support {
namespace {

// When the last update that may have happened had ended, one of unknown outcome had begun.
struct Quiet {
  std::int64_t place = 0, at_ns = 0;
};
Quiet quiet_of(const std::vector<Call>& calls) {
  Quiet out;
  for (const Call& call : calls) {
    if (call.f == "read" || call.outcome == EventType::fail) continue;
    const std::int64_t place = call.ok() ? call.until : call.from;
    if (place >= out.place) out = {place, call.ok() ? call.until_ns : call.from_ns};
  }
  return out;
}
// By their places: the last read of each client that began when replicas had had time to converge.
std::set<std::int64_t> finals_of(const std::vector<Call>& calls, Quiet quiet, std::int64_t settle_ns) {
  std::map<std::int64_t, std::int64_t> last;
  for (const Call& call : calls) {
    const bool settled = call.from_ns < 0 || call.from_ns - quiet.at_ns >= settle_ns;
    if (call.f == "read" && call.ok() && call.from > quiet.place && settled) {
      std::int64_t& known = last.try_emplace(call.process, call.from).first->second;
      known = std::max(known, call.from);
    }
  }
  std::set<std::int64_t> out;
  for (const auto& [process, place] : last) out.insert(place);
  return out;
}

// The adds and removals of one element that took effect so far, and what each replica has of them; sets are bits.
struct World {
  unsigned tags = 0;                                            // how many adds
  std::vector<unsigned> removed;                                // by removal: the adds that it observed
  std::map<std::int64_t, std::pair<unsigned, unsigned>> known;  // by process: adds and removals
  unsigned forced_tags = 0, forced_removals = 0;                // that have arrived everywhere in the end
  std::vector<std::pair<bool, unsigned>> crashed;               // is it a removal, its bit: not known yet to be forced
  friend auto operator<=>(const World&, const World&) = default;
};

// "show": a read that has the element; "lack": a final read that has not.
void take_effect(World world, const Call& step, unsigned tags, unsigned removals,
                 const std::function<void(const World&)>& next) {
  if (step.f == "add") {
    const unsigned bit = 1u << world.tags++;
    tags |= bit;
    step.ok() ? void(world.forced_tags |= bit) : world.crashed.push_back({false, bit});
  } else if (step.f == "remove") {
    const unsigned bit = 1u << world.removed.size();
    world.removed.push_back(tags);
    removals |= bit;
    step.ok() ? void(world.forced_removals |= bit) : world.crashed.push_back({true, bit});
  } else {
    unsigned visible = tags;
    for (std::size_t i = 0; i < world.removed.size(); ++i) {
      if ((removals >> i & 1) != 0) visible &= ~world.removed[i];
    }
    if ((visible != 0) != (step.f == "show")) return;
  }
  world.known[step.process] = {tags, removals};
  next(world);
}

bool keeps_element(const std::vector<Call>& steps, std::int64_t last_update, const std::set<std::int64_t>& finals) {
  const auto step = [&](const World& before, const Call& call, const auto& next) {
    World world = before;
    // One of unknown outcome that precedes the end of the last update had reached a replica by then.
    if (call.ok() && call.until <= last_update) {
      for (const auto& [removal, bit] : world.crashed) (removal ? world.forced_removals : world.forced_tags) |= bit;
      world.crashed.clear();
    }
    const auto found = world.known.find(call.process);
    auto [tags, removals] = found == world.known.end() ? std::pair(0u, 0u) : found->second;
    if (finals.contains(call.from)) {
      tags |= world.forced_tags;
      removals |= world.forced_removals;
    }
    // All that may have arrived at the replica of this client.
    const unsigned all_tags = (1u << world.tags) - 1;
    const unsigned all_removals = (1u << world.removed.size()) - 1;
    for (unsigned t = 0; t <= all_tags; ++t) {
      for (unsigned r = 0; r <= all_removals; ++r) {
        if ((t & tags) == tags && (r & removals) == removals) take_effect(world, call, t, r, next);
      }
    }
  };
  return some_order(steps, World(), step);
}

bool keeps_set(const std::vector<Call>& calls, std::int64_t settle_ns) {
  const Quiet quiet = quiet_of(calls);
  const std::set<std::int64_t> finals = finals_of(calls, quiet, settle_ns);
  std::set<Value> elements;
  for (const Call& call : calls) {
    if (call.f != "read") elements.insert(call.asked);
    if (call.f != "read" || !call.ok()) continue;
    for (const Value& element : call.seen.items()) elements.insert(element);
    if (std::set<Value>(call.seen.items().begin(), call.seen.items().end()).size() != call.seen.items().size())
      return false;
  }
  for (const Value& element : elements) {
    std::vector<Call> steps;
    for (const Call& call : calls) {
      if (call.f != "read" && call.asked == element) steps.push_back(call);
      if (call.f != "read" || !call.ok()) continue;
      const auto& items = call.seen.items();
      const bool shown = std::find(items.begin(), items.end(), element) != items.end();
      if (!shown && !finals.contains(call.from)) continue;  // it may be late
      steps.push_back(call);
      steps.back().f = shown ? "show" : "lack";
    }
    if (!keeps_element(steps, quiet.place, finals)) return false;
  }
  return true;
}

// One key of a map in which the greatest timestamp wins.
class LwwKey {
 public:
  LwwKey(const std::vector<Call>& calls, std::int64_t settle_ns)
      : quiet_(quiet_of(calls)), finals_(finals_of(calls, quiet_, settle_ns)) {
    for (const Call& call : calls) {
      if (call.f == "read" ? !call.ok() : call.outcome == EventType::fail) continue;
      steps_.push_back({call, call.f == "read" ? 0 : timestamp(call), value(call)});
    }
  }

  // Whether some order of the values with equal timestamps, and some source of each read, explain it all.
  [[nodiscard]] bool explained() {
    std::vector<Value> values, tied;
    for (const Step& one : steps_) {
      if (one.is_read() || std::find(values.begin(), values.end(), one.value) != values.end()) continue;
      values.push_back(one.value);
    }
    for (const Value& one : values) {
      if (is_tied(one)) tied.push_back(one);
    }
    std::sort(tied.begin(), tied.end());
    do {
      for (std::size_t i = 0; i < values.size(); ++i) rank_[values[i]] = static_cast<int>(i);
      for (std::size_t i = 0; i < tied.size(); ++i) rank_[tied[i]] = static_cast<int>(values.size() + i);
      if (from(0, {}, {})) return true;
    } while (std::next_permutation(tied.begin(), tied.end()));
    return false;
  }

 private:
  struct Step {
    Call call;
    std::int64_t timestamp = 0;
    Value value;  // that was read or written; nil: nothing, or removed
    [[nodiscard]] bool is_read() const { return call.f == "read"; }
  };
  using Known = std::map<std::int64_t, std::int64_t>;  // by process: the greatest timestamp that its replica has
  static constexpr std::int64_t kNothing = INT64_MIN;

  static std::int64_t timestamp(const Call& call) {
    return (call.f == "remove" ? call.asked : call.asked.items()[0]).integer();
  }
  static Value value(const Call& call) {
    if (call.f == "read") return call.seen;
    return call.f == "remove" ? Value() : call.asked.items()[1];
  }
  static std::int64_t of(const Known& known, std::int64_t process) {
    const auto found = known.find(process);
    return found == known.end() ? kNothing : found->second;
  }
  [[nodiscard]] bool is_tied(const Value& one) const {
    for (const Step& a : steps_) {
      for (const Step& b : steps_) {
        if (!a.is_read() && !b.is_read() && a.value == one && b.value != one && a.timestamp == b.timestamp) return true;
      }
    }
    return false;
  }

  // The steps from that one on. `forced`: writes of unknown outcome that have arrived everywhere.
  bool from(std::size_t next, Known known, const std::set<std::size_t>& forced) const {
    if (next == steps_.size()) return true;
    const Step& step = steps_[next];
    const std::int64_t process = step.call.process;
    if (!step.is_read()) {
      if (step.call.ok()) known[process] = std::max(of(known, process), step.timestamp);
      return from(next + 1, known, forced);
    }
    if (finals_.contains(step.call.from)) return final_read(step, known, forced) && from(next + 1, known, forced);
    if (step.value.is_nil() && of(known, process) == kNothing && from(next + 1, known, forced)) return true;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const Step& write = steps_[i];
      if (write.is_read() || write.value != step.value || write.call.from > step.call.until ||
          write.timestamp < of(known, process))
        continue;
      Known more = known;
      more[process] = write.timestamp;
      std::set<std::size_t> arrived = forced;
      if (!write.call.ok() && step.call.until < quiet_.place) arrived.insert(i);
      if (from(next + 1, more, arrived)) return true;
    }
    return false;
  }

  // Whether a choice of the writes of unknown outcome makes it what it is.
  [[nodiscard]] bool final_read(const Step& step, const Known& known, const std::set<std::size_t>& forced) const {
    std::vector<std::size_t> sure, unsure;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (steps_[i].is_read()) continue;
      if (steps_[i].call.ok() || forced.contains(i)) {
        sure.push_back(i);
      } else if (steps_[i].call.from < step.call.until) {
        unsure.push_back(i);
      }
    }
    for (unsigned chosen = 0; chosen < 1u << unsure.size(); ++chosen) {
      std::vector<std::size_t> in = sure;
      for (std::size_t i = 0; i < unsure.size(); ++i) {
        if ((chosen >> i & 1) != 0) in.push_back(unsure[i]);
      }
      std::pair<std::int64_t, int> best = {kNothing, 0};
      Value shown;
      for (const std::size_t i : in) {
        const std::pair mine(steps_[i].timestamp, rank_.at(steps_[i].value));
        if (mine < best) continue;
        best = mine;
        shown = steps_[i].value;
      }
      if (shown == step.value && best.first >= of(known, step.call.process)) return true;
    }
    return false;
  }

  Quiet quiet_;
  std::set<std::int64_t> finals_;
  std::vector<Step> steps_;  // by invocation
  std::map<Value, int> rank_;
};

}  // namespace

bool keeps_or_set(const std::vector<Call>& calls, std::int64_t settle_ns) {
  const auto objects = by_key(calls);
  return std::all_of(objects.begin(), objects.end(), [&](const auto& one) { return keeps_set(one.second, settle_ns); });
}

bool keeps_lww_map(const std::vector<Call>& calls, std::int64_t settle_ns) {
  const auto objects = by_key(calls);
  return std::all_of(objects.begin(), objects.end(),
                     [&](const auto& one) { return LwwKey(one.second, settle_ns).explained(); });
}

}  // namespace ordeal::testing_support
