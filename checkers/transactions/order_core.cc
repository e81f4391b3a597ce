#include "checkers/transactions/order_core.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace ordeal::txn {
namespace {

constexpr std::size_t kMaxTransactions = 3'000;  // beyond that only those of the cycles found are tried
constexpr std::size_t kMaxWork = 2'000'000;      // transactions looked at in all tries together

constexpr std::size_t kSources = 10, kCandidates = 50;  // weights

// The transactions of `keep` alone, with the keys they touch. Leaving a transaction out leaves every order of the
// others as good as it was, but not what they read from it: a read that may have come from somebody who is left out
// says nothing. (Where there is one who wrote a value, the read is garbage without that one, which no order cares for.)
Transactions part_of(const Inference& in, const std::vector<TxnIndex>& keep) {
  const Transactions& all = in.txns;
  Transactions out;
  std::unordered_set<std::uint32_t> unknown;
  for (const OpenRead& read : in.open_reads) {
    const auto kept = [&](TxnIndex t) { return t == kNone || std::binary_search(keep.begin(), keep.end(), t); };
    if (kept(read.txn) && !std::all_of(read.candidates.begin(), read.candidates.end(), kept))
      unknown.insert(read.micro);
  }
  std::unordered_map<KeyIndex, KeyIndex> keys;
  out.first.push_back(0);
  for (const TxnIndex t : keep) {
    out.invocation.push_back(all.invocation[t]);
    out.completion.push_back(all.completion[t]);
    out.process.push_back(all.process[t]);
    out.outcome.push_back(all.outcome[t]);
    for (std::uint32_t m = all.first[t]; m < all.first[t + 1]; ++m) {
      MicroOp op = all.micro[m];
      if (unknown.contains(m)) op.value = kAbsent;
      const auto [key, fresh] = keys.try_emplace(op.key, static_cast<KeyIndex>(out.keys.size()));
      if (fresh) out.keys.push_back(all.keys[op.key]);
      op.key = key->second;
      out.micro.push_back(op);
    }
    out.first.push_back(static_cast<std::uint32_t>(out.micro.size()));
  }
  return out;
}

class Core {
 public:
  Core(const Inference& in, const FindOrder& find, const InferPart& infer, const std::function<bool()>& late)
      : in_(in), find_(find), infer_(infer), late_(late) {
    std::size_t candidates = 0;
    for (const OpenRead& read : in_.open_reads) {
      open_of_[read.txn].push_back(&read);
      candidates += read.candidates.size();
    }
    // Searches for sources take longer.
    if (candidates > 0) weight_ = kSources + candidates / (kCandidates * in_.txns.size());
  }

  OrderCore run(OrderAnswer answer) {
    core_.answer = std::move(answer);
    core_.txns = of_cycles();
    if (core_.txns.empty() || (!impossible(core_.txns) && !impossible(with_sources(core_.txns)))) {
      std::vector<TxnIndex> all;
      const std::size_t most = in_.open_reads.empty() ? kMaxTransactions : kMaxWork / 4 / weight_;
      for (TxnIndex t = 0; t < in_.txns.size() && all.size() <= most; ++t) {
        if (in_.txns.outcome[t] != Outcome::fail) all.push_back(t);
      }
      if (all.size() > most || !impossible(all)) {
        if (!in_.open_reads.empty()) core_.txns = everybody();
        return std::move(core_);
      }
    }
    minimise();
    return std::move(core_);
  }

