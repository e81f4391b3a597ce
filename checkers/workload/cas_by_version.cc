// The checker "cas-by-version": registers whose compare-and-set names the version that it expects, as those of etcd
// (mod_revision), ZooKeeper (setData with a version), or HTTP (If-Match) do. It is there to find the ABA problem: a
// compare-and-set that succeeds because the value is the same again, though it was changed in between.
//
// Operations, by key: `read`, whose ok value is [version, value], [0, nil] before the first change; `cas-version` with
// [expected version, new value], ok with [new version, new value]. An ok that repeats what was asked, or has nil for a
// version, does not tell the new one. Each change makes a version greater than all before it; versions need not be
// dense. A refusal claims nothing: a compare-and-set may fail without need.
//
//   aba                 a compare-and-set succeeded against a version that was no longer current; the value was the
//                       same again
//   lost-update         two compare-and-sets succeeded against one version
//   stale-cas           one succeeded against a version that was no longer current, and neither of the above
//   version-reused      one version was seen with two values, or made by two compare-and-sets
//   version-went-back   a compare-and-set made a version not above the one it expected, or one below a version that
//                       was known before it began
//   stale-read          a read shows a version below one that was known before it began
//   unexpected-version  a read shows a version that no compare-and-set made, or not before the read was over
//
// This is linearizability, decided without a search. Only a compare-and-set that expects a version can follow it, so
// versions in the order of their numbers are a chain whose every link is one operation: that which returned the
// version, or one of unknown outcome that expected the version before (of several with the same value, the first
// invoked explains most). A version with its maker and its readers is a group; an order exists exactly when every link
// has a maker, no reader is over before its maker begins, and no operation of a later group is over before one of an
// earlier group begins. One of unknown outcome that expects a version which nobody saw might have made a link out of
// nothing: where that would matter the verdict is `unknown`. Cost: O(n log n).
//
// "bounded-staleness-T": reads may be late, by what is said in checkers/consistency/bounded_staleness.h,
// compare-and-sets may not. With reads that begin T earlier the argument above is the same, so this, too, is decided
// without a search.
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "checkers/interfaces/time_bound.h"
#include "checkers/workload/judgement.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

constexpr const char* kGuessed =
    "a compare-and-set of unknown outcome expected a version that nobody saw, so a version may have come from it";

struct Cas {
  OperationEvents op;
  std::int64_t expected = 0;
  std::optional<std::int64_t> version;  // that it returned
  ValueId value = kNil;
  bool ok = false;
};

// A version, whoever made it, and who saw it.
struct Group {
  std::int64_t version = 0;
  ValueId value = kAbsent;  // not known: nobody read it, it was only expected
  OperationEvents first;    // the first operation that names it
  const Cas* maker = nullptr;
  std::vector<OperationEvents> readers;
};

class VersionedRegister {
 public:
  // `bound_ns`: how late reads may be; none: not at all.
  VersionedRegister(Judgement& in, ValueId key, std::optional<std::int64_t> bound_ns)
      : in_(in), key_(key), bound_ns_(bound_ns) {
    groups_[0].value = kNil;
  }

  void cas(Cas one) { changes_.push_back(one); }
  void read(OperationEvents op, std::int64_t version, ValueId value) { reads_.push_back({op, version, value}); }

  void judge() {
    if (!collect() || !link()) return;
    look_at_time();
    count_outdated();
  }

 private:
  struct Read {
    OperationEvents op;
    std::int64_t version;
    ValueId value;
  };

  std::string shown(std::int64_t version) const { return "version " + std::to_string(version); }
  void tell(const char* type, std::vector<EventIndex> operations, std::string explanation) {
    in_.tell(type, std::move(operations), std::move(explanation), {}, key_);
    broken_ = true;
  }

  // Puts an observation into its group. Tells when the version is known with another value.
  void observe(std::int64_t version, ValueId value, OperationEvents op) {
    in_.work();
    const auto [at, fresh] = groups_.try_emplace(version);
    Group& group = at->second;
    if (fresh) {
      group.version = version;
      group.first = op;
    }
    if (group.value == kAbsent && value != kAbsent) {
      group.value = value;
      group.first = op;
    }
    if (value == kAbsent || group.value == value) return;
    tell("version-reused", {group.first.invocation, op.invocation},
         shown(version) + " was seen with " + in_.shown(group.value) +
             (group.first.invocation == kNoEvent ? " (as all begin)" : " by " + in_.named(group.first)) + " and with " +
             in_.shown(value) + " by " + in_.named(op));
  }

