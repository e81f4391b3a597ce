// The search for an order. States are nodes, or for snapshot isolation and prefix consistency the pairs of Space: then
// the same question is whether the graph of pairs has a cycle.
//
//   1. The known edges alone have a cycle: no.
//   2. An order is sought that is serial and keeps real time, which is more than was asked for and found fast where
//      there is one; then one of the kind asked for that keeps real time.
//   3. A choice is refuted when one of its edges alone closes a cycle; then its opposite is known, until nothing
//      changes; both refuted: no. With real time the searches for that stay within what was concurrent; without, all is
//      asked at once, as reachability in bits, and later again what a new edge may have changed (reach_bits.h). Where
//      the order says little that is quadratic: then step 4 is tried first.
//   4. What is left is a search that learns from contradictions (clause_search.h). It tries first what agrees with the
//      order that the states are in (state_order.h), which begins as the order of time, or of depth where time is
//      contradicted: mostly what took effect about the same time is near there, so that an edge that goes back costs a
//      search within a small part of the order.
//
// With real time steps 3 and 4 begin with the few choices of which neither side goes forward in the order as it is.
// What they find moves states; choices that lack such a side then are asked as well, until there are none. Then the
// order has a side of each choice, so it is an order of all; and when some of the choices have none, all have none.

#include "checkers/transactions/order_search.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "checkers/transactions/clause_search.h"
#include "checkers/transactions/counted_search.h"
#include "checkers/transactions/reach_bits.h"
#include "checkers/transactions/state_order.h"

namespace ordeal::txn {
namespace {

constexpr std::uint64_t kEnough = std::numeric_limits<std::uint64_t>::max();
// What an attempt that may fail is given: so much, and some for each choice and state.
constexpr std::uint64_t kFirstConflicts = 5'000, kConflictsEach = 1;
constexpr std::uint64_t kFirstSteps = 20'000'000, kStepsEach = 100;
constexpr std::uint64_t kCheapRound = 2'000'000'000;  // words of a round of refutation in bits
constexpr std::uint64_t kWordsAPlace = 40;            // about five edges of eight words
constexpr std::size_t kMaxInvolved = 5'000;
constexpr std::size_t kRounds = 12;  // with real time, until all choices are asked
constexpr std::size_t kPiece = 128, kLargestPiece = 8'192;
constexpr std::uint64_t kChoicesALook = 4'096;
constexpr std::uint8_t kOne = 1, kOther = 2;  // the sides of a choice

class OrderSearch final : private Theory {
 public:
  OrderSearch(const Inference& inference, OrderKind kind, unsigned extra, const std::function<bool()>& out_of_budget)
      : in_(inference),
        realtime_((extra & kRealtime) != 0),
        in_realtime_(realtime_ && inference.in_realtime),
        choices_(in_realtime_ ? inference.in_realtime->choices : inference.choices),
        updates_first_(kind != OrderKind::prefix),
        out_of_budget_(out_of_budget),
        order_(inference.graph, inference.txns, space_of(kind),
               (kind == OrderKind::information ? kDependencies : kAllData) | extra) {}

  // `limited`: gives up early where it does not find an order at once.
  OrderAnswer run(bool limited) {
    if (limited) most_steps_ = kFirstSteps + kStepsEach * (choices_.size() + order_.states());
    order_.add_known(in_realtime_ ? in_.in_realtime->forced : in_.forced);
    if (updates_first_) order_.add_known(in_.updates_first);
    if (!order_.sort()) return answered(Possible::no);
    if (choices_.empty()) return answered(Possible::yes);
    if (realtime_) return run_in_realtime(limited);
    open_.resize(choices_.size());
    for (std::uint32_t c = 0; c < open_.size(); ++c) open_[c] = c;
    if (round_is_cheap()) {
      if (!refute()) return std::move(answer_);
      return decide(limited ? first_conflicts() : kEnough);
    }
    if (const OrderAnswer early = decide(first_conflicts()); early.possible != Possible::undecided || limited)
      return early;
    if (!refute()) return std::move(answer_);
    return decide(kEnough);
  }

