// The checker "transparency-log": a list of entries that only grows, and what makes it publicly verifiable: tree heads
// and proofs of RFC 6962.
//
// Operations: `append` value, ok with [index, value], indices from 0; the same value again is the same append (its
// idempotency key is the value), in the log once, with one index. `read` and `tail` [from, limit], ok with
// {"from", "entries", "size"}: the entries from there on, as many as there are and at most `limit`, and the size of the
// log at that moment; a tail waits for the first one. `head`, ok with {"size", "root"} and, where the client verifies
// signatures, "signed" (true or false); `inclusion` [index, size], ok with {"leaf", "proof"}; `consistency`
// [first, second], ok with {"proof"}; hashes in base64. An entry's bytes are the JSON of its value.
//
// Appends, reads and tails are linearizable. Heads and proofs may be old: they must be of a beginning of the log as it
// was at some time before they were shown.
//
//   forked-log          two different entries were acknowledged or shown at one index
//   duplicate-element   one append has two indices
//   lost-element        a read or tail is shorter than the log was known to be before it began, and stays so
//   stale-read          … and others saw the rest later
//   index-went-back     an entry stands before, or where, others had been acknowledged or shown before its append began
//   wrong-range         a read or tail shows other than the range that it asked for: entries skipped, or too few
//   unexpected-element  an entry that nobody had appended, or whose append failed
//   early-head          a head or proof of a size for which not enough had been appended when it was shown
//   forked-head         two heads of one size with different roots
//   wrong-root          a head whose root is not that of the entries
//   unsigned-head       a head whose signature does not verify
//   bad-proof           a proof that does not lead to the root of its size
//
// Why this is exact. Let t(i) be when the entry at index i came in. The list explains what was seen exactly when there
// are t(0) < t(1) < … with t(i) after the first invocation of its append and of every read of size i, and before the
// end of everything that shows that index i is there. Such t exist exactly when no index i has one of the first events
// after one of the last events of an index j >= i. An index of which nobody saw the entry is filled by an append of
// unknown outcome, the earliest first: that loses nothing, since these have no end. Heads and proofs are held against
// the tree that is computed from the entries; where some of those were never seen, `unknown`.
// Cost: O(n log n) and two hashes an entry. Sources: RFC 6962, section 2.1; M. P. Herlihy, J. M. Wing, 1990.
#include "checkers/workload/transparency_log.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/merkle/tree.h"
#include "checkers/workload/judgement.h"

namespace ordeal::work {
namespace {

using merkle::Hash;

constexpr OperationEvents kNone{kNoEvent, kNoEvent};

// What is known of one index.
struct Place {
  ValueId entry = kAbsent;
  OperationEvents shown_by = kNone;
  EventIndex since = 0;              // it came in after this event …
  OperationEvents since_by = kNone;  // … of this read, which did not have it; kNone: its append
  EventIndex until = kNoEvent;       // … and before this one
  OperationEvents until_by = kNone;
};

struct Head {
  OperationEvents op;
  std::size_t size = 0;
  Hash root{};
};
struct ProofSeen {
  OperationEvents op;
  std::size_t first = 0, second = 0;  // inclusion: index and size
  Hash leaf{};
  merkle::Proof hashes;
};

class TransparencyLog {
 public:
  explicit TransparencyLog(Judgement& in) : in_(in) {}

  void judge() {
    for (const OperationEvents op : in_.operations()) {
      if (in_.f(op) == "append") attempt(op);
    }
    for (const auto& [value, tried] : tried_.all()) possible_ += tried.possible > 0 ? 1 : 0;
    for (const OperationEvents op : in_.operations()) {
      if (in_.ok(op)) take(op);
      if (in_.refused()) return;
    }
    order();
    heads();
    proofs();
    vacuous();
  }

 private:
  // ---- taking in what was seen

  void attempt(OperationEvents op) {
    const Attempts* before = tried_.find(in_.asked(op));
    if (before != nullptr && in_.ok(op)) ++in_.counter("sent-again");
    tried_.add(in_, in_.asked(op), op);
  }

  void take(OperationEvents op) {
    const std::string_view f = in_.f(op);
    if (f == "append") return acknowledged(op);
    if (f == "head") return head(op);
    const auto asked = in_.items(in_.asked(op));
    if (asked.size() != 2 || !number(asked[0]) || !number(asked[1]))
      return in_.refuse(op, "two whole numbers from 0 on as what was asked for");
    if (f == "read" || f == "tail") return range(op, *number(asked[0]), *number(asked[1]));
    proof(op, f == "inclusion", *number(asked[0]), *number(asked[1]));
  }

