#include "checkers/workload/bank_moves.h"

#include <algorithm>

namespace ordeal::work {
namespace {

// Steps of the search for what one read shows: to know whether a choice is the only one, and to find one at all.
constexpr std::size_t kFewSteps = 3'000;
constexpr std::size_t kSteps = 200'000;
// Steps of the search for one order of all.
constexpr std::size_t kOrderSteps = 2'000'000;
// Reads that are looked at, again and again, to name as few as show that there is none.
constexpr std::size_t kMaxLooked = 3'000'000;
// Transfers under way until the first read ended, of which every subset is tried.
constexpr std::size_t kMaxUnderWay = 10;

}  // namespace

std::string account_name(const Judgement& in, ValueId id) {
  std::string text = in.shown(id);
  if (in.is(id, Value::Kind::string)) text = text.substr(1, text.size() - 2);
  return text;
}

bool BankMoves::transfer(OperationEvents op) {
  if (in_.failed(op)) return true;
  const ValueId asked = in_.asked(op);
  const auto amount = in_.integer(asked, "amount");
  const ValueId from = in_.is_map(asked) ? in_.values().member(asked, "from") : kAbsent;
  const ValueId to = in_.is_map(asked) ? in_.values().member(asked, "to") : kAbsent;
  if (!amount || from == kAbsent || to == kAbsent) {
    in_.refuse(op, R"({"from" a, "to" b, "amount" n})");
    return false;
  }
  transfers_.push_back({op, account(account_name(in_, from)), account(account_name(in_, to)), *amount, kNoEvent});
  return true;
}

void BankMoves::read(OperationEvents op, const std::map<std::string, std::int64_t>& balances) {
  for (const auto& [name, balance] : balances) (void)account(name);
  reads_.push_back({op, balances, {}, 0, {}, {}});
}

void BankMoves::judge() {
  if (reads_.empty()) return;
  std::sort(reads_.begin(), reads_.end(),
            [](const Read& a, const Read& b) { return a.op.completion < b.op.completion; });
  gather();
  candidates_ = initials(reads_.front());
  const std::vector<Balances>& candidates = candidates_;
  if (candidates.empty()) {
    in_.inconclusive("too many transfers were under way until the first read ended to know the initial balances");
    return;
  }
  std::vector<std::size_t> all(reads_.size());
  for (std::size_t r = 0; r < all.size(); ++r) all[r] = r;
  const BankAnswer exact = ordered(all, candidates, kOrderSteps);
  if (exact == BankAnswer::yes) return;
  // The initial balances that explain most; those that explain all, if there are any.
  std::size_t best = 0, farthest = 0;
  for (std::size_t i = 0; i < candidates.size() && farthest < reads_.size(); ++i) {
    const std::size_t explained = candidates.size() == 1 ? 0 : explain(candidates[i], false);
    if (explained >= farthest) best = i;
    farthest = std::max(farthest, explained);
  }
  (void)explain(candidates[best], true);
  if (in_.accused()) return;
  if (exact == BankAnswer::no)
    together();
  else
    in_.inconclusive("too many choices of transfers explain the reads to tell whether one order explains all of them");
}

BankAnswer BankMoves::ordered(const std::vector<std::size_t>& reads, const std::vector<Balances>& initials,
                              std::size_t steps) const {
  const std::size_t all_steps = steps;
  std::vector<BankTransfer> transfers;
  for (const Transfer& one : transfers_) {
    const EventIndex end = in_.ok(one.op) ? one.op.completion : kNoEvent;
    transfers.push_back({one.op.invocation, end, one.from, one.to, one.amount});
  }
  std::vector<BankRead> some;
  for (const std::size_t r : reads)
    some.push_back({reads_[r].op.invocation, reads_[r].op.completion, reads_[r].seen, reads_[r].open});
  bool gave_up = false;
  for (const Balances& initial : initials) {
    const BankAnswer answer = order_explains(transfers, some, initial, steps);
    in_.work((all_steps - steps) / 10 + some.size());
    if (answer == BankAnswer::yes) return answer;
    gave_up = gave_up || answer == BankAnswer::gave_up;
  }
  return gave_up ? BankAnswer::gave_up : BankAnswer::no;
}

// Whether these reads, whatever the initial balances, have no order. When that takes others, too, all are told
// together.
bool BankMoves::proved(const std::vector<std::size_t>& reads) {
  if (ordered(reads, candidates_, kOrderSteps / 10) == BankAnswer::no) return true;
  if (!in_.accused() && candidates_.size() == 1) together();
  return false;
}

// Each read can be explained, and all of them cannot: as few as show it are named. Any part of the reads that has no
// order shows that all of them have none.
void BankMoves::together() {
  std::vector<std::size_t> kept(reads_.size());
  for (std::size_t r = 0; r < kept.size(); ++r) kept[r] = r;
  std::size_t looked = 0;
  for (std::size_t chunk = std::max<std::size_t>(1, kept.size() / 2);; chunk /= 2) {
    for (std::size_t at = 1; at < kept.size() && looked < kMaxLooked; looked += kept.size()) {
      std::vector<std::size_t> fewer = kept;
      const auto from = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(from, from + static_cast<std::ptrdiff_t>(std::min(chunk, fewer.size() - at)));
      if (ordered(fewer, candidates_, kOrderSteps / 10) == BankAnswer::no)
        kept = std::move(fewer);
      else
        at += chunk;
    }
    if (chunk == 1) break;
  }
  EventIndex from = kNoEvent, until = 0;
  std::vector<EventIndex> operations;
  std::string names;
  for (const std::size_t r : kept) {
    const OperationEvents op = reads_[r].op;
    from = std::min(from, op.invocation);
    until = std::max(until, op.completion);
    operations.push_back(op.invocation);
    if (operations.size() <= 4) names += (names.empty() ? "" : ", ") + in_.named(op);
  }
  if (kept.size() > 4) names += " and " + std::to_string(kept.size() - 4) + " more";
  std::size_t moves = 0;
  for (const Transfer& one : transfers_) {
    const bool before = in_.ok(one.op) && one.op.completion < from;
    if (before || one.op.invocation > until) continue;
    operations.push_back(one.op.invocation);
    ++moves;
  }
  in_.tell("unexplained-balances", std::move(operations),
           "no one order of the transfers explains together what these " + std::to_string(kept.size()) +
               " reads returned: " + names,
           {std::to_string(moves) + " transfers may have taken effect between the first and the last of them.",
            "Each of the reads alone is explained by some choice of these, but no choices agree on one order."});
}

// What each read shows in any case, and what it may show: one walk through the events.
void BankMoves::gather() {
  const History& h = in_.history();
  std::map<EventIndex, std::size_t> transfer_of, read_of;  // by invocation
  for (std::size_t t = 0; t < transfers_.size(); ++t) transfer_of[transfers_[t].op.invocation] = t;
  for (std::size_t r = 0; r < reads_.size(); ++r) {
    Read& read = reads_[r];
    read_of[read.op.invocation] = r;
    read.seen.assign(accounts_.size(), 0);
    for (const auto& [name, balance] : read.balances) read.seen[accounts_.at(name)] = balance;
  }
  std::set<std::size_t> under_way;  // for ever, when the outcome is unknown
  Balances moved(accounts_.size(), 0);
  for (EventIndex e = 0; e < h.size(); ++e) {
    in_.work();
    const bool invocation = h.type(e) == EventType::invoke;
    const EventIndex begin = invocation ? e : h.partner(e);
    if (const auto transfer = transfer_of.find(begin); transfer != transfer_of.end()) {
      const Transfer& one = transfers_[transfer->second];
      if (invocation) under_way.insert(transfer->second);
      if (invocation || !in_.ok(one.op)) continue;
      under_way.erase(transfer->second);
      acknowledged_.push_back(transfer->second);
      moved[one.from] -= one.amount;
      moved[one.to] += one.amount;
    } else if (const auto found = read_of.find(begin); found != read_of.end()) {
      Read& read = reads_[found->second];
      if (invocation) {
        read.certain = acknowledged_.size();
        read.moved = moved;
      } else {
        read.open.assign(under_way.begin(), under_way.end());
        read.open.insert(read.open.end(), acknowledged_.begin() + static_cast<std::ptrdiff_t>(read.certain),
                         acknowledged_.end());
      }
    }
  }
}

// What the open transfers have to make up.
BankMoves::Balances BankMoves::rest(const Read& read, const Balances& initial) const {
  Balances out = read.seen;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] -= initial[i] + read.moved[i];
  return out;
}

