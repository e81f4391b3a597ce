#include "checkers/workload/bank_moves.h"

#include <algorithm>
#include <functional>

namespace ordeal::work {
namespace {

// Steps of the search for what one read shows.
constexpr std::size_t kSteps = 100'000;
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
  std::vector<Balances> candidates = initials(reads_.front());
  if (candidates.empty()) {
    in_.inconclusive("too many transfers were under way until the first read ended to know the initial balances");
    return;
  }
  // The initial balances that explain most; those that explain all, if there are any.
  std::size_t best = 0, farthest = 0;
  for (std::size_t i = 0; i < candidates.size() && farthest < reads_.size(); ++i) {
    const std::size_t explained = candidates.size() == 1 ? 0 : explain(candidates[i], false);
    if (explained >= farthest) best = i;
    farthest = std::max(farthest, explained);
  }
  (void)explain(candidates[best], true);
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

// A subset of `open` that makes up `rest`: some account is not at its balance yet, so a transfer of that account must
// be among those still to choose; each of them is tried, and then given up for the branches after it. Small subsets
// first.
BankMoves::Found BankMoves::choose(const Balances& rest, const std::vector<std::size_t>& open,
                                   std::vector<std::size_t>& choice) const {
  std::vector<bool> out(open.size());
  std::vector<std::size_t> chosen;
  Balances left = rest;
  std::size_t steps = 0, found = 0;
  bool cut = false;  // a branch was left because of its depth
  std::function<void(std::size_t)> search = [&](std::size_t depth) {
    if (++steps > kSteps || found > 1) return;
    std::size_t at = 0;
    while (at < left.size() && left[at] == 0) ++at;
    if (at == left.size()) {
      if (depth == 0 && ++found == 1) choice = chosen;
      return;
    }
    if (depth == 0) {
      cut = true;
      return;
    }
    std::vector<std::size_t> given_up;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const Transfer& one = transfers_[open[i]];
      if (out[i] || one.from == one.to || (one.from != at && one.to != at)) continue;
      out[i] = true;
      given_up.push_back(i);
      left[one.from] += one.amount;
      left[one.to] -= one.amount;
      chosen.push_back(open[i]);
      search(depth - 1);
      chosen.pop_back();
      left[one.from] -= one.amount;
      left[one.to] += one.amount;
    }
    for (const std::size_t i : given_up) out[i] = false;
  };
  for (std::size_t size = 0; size <= open.size() && found < 2; ++size) {
    cut = false;
    search(size);
    in_.work(steps / 100 + 1);
    if (steps > kSteps) return found == 0 ? Found::gave_up : Found::several;
    if (!cut) break;
  }
  // Sets of transfers that change nothing together can be added to any choice.
  return found == 0 ? Found::none : found == 1 ? Found::one : Found::several;
}

std::size_t BankMoves::explain(const Balances& initial, bool tell) {
  for (Transfer& one : transfers_) one.shown = kNoEvent;
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
      unexplained(read, initial);
      continue;
    }
    if (found == Found::gave_up && tell) {
      in_.inconclusive("too many transfers were under way or of unknown outcome to tell which of them " +
                       in_.named(read.op) + " shows");
    }
    if (found != Found::one) continue;
    for (const std::size_t t : choice) transfers_[t].shown = std::min(transfers_[t].shown, read.op.completion);
    choice.insert(choice.end(), shown.begin(), shown.end());
    if (tell) compare(read, choice);
  }
  return reads_.size();
}

// Of two reads that overlap, and whose choices are certain, one shows all that the other one does.
void BankMoves::compare(const Read& read, const std::vector<std::size_t>& choice) {
  std::set<std::size_t> mine(choice.begin(), choice.end());
  const auto shows = [&](const Read& one, const std::set<std::size_t>& chosen, std::size_t t) {
    return chosen.contains(t) || in_.before(transfers_[t].op, one.op);
  };
  std::erase_if(certain_, [&](const auto& one) { return one.first->op.completion < read.op.invocation; });
  for (const auto& [other, theirs] : certain_) {
    // What `reader` shows and `one` does not: it is among what one of them may show.
    const auto lacks = [&](const Read& one, const std::set<std::size_t>& chosen, const Read& reader,
                           const std::set<std::size_t>& all) {
      for (const auto* candidates : {&one.open, &reader.open}) {
        for (const std::size_t t : *candidates) {
          in_.work();
          if (transfers_[t].amount != 0 && shows(reader, all, t) && !shows(one, chosen, t)) return t;
        }
      }
      return transfers_.size();
    };
    const std::size_t a = lacks(*other, theirs, read, mine), b = lacks(read, mine, *other, theirs);
    if (a == transfers_.size() || b == transfers_.size()) continue;
    in_.tell("incomparable-reads",
             {other->op.invocation, read.op.invocation, transfers_[a].op.invocation, transfers_[b].op.invocation},
             in_.named(read.op) + " shows " + in_.named(transfers_[a].op) + " and not " + in_.named(transfers_[b].op) +
                 ", " + in_.named(other->op) + " the reverse");
  }
  certain_.emplace_back(&read, std::move(mine));
}

void BankMoves::unexplained(const Read& read, const Balances& initial) {
  const Balances left = rest(read, initial);
  std::vector<EventIndex> operations = {reads_.front().op.invocation, read.op.invocation};
  // Those acknowledged since the first read began; the first read itself shows the ones before.
  for (std::size_t i = reads_.front().certain; i < read.certain; ++i)
    operations.push_back(transfers_[acknowledged_[i]].op.invocation);
  for (const std::size_t t : read.open) operations.push_back(transfers_[t].op.invocation);
  std::string differences;
  for (const auto& [name, place] : accounts_) {
    if (left[place] == 0) continue;
    differences += (differences.empty() ? "account " : ", account ") + name + " has " +
                   std::to_string(left[place] < 0 ? -left[place] : left[place]) +
                   (left[place] < 0 ? " too little" : " too much");
  }
  in_.tell("unexplained-balances", std::move(operations),
           in_.named(read.op) + " returned balances that no transfers explain: " + differences,
           {"Beside the " + std::to_string(read.certain) + " transfers acknowledged before it began it may show " +
                std::to_string(read.open.size()) + " that were under way or of unknown outcome.",
            "No choice of these makes up the difference."});
}

}  // namespace ordeal::work