  void acknowledged(OperationEvents op) {
    const auto parts = in_.items(in_.seen(op));
    if (parts.size() != 2 || !number(parts[0]) || parts[1] != in_.asked(op)) return in_.refuse(op, "[index, value]");
    ++in_.counter("appends");
    const std::size_t index = *number(parts[0]);
    if (fits(op, index, parts[1]) && reaches(op, index + 1)) place(op, index, parts[1]);
  }

  void range(OperationEvents op, std::size_t from, std::size_t limit) {
    const ValueId shown = in_.seen(op);
    const auto start = number(member(shown, "from")), size = number(member(shown, "size"));
    if (!start || !size || !in_.is_list(member(shown, "entries")))
      return in_.refuse(op, R"({"from", "entries", "size"})");
    const auto entries = in_.items(member(shown, "entries"));
    ++in_.counter(entries.empty() ? "empty-ranges" : in_.f(op) == "tail" ? "tails" : "reads");
    looks_.push_back(op);
    const std::size_t there = *size > from ? std::min(*size - from, limit) : 0;
    if (*start != from || entries.size() != there) {
      in_.tell("wrong-range", {op.invocation},
               in_.named(op) + " asked for " + std::to_string(limit) + " entries from index " + std::to_string(from) +
                   " of a log that has " + std::to_string(*size) + ", and was shown " + std::to_string(entries.size()) +
                   " from index " + std::to_string(*start));
      return;
    }
    if (from == 0 && entries.size() > covered_) {
      covering_ = {op};
      covered_ = entries.size();
    }
    bool whole = true;
    for (std::size_t i = 0; i < entries.size(); ++i) whole = fits(op, from + i, entries[i]) && whole;
    if (!whole || !reaches(op, *size)) return;
    if (places_.size() <= *size) places_.resize(*size + 1);
    if (Place& next = places_[*size]; next.since_by.invocation == kNoEvent || next.since < op.invocation) {
      next.since = op.invocation;
      next.since_by = op;
    }
    for (std::size_t i = 0; i < entries.size(); ++i) place(op, from + i, entries[i]);
  }

  void head(OperationEvents op) {
    const ValueId shown = in_.seen(op);
    const auto size = number(member(shown, "size"));
    const auto root = hash(member(shown, "root"));
    if (!size || !root) return in_.refuse(op, R"({"size", "root"}, the root in base64)");
    if (const ValueId signature = member(shown, "signed"); signature != kAbsent) {
      if (in_.values().kind(signature) != Value::Kind::boolean) return in_.refuse(op, R"("signed": true or false)");
      if (!in_.values().as_boolean(signature))
        in_.tell(
            "unsigned-head", {op.invocation},
            in_.named(op) + " shows a head of " + std::to_string(*size) + " entries whose signature does not verify");
    }
    in_.counter("heads") += *size > 0 ? 1 : 0;
    if (reaches(op, *size)) heads_[*size].push_back({op, *size, *root});
  }

  void proof(OperationEvents op, bool inclusion, std::size_t first, std::size_t second) {
    const ValueId shown = in_.seen(op);
    ProofSeen one{op, first, second, {}, {}};
    if (inclusion) {
      const auto leaf = hash(member(shown, "leaf"));
      if (!leaf) return in_.refuse(op, R"({"leaf", "proof"}, hashes in base64)");
      one.leaf = *leaf;
    }
    if (!in_.is_list(member(shown, "proof"))) return in_.refuse(op, R"({"proof"}, a list of hashes in base64)");
    for (const ValueId item : in_.items(member(shown, "proof"))) {
      const auto next = hash(item);
      if (!next) return in_.refuse(op, "hashes of 32 bytes in base64");
      one.hashes.push_back(*next);
    }
    if (reaches(op, second)) proofs_.push_back(std::move(one));
  }

  // What the operation saw of the log has that size. False: nobody can have appended so much.
  bool reaches(OperationEvents op, std::size_t size) {
    if (size == 0) return true;
    if (size > possible_) {
      too_much(op, "covers " + std::to_string(size) + " entries, although only " + std::to_string(possible_) +
                       " were ever appended");
      return false;
    }
    if (places_.size() < size) places_.resize(size);
    Place& last = places_[size - 1];
    if (last.until_by.invocation != kNoEvent && last.until <= op.completion) return true;
    last.until = op.completion;
    last.until_by = op;
    return true;
  }