 private:
  OrderAnswer run_in_realtime(bool limited) {
    std::vector<bool> asked(choices_.size(), false);
    std::vector<std::uint32_t> before;  // asked earlier, and still open
    std::vector<bool> touched;          // by stretch: something of it has moved since the last round
    for (std::size_t round = 0; add_unmet(asked, touched, round); ++round) {
      const auto quiet = std::partition(before.begin(), before.end(), [&](std::uint32_t c) {
        return touched[choices_[c].first] || touched[choices_[c].second];
      });
      open_.insert(open_.end(), before.begin(), quiet);
      if (!refute()) return std::move(answer_);
      open_.insert(open_.end(), quiet, before.end());
      if (!decided_in_pieces()) {
        OrderAnswer found = decide(limited ? first_conflicts() : kEnough);
        if (found.possible != Possible::yes) return found;
      }
      before = std::exchange(open_, {});
    }
    return answered(late_ ? Possible::undecided : Possible::yes);
  }
  // Decides the open choices a few at a time, each few under what was decided of those before: mostly none of them
  // matters to the later ones, and a contradiction costs no more than those few, or these and the few before them.
  // True: the order has a side of each. False says nothing. Leaves nothing pushed.
  bool decided_in_pieces() {
    sort_open();
    const std::vector<std::uint32_t> all = std::move(open_);
    std::vector<std::pair<std::uint32_t, bool>> pushed;  // choices and their sides
    const auto pop_to = [&](std::size_t size) {
      for (; pushed.size() > size; pushed.pop_back()) order_.pop(side(pushed.back().first, pushed.back().second));
    };
    std::vector<std::pair<std::size_t, std::size_t>> pieces;  // where they begin, and what was pushed before
    std::size_t begin = 0, size = kPiece;
    while (begin < all.size() && size <= kLargestPiece) {
      size = std::min(size, all.size() - begin);
      const std::size_t before = pushed.size();
      open_.assign(all.begin() + static_cast<std::ptrdiff_t>(begin),
                   all.begin() + static_cast<std::ptrdiff_t>(begin + size));
      if (decide(size).possible == Possible::yes && push_open(pushed)) {
        pieces.emplace_back(begin, before);
        begin += std::exchange(size, kPiece);
        continue;
      }
      // What was decided right before may be the reason.
      pop_to(before);
      if (pieces.empty() || late()) break;
      size += begin - pieces.back().first;
      begin = pieces.back().first;
      pop_to(pieces.back().second);
      pieces.pop_back();
    }
    pop_to(0);
    involved_.clear();
    open_ = all;
    return begin == all.size();
  }
  // Of each open choice the side that goes forward.
  bool push_open(std::vector<std::pair<std::uint32_t, bool>>& pushed) {
    for (const std::uint32_t c : open_) {
      const bool one = order_.forward(side(c, true));
      if (!order_.push(side(c, one), kNone)) return false;
      pushed.emplace_back(c, one);
    }
    return true;
  }

  // Opens the choices that were not asked yet and have no side that goes forward; after many rounds all that may have
  // lost theirs. False: there are none, or the time is over.
  bool add_unmet(std::vector<bool>& asked, std::vector<bool>& touched, std::size_t round) {
    touched.clear();
    for (const Stretch& stretch : in_.stretches) touched.push_back(round == 0 || has_moved(stretch));
    order_.forget_moves();
    for (std::uint32_t c = 0; c < choices_.size(); ++c) {
      if (asked[c] || (!touched[choices_[c].first] && !touched[choices_[c].second])) continue;
      if (++looked_ % kChoicesALook == 0 && late()) {
        late_ = true;
        return false;
      }
      if (round < kRounds && (order_.forward(side(c, true)) || order_.forward(side(c, false)))) continue;
      asked[c] = true;
      open_.push_back(c);
    }
    return !open_.empty();
  }
  bool has_moved(const Stretch& stretch) const {
    const auto moved = [&](TxnIndex t) { return t != kNone && order_.has_moved(t); };
    return moved(stretch.head) || moved(stretch.tail) ||
           std::any_of(in_.readers.begin() + stretch.readers, in_.readers.begin() + stretch.readers_end, moved);
  }

