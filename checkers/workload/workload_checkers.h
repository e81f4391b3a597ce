#pragma once
// The checkers of workloads: one entry each, with the levels it can judge and the anomalies it names. Each lives in a
// file of its own, whose header comment says what is promised and why each anomaly is a proof.
//
// Thread-safety: immutable; the checkers are stateless.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkers/interfaces/checker.h"

namespace ordeal {

namespace work {
class Judgement;
}

struct WorkloadChecker {
  std::string name;                 // also the name of the model
  std::string help;                 // one line for people
  std::vector<std::string> levels;  // CheckOptions::consistency, the default first; never empty
  void (*judge)(work::Judgement& in) = nullptr;
  std::vector<std::pair<std::string, std::string>> anomalies;  // name and help
  std::vector<OptionSpec> options =
      {};                      // what it reads of CheckOptions::settings; the workloads that it judges offer them
  bool by_key = false;         // judges the keys of events apart; others must not be given events with keys
  bool takes_initial = false;  // honours CheckOptions::initial, an integer
};

[[nodiscard]] std::span<const WorkloadChecker> workload_checkers();
// nullptr when there is none of that name.
[[nodiscard]] const WorkloadChecker* find_workload_checker(std::string_view name);
// A checker that judges by `entry`, which must outlive it.
[[nodiscard]] std::shared_ptr<const Checker> make_workload_checker(const WorkloadChecker& entry);

namespace work {

// One line for each file.
[[nodiscard]] WorkloadChecker bank();
[[nodiscard]] WorkloadChecker cas_by_version();
[[nodiscard]] WorkloadChecker causal_reverse();
[[nodiscard]] WorkloadChecker concurrency_limit();
[[nodiscard]] WorkloadChecker convergence();
[[nodiscard]] WorkloadChecker counter();
[[nodiscard]] WorkloadChecker dead_letter();
[[nodiscard]] WorkloadChecker delivery();
[[nodiscard]] WorkloadChecker durability();
[[nodiscard]] WorkloadChecker g2();
[[nodiscard]] WorkloadChecker idempotency();
[[nodiscard]] WorkloadChecker idempotency_keys();
[[nodiscard]] WorkloadChecker kafka();
[[nodiscard]] WorkloadChecker leader_election();
[[nodiscard]] WorkloadChecker ledger();
[[nodiscard]] WorkloadChecker lock();
[[nodiscard]] WorkloadChecker long_fork();
[[nodiscard]] WorkloadChecker lww_map();
[[nodiscard]] WorkloadChecker monotonic();
[[nodiscard]] WorkloadChecker or_set();
[[nodiscard]] WorkloadChecker ordered_ids();
[[nodiscard]] WorkloadChecker outbox();
[[nodiscard]] WorkloadChecker overdraft();
[[nodiscard]] WorkloadChecker queue();
[[nodiscard]] WorkloadChecker rate_limit();
[[nodiscard]] WorkloadChecker read_model();
[[nodiscard]] WorkloadChecker saga();
[[nodiscard]] WorkloadChecker sequential();
[[nodiscard]] WorkloadChecker set();
[[nodiscard]] WorkloadChecker set_full();
[[nodiscard]] WorkloadChecker token_bucket();
[[nodiscard]] WorkloadChecker total_queue();
[[nodiscard]] WorkloadChecker unique_ids();

}  // namespace work
}  // namespace ordeal