  // Whether the entry was appended, and the index is its own, as far as known.
  bool fits(OperationEvents op, std::size_t index, ValueId entry) {
    if (!tried_.explained(in_, "unexpected-element", "entry", entry, op)) return sound_ = false;
    if (index < places_.size() && places_[index].entry != kAbsent && places_[index].entry != entry) {
      const Place& here = places_[index];
      in_.tell("forked-log", {here.shown_by.invocation, op.invocation},
               in_.named(here.shown_by) + " has " + in_.shown(here.entry) + " at index " + std::to_string(index) +
                   ", " + in_.named(op) + " has " + in_.shown(entry) + " there");
      return sound_ = false;
    }
    const auto& known = index_of_.try_emplace(entry, Shown{index, op}).first->second;
    if (known.index == index) return true;
    in_.tell("duplicate-element", {known.by.invocation, op.invocation},
             "the entry " + in_.shown(entry) + " is at index " + std::to_string(known.index) + " by " +
                 in_.named(known.by) + " and at index " + std::to_string(index) + " by " + in_.named(op));
    return sound_ = false;
  }

  // Requires: it fits.
  void place(OperationEvents op, std::size_t index, ValueId entry) {
    if (places_[index].entry != kAbsent) return;
    places_[index].entry = entry;
    places_[index].shown_by = op;
  }

  // ---- is there an order?

  void order() {
    std::vector<EventIndex> spare;  // invocations of appends that nobody saw, the earliest first
    for (const auto& [value, tried] : tried_.all()) {
      if (tried.possible > 0 && !index_of_.contains(value)) spare.push_back(tried.invoked);
    }
    std::sort(spare.begin(), spare.end());
    std::size_t next = 0;
    const std::size_t size = known_size();
    std::vector<EventIndex> begun(places_.size(), 0);
    for (std::size_t i = 0; i < size; ++i) {
      if (places_[i].entry != kAbsent) {
        const Attempts* tried = tried_.find(places_[i].entry);
        if (tried != nullptr && tried->invoked != kNoEvent) begun[i] = tried->invoked;
      } else if (next < spare.size()) {
        begun[i] = spare[next++];
      } else {
        too_much(places_[size - 1].until_by, "has " + std::to_string(size) + " entries, of which some can be nobody's");
        sound_ = false;
        return;
      }
    }
    OperationEvents end = kNone;  // the earliest that shows an index not below i
    EventIndex until = kNoEvent;
    for (std::size_t i = places_.size(); i-- > 0;) {
      in_.work();
      const Place& here = places_[i];
      if (here.until_by.invocation != kNoEvent && here.until < until) {
        until = here.until;
        end = here.until_by;
      }
      if (until == kNoEvent) continue;
      if (i < size && begun[i] > until) went_back(i, begun[i], end);
      if (here.since_by.invocation != kNoEvent && here.since > until) short_read(here.since_by, i, end);
    }
  }

  // The number of indices that something shows to be there.
  [[nodiscard]] std::size_t known_size() const {
    std::size_t size = places_.size();
    while (size > 0 && places_[size - 1].until_by.invocation == kNoEvent) --size;
    return size;
  }

  void short_read(OperationEvents op, std::size_t size, OperationEvents before) {
    const bool seen_later = std::any_of(looks_.begin(), looks_.end(), [&](OperationEvents look) {
      return look.invocation > op.completion && number(member(in_.seen(look), "size")).value_or(0) > size;
    });
    in_.tell(seen_later ? "stale-read" : "lost-element", {before.invocation, op.invocation},
             in_.named(op) + " shows a log of " + std::to_string(size) + " entries, although " + in_.named(before) +
                 " had shown before it began (" + in_.event(before.completion) + ") that there are more");
  }
  void went_back(std::size_t index, EventIndex begun, OperationEvents before) {
    const Place& here = places_[index];
    const std::string what = here.entry == kAbsent ? "the entry" : "the entry " + in_.shown(here.entry);
    const bool head = in_.f(before) != "append" && in_.f(before) != "read" && in_.f(before) != "tail";
    in_.tell(head ? "early-head" : "index-went-back", {before.invocation, begun, here.shown_by.invocation},
             what + " at index " + std::to_string(index) + " was appended only after " + in_.named(before) +
                 " had ended (" + in_.event(before.completion) + "), which shows that the log reached that index");
  }