  static std::optional<Space> space_of(OrderKind kind) {
    if (kind == OrderKind::snapshot) return Space::snapshot;
    if (kind == OrderKind::prefix) return Space::prefix;
    return std::nullopt;
  }
  static OrderAnswer answered(Possible possible) {
    OrderAnswer out;
    out.possible = possible;
    return out;
  }
  bool late() {
    if (order_.steps() >= most_steps_) return true;
    if (order_.steps() + looked_ < next_look_) return late_;
    next_look_ = order_.steps() + looked_ + 1'000'000;
    return late_ = late_ || out_of_budget_();
  }

  // What follows when the first comes before the second, or the other way round. The result lasts until the next call.
  const std::vector<Edge>& side(std::uint32_t choice, bool one) {
    const Stretch &first = in_.stretches[choices_[choice].first], &second = in_.stretches[choices_[choice].second];
    side_.clear();
    edges_before(in_, one ? first : second, one ? second : first, side_);
    return side_;
  }

  // Theory. Questions are choices by their place in open_.
  bool give(Literal answer, std::vector<std::uint32_t>& why) override {
    if (order_.push(side(open_[question_of(answer)], is_yes(answer)), question_of(answer))) return true;
    why = order_.labels();
    involve();
    return false;
  }
  void take_back(Literal answer) override { order_.pop(side(open_[question_of(answer)], is_yes(answer))); }
  bool prefers_yes(std::uint32_t question) override {
    return order_.forward(side(open_[question], true)) || !order_.forward(side(open_[question], false));
  }
  bool out_of_budget() override {
    ++looked_;
    return late();
  }

  void involve() {
    if (involved_.size() > kMaxInvolved) return;
    const auto more = order_.transactions();
    involved_.insert(involved_.end(), more.begin(), more.end());
  }

  std::uint64_t first_conflicts() const { return kFirstConflicts + kConflictsEach * open_.size(); }
  OrderAnswer decide(std::uint64_t most_conflicts) {
    if (open_.empty()) return answered(Possible::yes);
    sort_open();
    ClauseSearch search(*this, static_cast<std::uint32_t>(open_.size()));
    const Found found = search.run(most_conflicts);
    if (found == Found::yes) return answered(Possible::yes);
    if (found == Found::undecided) return answered(Possible::undecided);
    OrderAnswer out = answered(Possible::no);
    out.culprits = std::move(involved_);
    std::sort(out.culprits.begin(), out.culprits.end());
    out.culprits.erase(std::unique(out.culprits.begin(), out.culprits.end()), out.culprits.end());
    return out;
  }
  // In the order as it is, so that what contradicts each other is decided shortly after each other.
  void sort_open() {
    const auto time = [&](std::uint32_t c) {
      const TxnIndex first = in_.stretches[choices_[c].first].head, second = in_.stretches[choices_[c].second].head;
      return std::max(order_.place_of(first), order_.place_of(second));
    };
    std::stable_sort(open_.begin(), open_.end(), [&](std::uint32_t a, std::uint32_t b) { return time(a) < time(b); });
  }

  // Refutes what it can, and drops the choices that are made by it. False: the answer is found.
  bool refute() {
    for (bool changed = true; changed && !open_.empty();) {
      std::vector<std::uint8_t> closed(open_.size(), 0);  // kOne, kOther: that side closes a cycle
      changed = false;
      if (!realtime_ && !refute_in_bits(closed)) return given_up();
      std::vector<std::uint32_t> left;
      for (std::size_t i = 0; i < open_.size(); ++i) {
        const std::uint32_t c = open_[i];
        if (late()) return given_up();
        if (realtime_) {
          closed[i] = static_cast<std::uint8_t>((order_.closes(side(c, true)) ? kOne : 0) |
                                                (order_.closes(side(c, false)) ? kOther : 0));
        }
        if (closed[i] == 0) {
          left.push_back(c);
          continue;
        }
        changed = true;
        if (closed[i] == (kOne | kOther) || !order_.push(side(c, closed[i] == kOther), kNone)) {
          answer_ = dilemma(c);
          return false;
        }
        if (!realtime_) new_edges_.add(side_);
      }
      open_ = std::move(left);
      if (!realtime_) new_edges_.next_round(order_);
    }
    return true;
  }
  bool given_up() {
    answer_ = answered(Possible::undecided);
    return false;
  }