  // The groups. False when versions contradict each other.
  bool collect() {
    for (const Cas& one : changes_) {
      if (!one.ok) continue;
      observe(one.expected, kAbsent, one.op);
      if (!one.version) continue;
      if (*one.version <= one.expected) {
        tell("version-went-back", {one.op.invocation},
             in_.named(one.op) + " expected " + shown(one.expected) + " and made " + shown(*one.version));
        continue;
      }
      observe(*one.version, one.value, one.op);
      Group& group = groups_[*one.version];
      if (group.maker != nullptr) {
        tell("version-reused", {group.maker->op.invocation, one.op.invocation},
             in_.named(group.maker->op) + " and " + in_.named(one.op) + " both made " + shown(*one.version));
      }
      group.maker = &one;
    }
    for (const Read& one : reads_) {
      observe(one.version, one.value, one.op);
      groups_[one.version].readers.push_back(one.op);
    }
    return !broken_;
  }

  // Who made the version after `before` that nobody is known to have made. nullptr: nobody can have.
  const Cas* candidate(std::int64_t before, const Group& group) const {
    const Cas* best = nullptr;
    for (const Cas* one : by_expected(before)) {
      if (one->version || (group.value != kAbsent && one->value != group.value)) continue;
      if (one->ok) return one;  // it did happen, so this is what it made
      if (best == nullptr || one->op.invocation < best->op.invocation) best = one;
    }
    return best;
  }
  std::vector<const Cas*> by_expected(std::int64_t version) const {
    const auto found = expecting_.find(version);
    return found == expecting_.end() ? std::vector<const Cas*>() : found->second;
  }
  // Whether an operation of unknown outcome expects a version in between that nobody saw.
  bool guessed_between(std::int64_t before, std::int64_t version) const {
    return std::any_of(changes_.begin(), changes_.end(), [&](const Cas& one) {
      return !one.ok && !in_.failed(one.op) && one.expected > before && one.expected < version &&
             !groups_.contains(one.expected);
    });
  }

  // Finds the maker of every version. False when there is none, or one that must not have succeeded.
  bool link() {
    for (const Cas& one : changes_) {
      if (!in_.failed(one.op)) expecting_[one.expected].push_back(&one);
    }
    for (auto at = groups_.begin(); std::next(at) != groups_.end(); ++at) {
      in_.work();
      const Group& before = at->second;
      Group& group = std::next(at)->second;
      if (group.maker == nullptr) group.maker = candidate(before.version, group);
      if (group.maker == nullptr && guessed_between(before.version, group.version)) {
        in_.inconclusive(kGuessed);
        return false;
      }
      if (group.maker == nullptr) {
        tell("unexpected-version", explained_by(group.first, before.version),
             in_.named(group.first) + " shows " + shown(group.version) + (group.value == kAbsent ? "" : " with ") +
                 (group.value == kAbsent ? "" : in_.shown(group.value)) + ", which no compare-and-set that expected " +
                 shown(before.version) + ", the one before, can have made");
      } else if (group.maker->ok && group.maker->expected != before.version) {
        outdated(*group.maker, group, before);
      }
      only_one(group.maker, before.version, group.version);
    }
    only_one(nullptr, groups_.rbegin()->first, 0);
    return !broken_;
  }
  std::vector<EventIndex> explained_by(OperationEvents op, std::int64_t before) const {
    std::vector<EventIndex> out = {op.invocation};
    const Group& group = groups_.at(before);
    out.push_back(group.first.invocation);
    return out;
  }

