// set-chain: a set that needs no search. Elements are added at most once each, never removed, and reads return
// everything. All that was read must then form a chain of inclusions S1 ⊂ S2 ⊂ …, which puts the operations into groups
// of known order:
//   adds of S1 · reads of S1 · adds of S2 \ S1 · reads of S2 · … · acknowledged adds nobody saw
// and the sweep of log_prefix.cc decides.
//
// Cost: O(n log n + length of all reads). Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/by_value.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class SetChain final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "set-chain"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::set) return "it decides sets only";
    if (!starts_empty(history)) return "the set does not start empty";
    ByValue<std::uint8_t> added(history);
    for (const Call& call : history.calls) {
      if (call.op.code == set::kRead) continue;
      if (call.op.code != set::kAdd) return "there are other operations than add and read";
      const auto element = static_cast<std::size_t>(call.op.a);
      if (added[element] != 0) return "an element is added twice";
      added[element] = 1;
    }
    return {};
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    ByValue<CallIndex> add_of(history, kNoCall);
    std::vector<CallIndex> reads;
    for (CallIndex i = 0; i < calls.size(); ++i) {
      if (calls[i].op.code == set::kAdd)
        add_of[static_cast<std::size_t>(calls[i].op.a)] = i;
      else
        reads.push_back(i);
    }
    const auto with_adds = [&](std::vector<CallIndex> culprits) {
      return refuted_with_elements(history, std::move(culprits), add_of);
    };
    std::stable_sort(reads.begin(), reads.end(), [&](CallIndex x, CallIndex y) {
      return elements_read(history, calls[x].op).size() < elements_read(history, calls[y].op).size();
    });

    // `stamp` holds, for the elements of the set that was read last, its number.
    ByValue<std::uint32_t> stamp(history);
    std::uint32_t number = 0;
    CallIndex last = kNoCall;
    GroupSweep sweep(calls);
    std::vector<CallIndex> same;  // the reads of one set
    std::vector<CallIndex> fresh;
    std::optional<std::pair<CallIndex, CallIndex>> wrong;
    for (std::size_t r = 0; r < reads.size() && !wrong; ++r) {
      const CallIndex read = reads[r];
      const auto now = elements_read(history, calls[read].op);
      if (last != kNoCall && calls[last].op == calls[read].op) {
        same.push_back(read);
        continue;
      }
      fresh.clear();
      std::size_t kept = 0;
      for (const ValueId element : now) {
        if (add_of[element] == kNoCall || stamp[element] == number + 1) return with_adds({read});
        if (stamp[element] == number && number > 0)
          ++kept;
        else
          fresh.push_back(add_of[element]);
        stamp[element] = number + 1;
      }
      ++number;
      const std::size_t before = last == kNoCall ? 0 : elements_read(history, calls[last].op).size();
      if (kept != before) return with_adds({last, read});
      if (now.size() > before || last == kNoCall) {
        wrong = sweep.add(std::move(same));
        same.clear();
        if (!wrong) wrong = sweep.add(std::move(fresh));
        fresh.clear();
      }
      same.push_back(read);
      last = read;
    }
    if (!wrong) wrong = sweep.add(std::move(same));
    if (!wrong) {
      std::vector<CallIndex> unseen;
      for (CallIndex i = 0; i < calls.size(); ++i) {
        const bool add = calls[i].op.code == set::kAdd;
        if (add && !calls[i].crashed() && stamp[static_cast<std::size_t>(calls[i].op.a)] == 0) unseen.push_back(i);
      }
      wrong = sweep.add(std::move(unseen));
    }
    if (!wrong) return explained(sweep.take_order(), want_order);
    return with_adds(culprits_of(history, reads, *wrong));
  }

 private:
  // Two adds in the wrong order are known to be so by a read that saw only the first group's.
  static std::vector<CallIndex> culprits_of(const KeyHistory& history, const std::vector<CallIndex>& reads,
                                            std::pair<CallIndex, CallIndex> wrong) {
    const std::vector<Call>& calls = history.calls;
    std::vector<CallIndex> culprits = {wrong.first, wrong.second};
    if (calls[wrong.first].op.code != set::kAdd || calls[wrong.second].op.code != set::kAdd) return culprits;
    const auto saw = [&](CallIndex read, CallIndex add) {
      const auto list = elements_read(history, calls[read].op);
      return std::find(list.begin(), list.end(), static_cast<ValueId>(calls[add].op.a)) != list.end();
    };
    for (const CallIndex read : reads) {
      if (saw(read, wrong.first) && !saw(read, wrong.second)) {
        culprits.push_back(read);
        break;
      }
    }
    return culprits;
  }
};

}  // namespace

std::unique_ptr<Strategy> set_chain_strategy() { return std::make_unique<SetChain>(); }

}  // namespace ordeal::lin