  OrderAnswer dilemma(std::uint32_t c) {
    OrderAnswer out = answered(Possible::no);
    const Stretch &first = in_.stretches[choices_[c].first], &second = in_.stretches[choices_[c].second];
    out.culprits = {first.tail, second.head};
    out.key = first.key;
    if (refuted(c, true)) out.if_first = order_.cycle();
    if (refuted(c, false)) out.if_second = order_.cycle();
    out.one_choice = true;
    return out;
  }
  bool refuted(std::uint32_t c, bool one) {
    if (order_.closes(side(c, one))) return true;
    if (!order_.push(side(c, one), kNone)) return true;
    order_.pop(side(c, one));
    return false;
  }

  bool round_is_cheap() { return closing_edges().places() * kWordsAPlace < kCheapRound; }
  ClosingEdges closing_edges() {
    std::vector<BackEdge> back;
    for (std::uint32_t i = 0; i < open_.size(); ++i) {
      for (const bool one : {true, false}) {
        for (const Edge& edge : side(open_[i], one))
          add_back_edges(order_, new_edges_, edge, 2 * i + (one ? 0 : 1), back);
      }
    }
    return {order_, std::move(back)};
  }
  // False: out of budget.
  bool refute_in_bits(std::vector<std::uint8_t>& closed) {
    return closing_edges().find(
        looked_, [this] { return late(); },
        [&](std::uint32_t tag) {
          closed[tag / 2] = static_cast<std::uint8_t>(closed[tag / 2] | (tag % 2 == 0 ? kOne : kOther));
        });
  }

  const Inference& in_;
  bool realtime_, in_realtime_;
  const std::vector<Choice>& choices_;
  bool updates_first_;
  const std::function<bool()>& out_of_budget_;
  StateOrder order_;
  std::vector<std::uint32_t> open_;  // choices that are not made
  NewEdges new_edges_;               // since the last round
  std::vector<Edge> side_;
  std::vector<TxnIndex> involved_;
  std::uint64_t most_steps_ = kEnough, looked_ = 0, next_look_ = 0;
  bool late_ = false;
  OrderAnswer answer_;
};

}  // namespace

OrderAnswer find_order(const Inference& inference, OrderKind kind, unsigned extra,
                       const std::function<bool()>& out_of_budget) {
  constexpr unsigned kTime = kProcess | kRealtime;
  const bool counted = kind == OrderKind::single || kind == OrderKind::updates;
  // What forbids more cycles is proof enough.
  const auto found = [&](OrderKind stronger, unsigned more) {
    if (stronger == kind && more == extra) return false;
    if (inference.open_pairs_dropped && !(more == kTime && inference.in_realtime)) return false;
    return OrderSearch(inference, stronger, more, out_of_budget).run(true).possible == Possible::yes;
  };
  const OrderKind near = kind == OrderKind::single ? OrderKind::snapshot : counted ? OrderKind::serial : kind;
  if (!inference.choices.empty() || inference.open_pairs_dropped) {
    if (found(OrderKind::serial, kTime) || (near != OrderKind::serial && found(near, kTime)) ||
        (counted && extra != kTime && found(near, extra))) {
      OrderAnswer out;
      out.possible = Possible::yes;
      return out;
    }
  }
  if (counted) return find_counted_order(inference, kind, extra, out_of_budget);
  // An order of what is asked proves nothing when not all is asked; that there is none does.
  const bool all_asked = !inference.open_pairs_dropped || (extra == kTime && inference.in_realtime);
  OrderAnswer out = OrderSearch(inference, kind, extra, out_of_budget).run(!all_asked);
  if (out.possible == Possible::yes && !all_asked) out.possible = Possible::undecided;
  return out;
}

}  // namespace ordeal::txn