  // `one` succeeded against a version that was not the last before the one it made.
  void outdated(const Cas& one, const Group& made, const Group& before) {
    const ValueId expected = groups_.at(one.expected).value;
    const Cas* other = nullptr;
    for (const Cas* cas : by_expected(one.expected)) {
      if (cas != &one && cas->ok) other = cas;
    }
    const bool same = expected != kAbsent && expected == before.value;
    std::vector<EventIndex> operations = {one.op.invocation, before.first.invocation};
    if (before.maker != nullptr) operations.push_back(before.maker->op.invocation);
    if (!same && other != nullptr) operations.push_back(other->op.invocation);
    std::string why = in_.named(one.op) + " expected " + shown(one.expected) + " and made " + shown(made.version) +
                      ", although " + shown(before.version) + " came in between";
    if (same) why += "; its value " + in_.shown(expected) + " is that of the version expected";
    if (!same && other != nullptr) why += "; " + in_.named(other->op) + " had succeeded against the same version";
    tell(same ? "aba" : other != nullptr ? "lost-update" : "stale-cas", std::move(operations), std::move(why));
  }

  // Successes that expected the version and do not tell what they made: at most the maker of the next one.
  void only_one(const Cas* maker, std::int64_t version, std::int64_t next) {
    const Cas* first = maker != nullptr && maker->ok && maker->expected == version ? maker : nullptr;
    for (const Cas* one : by_expected(version)) {
      if (!one->ok || one->version || one == maker) continue;
      if (first == nullptr && maker == nullptr) {  // what it made was never seen
        first = one;
        last_ = one;
        continue;
      }
      if (first == nullptr && guessed_between(version, next)) return in_.inconclusive(kGuessed);
      std::vector<EventIndex> operations = {one->op.invocation};
      if (first != nullptr) operations.push_back(first->op.invocation);
      if (first == nullptr && maker != nullptr) operations.push_back(maker->op.invocation);
      tell("lost-update", std::move(operations),
           in_.named(one->op) + " succeeded against " + shown(version) +
               ", but what it wrote did not follow that version" +
               (first == nullptr ? "" : ": " + in_.named(first->op) + " succeeded against the same version"));
    }
  }

  // The order of the groups against real time, the last group first.
  void look_at_time() {
    const History& h = in_.history();
    OperationEvents known;  // the first operation over that shows a version of a later group
    std::int64_t version = 0;
    const auto take = [&](OperationEvents op, std::int64_t shows) {
      if (!in_.ok(op) || (known.completion != kNoEvent && known.completion <= op.completion)) return;
      known = op;
      version = shows;
    };
    if (last_ != nullptr) take(last_->op, groups_.rbegin()->first + 1);
    for (auto at = groups_.rbegin(); at != groups_.rend(); ++at) {
      const Group& group = at->second;
      const auto late = [&](OperationEvents op) {
        return known.completion != kNoEvent && known.completion < op.invocation;
      };
      const std::string after =
          known.completion == kNoEvent
              ? ""
              : ", after " + in_.named(known) + " had shown a later one (" + in_.event(known.completion) + ")";
      for (const OperationEvents op : group.readers) {
        in_.work();
        if (late(op) && too_late(known, op)) {
          tell("stale-read", {op.invocation, known.invocation},
               in_.named(op) + " shows " + shown(group.version) + after);
        } else if (group.maker != nullptr && h.outcome(op) == EventType::ok &&
                   op.completion < group.maker->op.invocation) {
          tell("unexpected-version", {op.invocation, group.maker->op.invocation},
               in_.named(op) + " shows " + shown(group.version) + ", which was made later, by " +
                   in_.named(group.maker->op));
        }
      }
      if (group.maker != nullptr && late(group.maker->op)) {
        tell(group.maker->ok ? "version-went-back" : "unexpected-version",
             {group.maker->op.invocation, known.invocation},
             in_.named(group.maker->op) + " made " + shown(group.version) + after);
      }
      for (const OperationEvents op : group.readers) take(op, group.version);
      if (group.maker != nullptr) take(group.maker->op, group.version);
    }
  }

  // Whether a read that began after `known` had ended did so longer after than it may.
  bool too_late(OperationEvents known, OperationEvents read) const {
    const History& h = in_.history();
    return !bound_ns_ || h.time(read.invocation) - h.time(known.completion) > *bound_ns_;
  }

