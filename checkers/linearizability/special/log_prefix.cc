// log-prefix: append-only logs whose reads return everything.
//
// When no element is appended twice, the longest read L fixes the order of all elements that were ever seen, and every
// other read must be a prefix of it. So the operations stand in groups whose order is known:
//   reads of [] · append L1 · reads of [L1] · append L2 · reads of [L1 L2] · … · acknowledged appends nobody read
// and the history is linearizable exactly when no operation returned before one of an earlier group was invoked
// (GroupSweep). Appends that crashed and were never read are taken not to have happened.
//
//   append 1 -> ok, then append 2 -> ok, then read -> [2]    invalid: append 1 is after the read, but ended before it
//
// Cost: O(n log n + length of all distinct reads). Tested by tests/checkers/linearizability/special_cases_test.cc.

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/by_value.h"
#include "checkers/linearizability/special/special_case_base.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

class LogPrefix final : public Strategy {
 public:
  [[nodiscard]] std::string_view name() const override { return "log-prefix"; }

  [[nodiscard]] std::string objection(const KeyHistory& history) const override {
    if (type_of(*history.model) != DataType::log) return "it decides logs only";
    if (!starts_empty(history)) return "the log does not start empty";
    ByValue<std::uint8_t> appended(history);
    for (const Call& call : history.calls) {
      if (call.op.code == log::kRead && call.op.b != 0) return "some reads begin at an offset";
      if (call.op.code != log::kAppend) continue;
      const auto element = static_cast<std::size_t>(call.op.a);
      if (appended[element] != 0) return "an element is appended twice";
      appended[element] = 1;
    }
    return {};
  }

  [[nodiscard]] Decision decide(const KeyHistory& history, Budget&, bool want_order) const override {
    const std::vector<Call>& calls = history.calls;
    ByValue<CallIndex> append_of(history, kNoCall);
    std::span<const ValueId> longest;
    CallIndex longest_read = kNoCall;
    for (CallIndex i = 0; i < calls.size(); ++i) {
      if (calls[i].op.code == log::kAppend) {
        append_of[static_cast<std::size_t>(calls[i].op.a)] = i;
      } else if (longest_read == kNoCall || elements_read(history, calls[i].op).size() > longest.size()) {
        longest_read = i;
        longest = elements_read(history, calls[i].op);
      }
    }
    const auto with_appends = [&](std::vector<CallIndex> culprits) {
      return refuted_with_elements(history, std::move(culprits), append_of);
    };

    ByValue<std::uint8_t> seen(history);
    for (const ValueId element : longest) {
      if (append_of[element] == kNoCall || seen[element] != 0) return with_appends({longest_read});
      seen[element] = 1;
    }
    // Group 2k + 1: reads of length k; group 2k: the append that made the length k.
    std::vector<std::vector<CallIndex>> reads(longest.size() + 1);
    ByValue<std::uint8_t> is_prefix(history);  // lists that were compared already
    for (CallIndex i = 0; i < calls.size(); ++i) {
      if (calls[i].op.code != log::kRead) continue;
      const auto list = elements_read(history, calls[i].op);
      if (calls[i].op.a != kNil && is_prefix[static_cast<std::size_t>(calls[i].op.a)] == 0) {
        if (!std::equal(list.begin(), list.end(), longest.begin())) return with_appends({i, longest_read});
        is_prefix[static_cast<std::size_t>(calls[i].op.a)] = 1;
      }
      reads[list.size()].push_back(i);
    }
    GroupSweep sweep(calls);
    std::optional<std::pair<CallIndex, CallIndex>> wrong;
    for (std::size_t length = 0; length <= longest.size() && !wrong; ++length) {
      if (length > 0) wrong = sweep.add({append_of[longest[length - 1]]});
      if (!wrong) wrong = sweep.add(std::move(reads[length]));
    }
    if (!wrong) {
      std::vector<CallIndex> unread;
      for (CallIndex i = 0; i < calls.size(); ++i) {
        if (calls[i].op.code == log::kAppend && !calls[i].crashed() &&
            seen[static_cast<std::size_t>(calls[i].op.a)] == 0) {
          unread.push_back(i);
        }
      }
      wrong = sweep.add(std::move(unread));
    }
    if (!wrong) return explained(sweep.take_order(), want_order);
    // Two appends in the wrong order are known to be so by a read of both.
    std::vector<CallIndex> culprits = {wrong->first, wrong->second};
    if (calls[wrong->first].op.code == log::kAppend && calls[wrong->second].op.code == log::kAppend) {
      culprits.push_back(longest_read);
    }
    return with_appends(std::move(culprits));
  }
};

}  // namespace

std::unique_ptr<Strategy> log_prefix_strategy() { return std::make_unique<LogPrefix>(); }

}  // namespace ordeal::lin
