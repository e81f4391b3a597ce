#pragma once
// BankMoves: which transfers does a read of all balances show?
//
// Under strict serializability a read shows every transfer that was acknowledged before it began, none that failed or
// was invoked only after it ended, and of the others (under way, or of unknown outcome) some. What these have to make
// up is the difference between the balances that it returned and the initial ones with the former added, account by
// account: a sum of subsets, which few candidates keep small. What the initial balances are follows from the read that
// ended first, for each choice of the transfers under way until then.
//
// A transfer that some read shows for certain (no other choice explains it) is shown by every read that began after
// that one had ended; and of two reads for which the choice is certain one shows all that the other one does.
//
// That finds most of what is wrong, and says it best. Whether all is right is decided by bank_order.h, which follows up
// every choice; what only that one sees is told by the reads that no order explains together. Where either gives up
// after a number of steps (many transfers of unknown outcome) and nothing was found, the verdict is `unknown`.
//
// Thread-safety: one thread; it belongs to one check.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkers/workload/bank_order.h"
#include "checkers/workload/judgement.h"

namespace ordeal::work {

// An account's name as people write it: 7 and "7" are one.
[[nodiscard]] std::string account_name(const Judgement& in, ValueId id);

class BankMoves {
 public:
  explicit BankMoves(Judgement& in) : in_(in) {}

  // False when the operation was refused.
  [[nodiscard]] bool transfer(OperationEvents op);
  void read(OperationEvents op, const std::map<std::string, std::int64_t>& balances);
  // Tells unexplained-balances and incomparable-reads. Requires: the operations were given in order, and all reads show
  // the same accounts.
  void judge();

 private:
  using Balances = std::vector<std::int64_t>;  // by account
  struct Transfer {
    OperationEvents op;
    std::size_t from = 0, to = 0;
    std::int64_t amount = 0;
    EventIndex shown = kNoEvent;  // the end of the first read that shows it for certain
  };
  struct Read {
    OperationEvents op;
    std::map<std::string, std::int64_t> balances;
    Balances seen;                  // by account
    std::size_t certain = 0;        // so many of acknowledged_ it shows in any case
    Balances moved;                 // by these
    std::vector<std::size_t> open;  // those that it may show: places in transfers_
  };
  enum class Found { none, one, several, gave_up };

  std::size_t account(const std::string& name) { return accounts_.try_emplace(name, accounts_.size()).first->second; }
  void gather();
  [[nodiscard]] Balances rest(const Read& read, const Balances& initial) const;
  // A transfer as one that may be chosen without any other.
  [[nodiscard]] BankTransfer unordered(std::size_t transfer) const {
    const Transfer& one = transfers_[transfer];
    return {one.op.invocation, kNoEvent, one.from, one.to, one.amount};
  }
  [[nodiscard]] Found choose(const Balances& rest, const std::vector<std::size_t>& open,
                             std::vector<std::size_t>& choice);
  [[nodiscard]] std::vector<Balances> initials(const Read& first) const;
  // The place of the first read that the initial balances do not explain; all of them: reads_.size().
  [[nodiscard]] std::size_t explain(const Balances& initial, bool tell);
  // A read for which it is certain what it shows beside what it shows in any case.
  struct Known {
    const Read* read = nullptr;
    std::set<std::size_t> shows;
    Balances left;                  // what the transfers of `open` had to make up
    std::vector<std::size_t> open;  // without those that an earlier read showed
  };
  // False: contradicted, which is told if it is to be.
  bool compare(Known known, bool tell);
  [[nodiscard]] bool ordered(const Known& known, bool tell);
  [[nodiscard]] bool certainly_without(const Known& known, std::size_t transfer) const;
  [[nodiscard]] bool proved(const std::vector<std::size_t>& reads);
  [[nodiscard]] std::size_t place(const Read& read) const { return static_cast<std::size_t>(&read - reads_.data()); }
  [[nodiscard]] std::vector<EventIndex> behind(const Read& read) const;
  // What may have happened between two reads, one over before the other began: what one shows and the other does not.
  struct Between {
    OperationEvents from;
    std::vector<std::size_t> certain, open;  // transfers: what did, and what may have
    Balances left;                           // what the open ones have to make up
  };
  [[nodiscard]] Between between(const Read& earlier, const Read& read) const;
  [[nodiscard]] std::optional<Between> contradiction(const Read& read) const;
  void unexplained(const Read& read, const Balances& initial);
  void unexplained(const Read& read, const Between& since);
  [[nodiscard]] std::string differences(const Balances& left) const;
  // Whether one order explains these reads (places in reads_, the first of all among them) from one of the balances.
  [[nodiscard]] BankAnswer ordered(const std::vector<std::size_t>& reads, const std::vector<Balances>& initials,
                                   std::size_t steps) const;
  void together();

  Judgement& in_;
  std::map<std::string, std::size_t> accounts_;
  std::vector<Transfer> transfers_;        // that may have happened, by invocation
  std::vector<std::size_t> acknowledged_;  // places in transfers_, by acknowledgement
  std::vector<Read> reads_;
  std::vector<Balances> candidates_;  // for the initial balances
  std::set<std::size_t> guess_;       // transfers of unknown outcome that explained the read before
  std::vector<Known> known_;          // while reads may overlap them
  std::size_t told_ = 0;              // reads that nothing explains
};

}  // namespace ordeal::work