  // How many compare-and-sets expected a version that was certainly outdated when they began: what the promise is for.
  void count_outdated() {
    std::vector<std::pair<EventIndex, std::int64_t>> known;  // when versions became known
    for (const auto& [version, group] : groups_) {
      for (const OperationEvents op : group.readers) known.emplace_back(op.completion, version);
      if (group.maker != nullptr && group.maker->ok && group.maker->version)
        known.emplace_back(group.maker->op.completion, version);
    }
    std::sort(known.begin(), known.end());
    std::int64_t newest = 0;
    std::size_t at = 0;
    for (const Cas& one : changes_) {  // by invocation
      for (; at < known.size() && known[at].first < one.op.invocation; ++at)
        newest = std::max(newest, known[at].second);
      if (newest > one.expected) ++in_.counter("outdated-tries");
    }
  }

  Judgement& in_;
  const ValueId key_;
  const std::optional<std::int64_t> bound_ns_;
  std::vector<Cas> changes_;
  std::vector<Read> reads_;
  std::map<std::int64_t, Group> groups_;
  std::map<std::int64_t, std::vector<const Cas*>> expecting_;  // those that may have happened
  const Cas* last_ = nullptr;  // it succeeded against the last version seen, and nobody saw what it made
  bool broken_ = false;
};

// [version, value] with a version that is no negative number, or, where `unknown` allows it, nil.
std::optional<std::pair<std::optional<std::int64_t>, ValueId>> versioned(const Judgement& in, ValueId pair,
                                                                         bool unknown) {
  const auto parts = in.items(pair);
  if (parts.size() != 2) return std::nullopt;
  const auto version = in.integer(parts[0]);
  if (version ? *version < 0 : !(unknown && parts[0] == kNil)) return std::nullopt;
  return std::pair(version, parts[1]);
}

void judge_cas_by_version(Judgement& in) {
  if (!in.understands({"read", "cas-version"})) return;
  const auto bound_ns = time_bound_ns(in.level("linearizable"), kBoundedStalenessT);
  if (bound_ns) {
    if (std::string why = no_times(in.history()); !why.empty()) return in.refuse(std::move(why));
  }
  std::map<ValueId, VersionedRegister> keys;
  for (const OperationEvents op : in.operations()) {
    VersionedRegister& of = keys.try_emplace(in.key(op), in, in.key(op), bound_ns).first->second;
    if (in.f(op) == "read") {
      if (!in.ok(op)) continue;
      const auto seen = versioned(in, in.seen(op), false);
      if (!seen) return in.refuse(op, "[version, value]");
      ++in.counter("reads");
      of.read(op, *seen->first, seen->second);
      continue;
    }
    if (in.f(op) != "cas-version") continue;
    const auto asked = versioned(in, in.asked(op), false);
    if (!asked) return in.refuse(op, "[expected version, value]");
    Cas one{op, *asked->first, std::nullopt, asked->second, in.ok(op)};
    if (one.ok && in.seen(op) != kAbsent && in.seen(op) != in.asked(op)) {
      const auto seen = versioned(in, in.seen(op), true);
      if (!seen || seen->second != one.value) return in.refuse(op, "[new version, the value asked for]");
      one.version = seen->first;
    }
    in.counter("changes") += one.ok ? 1 : 0;
    of.cas(one);
  }
  for (auto& [key, one] : keys) one.judge();
  in.keys(keys.size());
  if (in.counter("changes") == 0) in.inconclusive("no compare-and-set succeeded");
  if (in.counter("reads") == 0) in.inconclusive("no read succeeded");
  if (in.counter("outdated-tries") == 0)
    in.inconclusive("no compare-and-set expected a version that was certainly outdated, so none could succeed wrongly");
}

}  // namespace

WorkloadChecker cas_by_version() {
  return {"cas-by-version",
          "registers with compare-and-set by version: it succeeds against the current version only, whatever the value",
          {"linearizable", std::string(kBoundedStalenessT)},
          judge_cas_by_version,
          {{"aba", "a compare-and-set succeeded against an outdated version because the value was the same again"},
           {"lost-update", "two compare-and-sets succeeded against one version"},
           {"stale-cas", "a compare-and-set succeeded against a version that was no longer current"},
           {"version-reused", "one version was seen with two values, or made twice"},
           {"version-went-back", "a compare-and-set made a version that was not greater than all before it"},
           {"stale-read", "a read shows a state that was known to be over before the read began"},
           {"unexpected-version", "a version was read that no compare-and-set made"}}};
}

}  // namespace ordeal::work
