#pragma once
// What the levels have in common that are judged key by key with the searches of linearizability (k-atomic-N,
// bounded-staleness-T): the limits, the verdict over all keys, the time that a smaller counterexample may take.
//
// Thread-safety: pure.

#include <chrono>
#include <functional>

#include "checkers/interfaces/checker.h"
#include "checkers/linearizability/interfaces/strategy.h"

namespace ordeal::weak {

// One key, and what deciding it may take.
struct KeyQuestion {
  const lin::KeyHistory& key;
  lin::Budget& budget;  // shared by all keys
  const CheckOptions& options;
  std::chrono::steady_clock::time_point start;  // since when the time of the options counts

  // What looking for a smaller counterexample may take, from now on.
  [[nodiscard]] lin::Budget minimising() const;
};

// Decides one key; when it is invalid it has put the anomaly into the result.
using DecideKey = std::function<lin::Decision(const KeyQuestion& question)>;

// Each key in turn, until one is invalid; a key that is undecided makes the verdict `unknown`.
void judge_by_key(const lin::Partition& parts, const CheckOptions& options, std::chrono::steady_clock::time_point start,
                  const DecideKey& decide, CheckResult& result);

}  // namespace ordeal::weak