std::vector<BankMoves::Balances> BankMoves::initials(const Read& first) const {
  if (first.open.size() > kMaxUnderWay) return {};
  const Balances whole = rest(first, Balances(accounts_.size(), 0));
  std::set<Balances> all;
  for (std::size_t subset = 0; subset < std::size_t{1} << first.open.size(); ++subset) {
    Balances initial = whole;
    for (std::size_t i = 0; i < first.open.size(); ++i) {
      if ((subset >> i & 1) == 0) continue;
      const Transfer& one = transfers_[first.open[i]];
      initial[one.from] += one.amount;
      initial[one.to] -= one.amount;
    }
    all.insert(std::move(initial));
  }
  return {all.begin(), all.end()};
}

// First whether there is one choice, and only one; where that is not soon clear, whether the choice of the read before,
// with a little more, will do; then any.
BankMoves::Found BankMoves::choose(const Balances& rest, const std::vector<std::size_t>& open,
                                   std::vector<std::size_t>& choice) {
  const auto look = [&](const Balances& left, const std::vector<std::size_t>& among, std::size_t steps,
                        std::size_t wanted) {
    std::vector<BankTransfer> moves;
    for (const std::size_t t : among) moves.push_back(unordered(t));
    const std::size_t most = steps;
    const BankChoices choices = choices_of(std::move(moves), left, wanted, steps);
    in_.work((most - steps) / 10 + 1);
    if (!choices.found.empty()) {
      choice.clear();
      for (const std::size_t i : choices.found.front()) choice.push_back(among[i]);
    }
    return std::pair(choices.found.size(), steps == 0);
  };
  const auto [found, gave_up] = look(rest, open, kFewSteps, 2);
  if (found > 0) return found == 1 && !gave_up ? Found::one : Found::several;
  if (!gave_up) return Found::none;
  Balances left = rest;
  std::vector<std::size_t> kept, others;
  for (const std::size_t t : open) {
    if (!guess_.contains(t)) {
      others.push_back(t);
      continue;
    }
    kept.push_back(t);
    left[transfers_[t].from] += transfers_[t].amount;
    left[transfers_[t].to] -= transfers_[t].amount;
  }
  if (look(left, others, kFewSteps, 1).first > 0) {
    choice.insert(choice.end(), kept.begin(), kept.end());
    return Found::several;
  }
  const auto [any, none_left] = look(rest, open, kSteps, 1);
  if (any > 0) return Found::several;
  return none_left ? Found::gave_up : Found::none;
}

