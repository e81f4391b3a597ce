#pragma once
// Statistics over a store: how often each kind of run came to each verdict, and showed each anomaly, in all runs that
// are stored. Runs are of one kind when their plans are equal but for seed, name and store: target, workload, faults
// and every setting. Thread-safety: functions without state; reads.

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "session/campaign/rate.h"

namespace ordeal {

struct KindOfRuns {
  std::string name;  // "etcd register partition nodes=local:3 etcd.serializable-reads=true": what is not a default
  std::size_t runs = 0;
  std::size_t failed = 0;  // the run itself; counts for nothing else
  // Of the runs that did not fail.
  std::map<std::string, Rate> verdicts;
  std::map<std::string, Rate> anomalies;  // of those that are decided: valid or invalid
  // Both verdicts came, or an anomaly in some of the runs only.
  [[nodiscard]] bool is_flaky() const;
};

struct Statistics {
  std::vector<KindOfRuns> kinds;      // by name
  std::vector<std::string> left_out;  // "DIR: why": not judged yet, or hostile
};

// Errors: not_found.
[[nodiscard]] Result<Statistics> statistics_of(const std::string& store);

}  // namespace ordeal