 private:
  // Nothing smaller is known to have no order by itself.
  std::vector<TxnIndex> everybody() const {
    std::vector<TxnIndex> out;
    for (TxnIndex t = 0; t < in_.txns.size(); ++t) {
      if (in_.txns.outcome[t] != Outcome::fail) out.push_back(t);
    }
    return out;
  }
  // The transactions of the cycles that were found, and those they read from.
  std::vector<TxnIndex> of_cycles() const {
    std::vector<TxnIndex> out = core_.answer.culprits;
    for (const auto* cycle : {&core_.answer.if_first, &core_.answer.if_second}) {
      for (const Edge& edge : *cycle) out.push_back(edge.from);
    }
    add_sources(out, 0);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }
  // Those that the transactions from a place on read from.
  void add_sources(std::vector<TxnIndex>& part, std::size_t from) const {
    for (const std::size_t end = part.size(); from < end; ++from) {
      const TxnIndex t = part[from];
      for (std::uint32_t m = in_.txns.first[t]; m < in_.txns.first[t + 1]; ++m) {
        if (in_.source[m] < kNoSource) part.push_back(in_.source[m]);
      }
      const auto open = open_of_.find(t);
      if (open == open_of_.end()) continue;
      for (const OpenRead* read : open->second) {
        for (const TxnIndex source : read->candidates) {
          if (source != kNone) part.push_back(source);
        }
      }
    }
  }
  // And those that these read from, and so on: every version with all before it.
  std::vector<TxnIndex> with_sources(std::vector<TxnIndex> part) const {
    std::vector<std::uint8_t> there(in_.txns.size(), 0);
    for (const TxnIndex t : part) there[t] = 1;
    for (std::size_t done = 0; done < part.size();) {
      const std::size_t before = part.size();
      add_sources(part, done);
      done = before;
      part.erase(std::remove_if(part.begin() + static_cast<std::ptrdiff_t>(before), part.end(),
                                [&](TxnIndex t) { return std::exchange(there[t], 1) != 0; }),
                 part.end());
    }
    std::sort(part.begin(), part.end());
    return part;
  }

  // Keeps the part when it has no order.
  bool impossible(const std::vector<TxnIndex>& part) {
    work_ += part.size() * weight_;
    const Inference inference = infer_(part_of(in_, part));
    OrderAnswer answer = find_(inference);
    if (answer.possible != Possible::no) return false;
    for (TxnIndex& t : answer.culprits) t = part[t];
    if (answer.key != kNone) answer.key = key_of(inference.txns.keys[answer.key]);
    for (auto* cycle : {&answer.if_first, &answer.if_second}) {
      for (Edge& edge : *cycle) {
        edge.from = part[edge.from];
        edge.to = part[edge.to];
        if (edge.key != kNone) edge.key = key_of(inference.txns.keys[edge.key]);
      }
    }
    core_ = {part, std::move(answer)};
    return true;
  }
  KeyIndex key_of(ValueId value) const {
    return static_cast<KeyIndex>(std::find(in_.txns.keys.begin(), in_.txns.keys.end(), value) - in_.txns.keys.begin());
  }

  void minimise() {
    for (std::size_t chunk = std::max<std::size_t>(1, core_.txns.size() / 2); chunk > 0;) {
      bool smaller = false;
      for (std::size_t begin = 0; begin < core_.txns.size();) {
        if (work_ > kMaxWork || late_()) return;
        auto rest = core_.txns;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(begin),
                   rest.begin() + static_cast<std::ptrdiff_t>(std::min(begin + chunk, rest.size())));
        if (!rest.empty() && impossible(rest))
          smaller = true;
        else
          begin += chunk;
      }
      if (chunk > 1)
        chunk /= 2;
      else if (!smaller)
        break;
    }
  }

  const Inference& in_;
  const FindOrder& find_;
  const InferPart& infer_;
  const std::function<bool()>& late_;
  std::unordered_map<TxnIndex, std::vector<const OpenRead*>> open_of_;
  std::size_t work_ = 0, weight_ = 1;
  OrderCore core_;
};

}  // namespace

OrderCore order_core(const Inference& inference, OrderAnswer answer, const FindOrder& find, const InferPart& infer,
                     const std::function<bool()>& out_of_budget) {
  return Core(inference, find, infer, out_of_budget).run(std::move(answer));
}

}  // namespace ordeal::txn
