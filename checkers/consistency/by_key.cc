#include "checkers/consistency/by_key.h"

#include "base/limits.h"
#include "checkers/linearizability/proof/minimise.h"

namespace ordeal::weak {

using namespace lin;

Budget KeyQuestion::minimising() const {
  return {minimising_until(start, options.timeout), budget.limit_bytes(), options.stop};
}

void judge_by_key(const Partition& parts, const CheckOptions& options, std::chrono::steady_clock::time_point start,
                  const DecideKey& decide, CheckResult& result) {
  Budget budget(options.timeout.count() > 0 ? start + options.timeout : std::chrono::steady_clock::time_point::max(),
                options.memory_bytes > 0 ? options.memory_bytes : usable_memory(), options.stop);
  result.verdict = Verdict::valid;
  for (const KeyHistory& key : parts.keys) {
    const Decision decision = decide({key, budget, options, start});
    if (decision.verdict == Verdict::invalid) {
      result.verdict = Verdict::invalid;
      result.reason.clear();
      return;
    }
    if (decision.verdict == Verdict::unknown && result.verdict == Verdict::valid) {
      result.verdict = Verdict::unknown;
      result.reason = decision.reason;
    }
  }
}

}  // namespace ordeal::weak