  void too_much(OperationEvents op, const std::string& what) {
    const std::string_view f = in_.f(op);
    const bool list = f == "append" || f == "read" || f == "tail";
    in_.tell(list ? "unexpected-element" : "early-head", {op.invocation}, in_.named(op) + " " + what);
  }

  // ---- the tree

  // The tree of the entries that are known from 0 on.
  void grow_tree() {
    for (const Place& here : places_) {
      if (here.entry == kAbsent) return;
      in_.work(100);
      (void)tree_.append(in_.shown(here.entry));
    }
  }
  // The root of that size, if it is known.
  [[nodiscard]] std::optional<Hash> root(std::size_t size) const {
    if (size <= tree_.size()) return tree_.root(size);
    const auto found = heads_.find(size);
    return found == heads_.end() ? std::nullopt : std::optional(found->second.front().root);
  }
  // An operation that shows the entries up to that size, or those that show one each.
  [[nodiscard]] std::vector<EventIndex> with_entries(OperationEvents op, std::size_t size) const {
    std::vector<EventIndex> out = {op.invocation};
    if (covered_ >= size) {
      for (const OperationEvents one : covering_) out.push_back(one.invocation);
      return out;
    }
    std::set<EventIndex> by;
    for (std::size_t i = 0; i < size && i < places_.size(); ++i) by.insert(places_[i].shown_by.invocation);
    out.insert(out.end(), by.begin(), by.end());
    return out;
  }

  void heads() {
    if (sound_) grow_tree();
    for (const auto& [size, all] : heads_) {
      const Hash& shown = all[0].root;
      const auto other = std::find_if(all.begin(), all.end(), [&shown](const Head& one) { return one.root != shown; });
      if (other != all.end()) {
        in_.tell("forked-head", {all[0].op.invocation, other->op.invocation},
                 in_.named(all[0].op) + " and " + in_.named(other->op) + " show heads of " + std::to_string(size) +
                     " entries with different roots, " + merkle::base64(all[0].root) + " and " +
                     merkle::base64(other->root));
        forked_.insert(size);
        continue;
      }
      if (size > tree_.size()) {
        unchecked_ += sound_ ? 1 : 0;
        continue;
      }
      ++in_.counter("roots-computed");
      if (all[0].root == tree_.root(size)) continue;
      forked_.insert(size);
      in_.tell("wrong-root", with_entries(all[0].op, size),
               in_.named(all[0].op) + " shows a head of " + std::to_string(size) + " entries with the root " +
                   merkle::base64(all[0].root) + "; the entries have " + merkle::base64(tree_.root(size)));
    }
  }

  void proofs() {
    for (const ProofSeen& one : proofs_) {
      in_.work(100);
      const bool inclusion = in_.f(one.op) == "inclusion";
      const auto whole = root(one.second), part = inclusion ? whole : root(one.first);
      // A root that is known from a head alone may be the wrong one of two.
      const bool doubted = (one.second > tree_.size() && forked_.contains(one.second)) ||
                           (!inclusion && one.first > tree_.size() && forked_.contains(one.first));
      if (!whole || !part || doubted) {
        unchecked_ += sound_ ? 1 : 0;
        continue;
      }
      const bool holds =
          inclusion ? leaf_fits(one) && merkle::verify_inclusion(one.leaf, one.first, one.second, one.hashes, *whole)
                    : merkle::verify_consistency(one.first, *part, one.second, *whole, one.hashes);
      if (!holds) {
        bad(one, inclusion);
      } else if (inclusion || (one.first > 0 && one.first < one.second)) {
        ++in_.counter(inclusion ? "inclusion-proofs" : "consistency-proofs");
      }
      if (std::max(one.first, one.second) > tree_.size()) unchecked_ += sound_ ? 1 : 0;  // only against a head
    }
  }
  [[nodiscard]] bool leaf_fits(const ProofSeen& one) const {
    if (one.first >= places_.size() || places_[one.first].entry == kAbsent) return true;
    return one.leaf == merkle::leaf_hash(in_.shown(places_[one.first].entry));
  }
  void bad(const ProofSeen& one, bool inclusion) {
    std::vector<EventIndex> named = {one.op.invocation};
    for (const std::size_t size : {one.first, one.second}) {
      if (size <= tree_.size()) {
        for (const EventIndex e : with_entries(one.op, size)) named.push_back(e);
      } else if (const auto found = heads_.find(size); found != heads_.end()) {
        named.push_back(found->second.front().op.invocation);
      }
    }
    in_.tell(
        "bad-proof", std::move(named),
        in_.named(one.op) + (inclusion ? " shows no proof that its leaf is the entry at index " +
                                             std::to_string(one.first) + " of the first " + std::to_string(one.second)
                                       : " shows no proof that the first " + std::to_string(one.first) +
                                             " entries begin the first " + std::to_string(one.second)));
  }