std::size_t BankMoves::explain(const Balances& initial, bool tell) {
  for (Transfer& one : transfers_) one.shown = kNoEvent;
  guess_.clear();
  known_.clear();
  for (std::size_t r = 0; r < reads_.size(); ++r) {
    const Read& read = reads_[r];
    // What earlier reads showed for certain is shown.
    Balances left = rest(read, initial);
    std::vector<std::size_t> open, choice, shown;
    for (const std::size_t t : read.open) {
      Transfer& one = transfers_[t];
      if (one.shown >= read.op.invocation) {
        open.push_back(t);
        continue;
      }
      left[one.from] += one.amount;
      left[one.to] -= one.amount;
      shown.push_back(t);
    }
    const Found found = choose(left, open, choice);
    if (found == Found::none) {
      if (!tell) return r;
      // Alone, or only with other reads that show what had taken effect?
      if (proved({0, r})) unexplained(read, initial);
      continue;
    }
    if (found == Found::gave_up && tell) {
      in_.inconclusive("too many transfers were under way or of unknown outcome to tell which of them " +
                       in_.named(read.op) + " shows");
    }
    if (found == Found::several || found == Found::one) {
      guess_.clear();
      for (const std::size_t t : choice) {
        if (!in_.ok(transfers_[t].op)) guess_.insert(t);
      }
    }
    if (found != Found::one) continue;
    for (const std::size_t t : choice) transfers_[t].shown = std::min(transfers_[t].shown, read.op.completion);
    choice.insert(choice.end(), shown.begin(), shown.end());
    if (!compare({&read, {choice.begin(), choice.end()}, std::move(left), std::move(open)}, tell) && !tell) return r;
  }
  return reads_.size();
}

