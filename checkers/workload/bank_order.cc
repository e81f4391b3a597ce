#include "checkers/workload/bank_order.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ordeal::work {
namespace {

using Balances = std::vector<std::int64_t>;

// Choices of one read that are kept at once; when there are more, a history that no order explains is not decided.
constexpr std::size_t kMaxChoices = 64;

std::uint64_t mixed(std::uint64_t x) {  // splitmix64, after Steele, Lea and Flood, 2014
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

class Search {
 public:
  Search(const std::vector<BankTransfer>& transfers, std::vector<BankRead> reads, Balances initial, std::size_t& steps)
      : transfers_(transfers),
        reads_(std::move(reads)),
        steps_(steps),
        balances_(std::move(initial)),
        shown_(transfers.size(), false),
        placed_(reads_.size(), false) {
    std::sort(reads_.begin(), reads_.end(), [](const BankRead& a, const BankRead& b) { return a.inv < b.inv; });
    for (std::size_t t = 0; t < transfers.size(); ++t) {
      if (transfers[t].ret != kNoEvent) acknowledged_.push_back(t);
    }
    std::sort(acknowledged_.begin(), acknowledged_.end(),
              [&](std::size_t a, std::size_t b) { return transfers[a].ret < transfers[b].ret; });
  }

  BankAnswer run() {
    std::vector<Level> stack;
    stack.push_back(level());
    while (!stack.empty()) {
      if (count_ == reads_.size()) return BankAnswer::yes;
      if (steps_ == 0) return BankAnswer::gave_up;
      Level& top = stack.back();
      if (top.applied) undo(top);
      if (top.next == top.options.size()) {
        stack.pop_back();
        continue;
      }
      apply(top);
      if (!seen_.insert({hash_[0], hash_[1]}).second) continue;
      stack.push_back(level());
    }
    return cut_ ? BankAnswer::gave_up : BankAnswer::no;
  }

 private:
  struct Option {
    std::size_t read = 0;
    std::vector<std::size_t> adds;  // transfers
  };
  struct Level {
    std::vector<Option> options;
    std::size_t next = 0;
    bool applied = false;
    Balances before;
    std::size_t certain = 0;
    EventIndex latest = 0;
  };

  // What can come next: the reads that none of the others had to precede, each with its choices.
  Level level() {
    Level out;
    out.before = balances_;
    out.certain = certain_;
    out.latest = latest_;
    while (first_ < reads_.size() && placed_[first_]) ++first_;
    EventIndex end = kNoEvent;
    std::vector<std::size_t> next;
    for (std::size_t r = first_; r < reads_.size() && reads_[r].inv < end; ++r) {
      if (!placed_[r]) end = std::min(end, reads_[r].ret);
    }
    for (std::size_t r = first_; r < reads_.size() && reads_[r].inv < end; ++r) {
      if (!placed_[r]) next.push_back(r);
    }
    std::sort(next.begin(), next.end(), [&](std::size_t a, std::size_t b) { return reads_[a].ret < reads_[b].ret; });
    for (const std::size_t r : next) add_options(r, out.options);
    return out;
  }

  void add_options(std::size_t r, std::vector<Option>& out) {
    const BankRead& read = reads_[r];
    if (latest_ > read.ret) return;  // something is shown already that began only later
    Balances left = read.seen;
    for (std::size_t a = 0; a < left.size(); ++a) left[a] -= balances_[a];
    std::vector<std::size_t> forced;
    for (std::size_t i = certain_; i < acknowledged_.size() && transfers_[acknowledged_[i]].ret < read.inv; ++i) {
      const std::size_t t = acknowledged_[i];
      if (shown_[t]) continue;
      forced.push_back(t);
      left[transfers_[t].from] += transfers_[t].amount;
      left[transfers_[t].to] -= transfers_[t].amount;
    }
    std::vector<BankTransfer> candidates;
    std::vector<std::size_t> names;
    for (const std::size_t t : read.open) {
      if (shown_[t]) continue;
      candidates.push_back(transfers_[t]);
      names.push_back(t);
    }
    const BankChoices choices = choices_of(std::move(candidates), std::move(left), kMaxChoices, steps_);
    for (const std::vector<std::size_t>& places : choices.found) {
      std::vector<std::size_t> adds = forced;
      for (const std::size_t place : places) adds.push_back(names[place]);
      out.push_back({r, std::move(adds)});
    }
    cut_ = cut_ || !choices.all;
  }

  void apply(Level& level) {
    const Option& option = level.options[level.next++];
    for (const std::size_t t : option.adds) {
      show(t, true);
      latest_ = std::max(latest_, transfers_[t].inv);
    }
    const BankRead& read = reads_[option.read];
    balances_ = read.seen;
    while (certain_ < acknowledged_.size() && transfers_[acknowledged_[certain_]].ret < read.inv) ++certain_;
    place(option.read, true);
    level.applied = true;
  }

  void undo(Level& level) {
    const Option& option = level.options[level.next - 1];
    for (const std::size_t t : option.adds) show(t, false);
    place(option.read, false);
    balances_ = level.before;
    certain_ = level.certain;
    latest_ = level.latest;
    first_ = std::min(first_, option.read);
    level.applied = false;
  }

  void show(std::size_t t, bool yes) {
    shown_[t] = yes;
    toggle(2 * t);
  }
  void place(std::size_t r, bool yes) {
    placed_[r] = yes;
    yes ? ++count_ : --count_;
    toggle(2 * r + 1);
  }
  // The configuration's name: 128 bits, so that two never share one by chance.
  void toggle(std::uint64_t what) {
    hash_[0] ^= mixed(what);
    hash_[1] ^= mixed(~what);
  }

  const std::vector<BankTransfer>& transfers_;
  std::vector<BankRead> reads_;  // by invocation
  std::size_t& steps_;
  std::vector<std::size_t> acknowledged_;  // transfers, by their ends
  Balances balances_;
  std::vector<bool> shown_, placed_;  // by transfer, by read
  std::size_t count_ = 0;             // of those placed
  std::size_t first_ = 0;             // all reads before are placed
  std::size_t certain_ = 0;           // so many of acknowledged_ are shown
  EventIndex latest_ = 0;             // the latest invocation of what is shown
  std::uint64_t hash_[2] = {0, 0};
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;
  bool cut_ = false;
};

}  // namespace

BankAnswer order_explains(const std::vector<BankTransfer>& transfers, std::vector<BankRead> reads,
                          std::vector<std::int64_t> initial, std::size_t& steps) {
  return Search(transfers, std::move(reads), std::move(initial), steps).run();
}

}  // namespace ordeal::work
