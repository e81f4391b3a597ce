// An element that is added once and removed once at most has but one interval of presence. Where that begins and ends
// can be pushed: as late as the first `contains: yes` allows, and as early as the last one does; what `contains: no`
// then does not fit never will. Tested by tests/checkers/linearizability/special_cases_test.cc as a part of by-element.

#include "checkers/linearizability/special/presence.h"

#include <algorithm>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/special/special_case_base.h"

namespace ordeal::lin {
namespace {

// All operations on one element.
struct ElementCalls {
  CallIndex add = kNoCall;
  CallIndex remove = kNoCall;
  std::vector<CallIndex> yes;  // contains: it was there
  std::vector<CallIndex> no;
};

bool fits(const std::vector<Call>& calls, const ElementCalls& element) {
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

}  // namespace

std::optional<bool> presence_fits(const std::vector<Call>& calls, std::span<const CallIndex> element) {
  ElementCalls all;
  for (const CallIndex i : element) {
    switch (calls[i].op.code) {
      case set::kAdd:
        if (all.add != kNoCall) return std::nullopt;
        all.add = i;
        break;
      case set::kRemove:
        if (all.remove != kNoCall) return std::nullopt;
        all.remove = i;
        break;
      default:
        (calls[i].op.b != 0 ? all.yes : all.no).push_back(i);
    }
  }
  return fits(calls, all);
}

}  // namespace ordeal::lin