// No choice with the transfer explains the read. Transfers that change nothing together could be added to any choice,
// so that a choice is the only small one does not say it.
bool BankMoves::certainly_without(const Known& known, std::size_t transfer) const {
  if (std::find(known.open.begin(), known.open.end(), transfer) == known.open.end())
    return !known.shows.contains(transfer);  // it began only later
  Balances left = known.left;
  left[transfers_[transfer].from] += transfers_[transfer].amount;
  left[transfers_[transfer].to] -= transfers_[transfer].amount;
  std::vector<BankTransfer> moves;
  for (const std::size_t t : known.open) {
    if (t != transfer) moves.push_back(unordered(t));
  }
  std::size_t steps = kFewSteps;
  const BankChoices choices = choices_of(std::move(moves), std::move(left), 1, steps);
  return choices.found.empty() && choices.all;
}

// Of two reads that overlap one shows all that the other one does.
bool BankMoves::compare(Known known, bool tell) {
  const auto shows = [&](const Known& one, std::size_t t) {
    return one.shows.contains(t) || in_.before(transfers_[t].op, one.read->op);
  };
  // What `reader` shows and `one` does not: it is among what one of them may show.
  const auto lacks = [&](const Known& one, const Known& reader) {
    for (const auto* candidates : {&one.read->open, &reader.read->open}) {
      for (const std::size_t t : *candidates) {
        in_.work();
        if (transfers_[t].amount != 0 && shows(reader, t) && !shows(one, t) && certainly_without(one, t)) return t;
      }
    }
    return transfers_.size();
  };
  bool agree = ordered(known, tell);
  std::erase_if(known_, [&](const Known& one) { return one.read->op.completion < known.read->op.invocation; });
  for (const Known& other : known_) {
    const std::size_t a = lacks(other, known);
    const std::size_t b = a == transfers_.size() ? a : lacks(known, other);
    if (b == transfers_.size()) continue;
    agree = false;
    if (!tell) break;
    const OperationEvents mine = known.read->op, theirs = other.read->op;
    std::vector<EventIndex> operations = behind(*known.read), more = behind(*other.read);
    if (!proved({0, place(*known.read), place(*other.read)})) continue;
    operations.insert(operations.end(), more.begin(), more.end());
    std::sort(operations.begin(), operations.end());
    operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
    in_.tell("incomparable-reads", std::move(operations),
             in_.named(mine) + " shows " + in_.named(transfers_[a].op) + " and not " + in_.named(transfers_[b].op) +
                 ", " + in_.named(theirs) + " the reverse");
  }
  known_.push_back(std::move(known));
  return agree;
}

// Who sees a transfer sees those that were over before it began.
bool BankMoves::ordered(const Known& known, bool tell) {
  for (const std::size_t earlier : known.open) {
    const Transfer& missed = transfers_[earlier];
    if (!in_.ok(missed.op) || missed.amount == 0 || known.shows.contains(earlier)) continue;
    for (const std::size_t later : known.shows) {
      in_.work();
      if (!in_.before(missed.op, transfers_[later].op) || !certainly_without(known, earlier)) continue;
      if (!tell || !proved({0, place(*known.read)})) return false;
      in_.tell("unexplained-balances", behind(*known.read),
               in_.named(known.read->op) + " shows " + in_.named(transfers_[later].op) + " and not " +
                   in_.named(missed.op) + ", which was over before that began");
      return false;
    }
  }
  return true;
}

