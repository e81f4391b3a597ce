// set-chain and set-elements: two kinds of sets that need no search.
//
// set-chain: elements are added at most once each, never removed, and reads return everything. All that was read must
// then form a chain of inclusions S1 ⊂ S2 ⊂ …, which puts the operations into groups of known order:
//   adds of S1 · reads of S1 · adds of S2 \ S1 · reads of S2 · … · acknowledged adds nobody saw
// and the sweep of log_prefix.cc decides.
//
// set-elements: add, remove and contains but no reads of everything. Elements are then independent of one another
// (Horn and Kroening's P-compositionality), and an element that is added once and removed at most once has but one
// interval of presence. Where that begins and ends can be pushed: as late as the first `contains: yes` allows, and as
// early as the last one does; what `contains: no` then does not fit never will.
//
// Cost: O(n log n + length of all reads). Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class SetChain final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "set-chain"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (history.model->name() != "set") return "it decides sets only";
    if (!starts_empty(history)) return "the set does not start empty";
    std::vector<bool> added(history.history->values().size());
    for (const Call& call : history.calls) {
      if (call.op.code == set::kRead) continue;
      if (call.op.code != set::kAdd) return "there are other operations than add and read";
      const auto element = static_cast<std::size_t>(call.op.a);
      if (added[element]) return "an element is added twice";
      added[element] = true;
    }
    return {};
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    std::vector<CallIndex> add_of(history.history->values().size(), kNoCall);
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
    std::vector<std::uint32_t> stamp(add_of.size(), 0);
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

// All operations on one element.
struct ElementCalls {
  CallIndex add = kNoCall;
  CallIndex remove = kNoCall;
  std::vector<CallIndex> yes;  // contains: it was there
  std::vector<CallIndex> no;
};

class SetElements final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "set-elements"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (history.model->name() != "set") return "it decides sets only";
    if (!starts_empty(history)) return "the set does not start empty";
    std::vector<std::uint8_t> used(history.history->values().size());
    for (const Call& call : history.calls) {
      if (call.op.code == set::kRead) return "there are reads of all elements";
      if (call.op.code == set::kContains) continue;
      const std::uint8_t bit = call.op.code == set::kAdd ? 1 : 2;
      std::uint8_t& bits = used[static_cast<std::size_t>(call.op.a)];
      if ((bits & bit) != 0) return bit == 1 ? "an element is added twice" : "an element is removed twice";
      bits |= bit;
    }
    return {};
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool) const override {
    const std::vector<Call>& calls = history.calls;
    std::vector<std::uint32_t> place(history.history->values().size(), kNoCall);
    std::vector<ElementCalls> all;
    for (CallIndex i = 0; i < calls.size(); ++i) {
      std::uint32_t& at = place[static_cast<std::size_t>(calls[i].op.a)];
      if (at == kNoCall) {
        at = static_cast<std::uint32_t>(all.size());
        all.emplace_back();
      }
      ElementCalls& element = all[at];
      switch (calls[i].op.code) {
        case set::kAdd:
          element.add = i;
          break;
        case set::kRemove:
          element.remove = i;
          break;
        default:
          (calls[i].op.b != 0 ? element.yes : element.no).push_back(i);
      }
    }
    for (ElementCalls& element : all) {
      if (fits(calls, element)) continue;
      std::vector<CallIndex> culprits = element.yes;
      culprits.insert(culprits.end(), element.no.begin(), element.no.end());
      if (element.add != kNoCall) culprits.push_back(element.add);
      if (element.remove != kNoCall) culprits.push_back(element.remove);
      return refuted(std::move(culprits));
    }
    return explained({}, false);
  }

 private:
  static bool fits(const std::vector<Call>& calls, const ElementCalls& element) {
    const bool may_be_absent_always = element.add == kNoCall || calls[element.add].crashed();
    if (element.yes.empty() && may_be_absent_always) return true;
    if (element.add == kNoCall) return false;
    EventIndex first_yes = kNever;  // it must be present before this
    EventIndex last_yes = 0;        // and after this
    for (const CallIndex call : element.yes) {
      first_yes = std::min(first_yes, calls[call].ret);
      last_yes = std::max(last_yes, calls[call].inv);
    }
    const Call& add = calls[element.add];
    const EventIndex begin = std::min(add.ret, first_yes);  // the latest that the add can take effect
    if (begin < add.inv) return false;
    const auto nothing_after = [&] {
      return std::all_of(element.no.begin(), element.no.end(), [&](CallIndex call) { return calls[call].inv < begin; });
    };
    if (element.remove == kNoCall) return nothing_after();
    const Call& remove = calls[element.remove];
    // The remove came first and removed nothing, or crashed and never happened.
    if ((remove.inv < begin || remove.crashed()) && nothing_after()) return true;
    const EventIndex end = std::max(remove.inv, last_yes);  // the earliest that the remove can take effect
    if (end > remove.ret || add.inv > remove.ret) return false;
    if (begin > end) return true;  // presence can be a single moment, within all that saw it
    return std::all_of(element.no.begin(), element.no.end(),
                       [&](CallIndex call) { return calls[call].inv < begin || calls[call].ret > end; });
  }
};

}  // namespace

std::unique_ptr<Strategy> set_chain_strategy() { return std::make_unique<SetChain>(); }
std::unique_ptr<Strategy> set_elements_strategy() { return std::make_unique<SetElements>(); }

}  // namespace ordeal::lin
