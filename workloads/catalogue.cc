#include "workloads/catalogue.h"

#include <algorithm>
#include <iterator>

#include "base/names.h"
#include "workloads/bank_workload.h"
#include "workloads/cas_by_version_workload.h"
#include "workloads/causal_reverse_workloads.h"
#include "workloads/counter_workload.h"
#include "workloads/crdt_workloads.h"
#include "workloads/durability_workload.h"
#include "workloads/g2_workload.h"
#include "workloads/idempotency_keys_workload.h"
#include "workloads/kafka_workload.h"
#include "workloads/ledger_workload.h"
#include "workloads/levels.h"
#include "workloads/limit_workloads.h"
#include "workloads/lock_workloads.h"
#include "workloads/log_workload.h"
#include "workloads/long_fork_workload.h"
#include "workloads/message_workloads.h"
#include "workloads/order_workloads.h"
#include "workloads/ordered_ids_workload.h"
#include "workloads/overdraft_workload.h"
#include "workloads/promise_workloads.h"
#include "workloads/queue_workloads.h"
#include "workloads/read_model_workload.h"
#include "workloads/register_workload.h"
#include "workloads/replicated_workloads.h"
#include "workloads/set_workload.h"
#include "workloads/transaction_workloads.h"
#include "workloads/unique_ids_workload.h"

namespace ordeal {

std::span<const WorkloadFactory> workloads() {
  static const std::vector<WorkloadFactory> all = {
      bank_workload(),
      cas_by_version_workload(),
      causal_reverse_workload(),
      comments_workload(),
      concurrency_limit_workload(),
      counter_workload(),
      dead_letter_workload(),
      delivery_workload(),
      durability_workload(),
      g2_workload(),
      g_set_workload(),
      idempotency_workload(),
      idempotency_keys_workload(),
      kafka_workload(),
      leader_election_workload(),
      ledger_workload(),
      list_append_workload(),
      lock_workload(),
      log_workload(),
      long_fork_workload(),
      lww_map_workload(),
      monotonic_workload(),
      or_set_workload(),
      ordered_ids_workload(),
      outbox_workload(),
      overdraft_workload(),
      pn_counter_workload(),
      queue_workload(),
      rate_limit_workload(),
      read_model_workload(),
      register_workload(),
      rw_register_workload(),
      saga_workload(),
      sequential_workload(),
      set_workload(),
      set_full_workload(),
      token_bucket_workload(),
      total_queue_workload(),
      unique_ids_workload(),
      write_skew_workload(),
  };
  return all;
}

std::string promise_of(const WorkloadFactory& workload, const Options& options) {
  // The words by which options say what is claimed beside the level.
  static constexpr std::string_view kClaims[] = {
      "ordered", "denials",      "negative-balances", "lag",           "max-lost", "per-client", "rpo",
      "rto",     "sticky",       "tolerance",         "burst",         "rate",     "limit",      "ttl",
      "rule",    "max-attempts", "redelivery",        "empty-receives"};
  std::string changed;
  for (const OptionSpec& spec : workload.options) {
    const std::string_view word = std::string_view(spec.key).substr(workload.name.size() + 1);
    if (std::find(std::begin(kClaims), std::end(kClaims), word) == std::end(kClaims) || !options.has(spec.key))
      continue;
    const Value& value = options.value(spec.key);
    if (value == spec.default_value) continue;
    const std::string text = value.is_string() ? value.string() : value.to_json();
    changed += " Here " + spec.key + " is " + text + " (" + spec.help + ").";
  }
  const bool chosen = !workload.level_option.empty() && options.has(workload.level_option);
  const std::string promise = chosen ? promise_at(workload, options.string(workload.level_option)) : workload.promise;
  return changed.empty() || promise != workload.promise ? promise + changed : "By default: " + promise + changed;
}

Result<const WorkloadFactory*> find_workload(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& one : workloads()) {
    if (one.name == name) return &one;
    known.push_back(one.name);
  }
  return fail(unknown_name("workload", name, known));
}

}  // namespace ordeal