// What shows which transfers the read shows. Those acknowledged since the first read began; the first read itself shows
// the ones before.
std::vector<EventIndex> BankMoves::behind(const Read& read) const {
  std::vector<EventIndex> operations = {reads_.front().op.invocation, read.op.invocation};
  for (const std::size_t t : reads_.front().open) operations.push_back(transfers_[t].op.invocation);
  for (std::size_t i = reads_.front().certain; i < read.certain; ++i)
    operations.push_back(transfers_[acknowledged_[i]].op.invocation);
  for (const std::size_t t : read.open) operations.push_back(transfers_[t].op.invocation);
  std::sort(operations.begin(), operations.end());
  operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
  return operations;
}

BankMoves::Between BankMoves::between(const Read& earlier, const Read& read) const {
  Between out{earlier.op, {}, {}, read.seen};
  for (std::size_t i = 0; i < out.left.size(); ++i) out.left[i] -= earlier.seen[i];
  for (std::size_t t = 0; t < transfers_.size(); ++t) {
    const Transfer& one = transfers_[t];
    if (in_.before(one.op, earlier.op) || one.op.invocation > read.op.completion) continue;
    const bool certain = one.op.invocation > earlier.op.completion && in_.before(one.op, read.op);
    (certain ? out.certain : out.open).push_back(t);
    if (!certain) continue;
    out.left[one.from] += one.amount;
    out.left[one.to] -= one.amount;
  }
  return out;
}

// A read that was over before this one began, with no choice of the transfers in between that leads from the one to the
// other: that takes far fewer operations to show than all since the first read. The nearest, up to twice as far.
std::optional<BankMoves::Between> BankMoves::contradiction(const Read& read) const {
  for (std::size_t back = 1; back <= place(read); back *= 2) {
    const Read& earlier = reads_[place(read) - back];
    if (!in_.before(earlier.op, read.op)) continue;
    Between since = between(earlier, read);
    std::vector<BankTransfer> moves;
    for (const std::size_t t : since.open) moves.push_back(unordered(t));
    std::size_t steps = kFewSteps;
    const BankChoices choices = choices_of(std::move(moves), since.left, 1, steps);
    in_.work(transfers_.size() + (kFewSteps - steps) / 10);
    if (choices.found.empty() && choices.all) return since;
  }
  return std::nullopt;
}

std::string BankMoves::differences(const Balances& left) const {
  std::string out;
  for (const auto& [name, place] : accounts_) {
    if (left[place] == 0) continue;
    out += (out.empty() ? "account " : ", account ") + name + " has " +
           std::to_string(left[place] < 0 ? -left[place] : left[place]) +
           (left[place] < 0 ? " too little" : " too much");
  }
  return out;
}

void BankMoves::unexplained(const Read& read, const Between& since) {
  std::vector<EventIndex> operations = {since.from.invocation, read.op.invocation};
  for (const auto* some : {&since.certain, &since.open}) {
    for (const std::size_t t : *some) operations.push_back(transfers_[t].op.invocation);
  }
  std::sort(operations.begin(), operations.end());
  in_.tell("unexplained-balances", std::move(operations),
           in_.named(read.op) + " returned balances that no transfers after " + in_.named(since.from) +
               " explain: " + differences(since.left),
           {"Between the two reads " + std::to_string(since.certain.size()) + " transfers certainly took effect, and " +
                std::to_string(since.open.size()) + " may have.",
            "No choice of these makes up the difference."});
}

void BankMoves::unexplained(const Read& read, const Balances& initial) {
  constexpr std::size_t kTold = 10;  // no more of them are told one by one
  if (++told_ <= kTold) {
    if (const auto since = contradiction(read)) return unexplained(read, *since);
  }
  std::vector<EventIndex> operations = behind(read);
  in_.tell("unexplained-balances", std::move(operations),
           in_.named(read.op) + " returned balances that no transfers explain: " + differences(rest(read, initial)),
           {"Beside the " + std::to_string(read.certain) + " transfers acknowledged before it began it may show " +
                std::to_string(read.open.size()) + " that were under way or of unknown outcome.",
            "No choice of these makes up the difference."});
}

}  // namespace ordeal::work