  void vacuous() {
    for (const char* what : {"appends", "sent-again", "reads", "tails", "heads"}) in_.counter(what) += 0;
    if (unchecked_ > 0)
      in_.inconclusive("the entries under " + std::to_string(unchecked_) +
                       " heads or proofs were not all seen, so that their roots could not be computed");
    if (in_.counter("appends") == 0) in_.inconclusive("no append succeeded");
    if (in_.counter("sent-again") == 0) in_.inconclusive("no append was acknowledged that had been sent before");
    if (in_.counter("reads") == 0) in_.inconclusive("no read showed an entry");
    if (in_.counter("tails") == 0) in_.inconclusive("no tail showed an entry");
    if (in_.counter("roots-computed") == 0 || in_.counter("heads") == 0)
      in_.inconclusive("no head of a log with entries was shown");
    if (in_.counter("inclusion-proofs") == 0) in_.inconclusive("no inclusion proof was verified");
    if (in_.counter("consistency-proofs") == 0)
      in_.inconclusive("no consistency proof between two logs with entries was verified");
  }

  // ---- values
  [[nodiscard]] std::optional<std::size_t> number(ValueId id) const {
    const auto seen = in_.integer(id);
    if (!seen || *seen < 0) return std::nullopt;
    return static_cast<std::size_t>(*seen);
  }
  [[nodiscard]] ValueId member(ValueId map, std::string_view name) const {
    return in_.is_map(map) ? in_.values().member(map, name) : kAbsent;
  }
  [[nodiscard]] std::optional<Hash> hash(ValueId id) const {
    if (!in_.is(id, Value::Kind::string)) return std::nullopt;
    const auto read = merkle::hash_from_base64(in_.values().as_string(id));
    return read ? std::optional(*read) : std::nullopt;
  }

  Judgement& in_;
  AttemptTable tried_;
  std::size_t possible_ = 0;   // how many entries there can be
  std::vector<Place> places_;  // one more than there are, for what reads say of the next one
  struct Shown {
    std::size_t index = 0;
    OperationEvents by = kNone;
  };
  std::map<ValueId, Shown> index_of_;
  std::vector<OperationEvents> looks_;     // reads and tails
  std::vector<OperationEvents> covering_;  // the read from 0 with the most entries
  std::size_t covered_ = 0;
  std::map<std::size_t, std::vector<Head>> heads_;  // by size
  std::set<std::size_t> forked_;                    // sizes whose heads are not to be believed
  std::vector<ProofSeen> proofs_;
  merkle::Tree tree_;
  bool sound_ = true;  // the entries are of one log
  std::size_t unchecked_ = 0;
};

void judge_transparency_log(Judgement& in) {
  if (!in.understands({"append", "read", "tail", "head", "inclusion", "consistency"})) return;
  TransparencyLog(in).judge();
}

}  // namespace

WorkloadChecker transparency_log() {
  return {"transparency-log",
          "an append-only log that anybody can verify: appends, ranges, tails, tree heads and proofs",
          {"linearizable"},
          judge_transparency_log,
          {{"forked-log", "two different entries at one index of a log"},
           {"duplicate-element", "a read holds an element more often than it was added"},
           {"lost-element", "an element that was acknowledged, or seen, is missing for good"},
           {"stale-read", "a read lacks what was there before it began"},
           {"index-went-back", "an entry stands where others had been before its append began"},
           {"wrong-range", "a read or tail of a log shows other than the range that it asked for"},
           {"unexpected-element", "something was read that nobody wrote, or whose write certainly failed"},
           {"early-head", "a tree head or proof covers more than had been appended when it was shown"},
           {"forked-head", "two tree heads of one size with different roots"},
           {"wrong-root", "a tree head whose root is not that of the log's entries"},
           {"unsigned-head", "a tree head whose signature does not verify"},
           {"bad-proof", "an inclusion or consistency proof that does not lead to the root"}}};
}

}  // namespace ordeal::work
