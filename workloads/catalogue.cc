#include "workloads/catalogue.h"

#include "checkers/base/catalogue.h"
#include "workloads/bank_workload.h"
#include "workloads/causal_reverse_workloads.h"
#include "workloads/counter_workload.h"
#include "workloads/g2_workload.h"
#include "workloads/long_fork_workload.h"
#include "workloads/queue_workloads.h"
#include "workloads/register_workload.h"
#include "workloads/set_workload.h"
#include "workloads/transaction_workloads.h"
#include "workloads/unique_ids_workload.h"

namespace ordeal {

std::span<const WorkloadFactory> workloads() {
  static const std::vector<WorkloadFactory> all = {
      bank_workload(),
      causal_reverse_workload(),
      comments_workload(),
      counter_workload(),
      delivery_workload(),
      g2_workload(),
      list_append_workload(),
      long_fork_workload(),
      queue_workload(),
      register_workload(),
      rw_register_workload(),
      set_workload(),
      set_full_workload(),
      total_queue_workload(),
      unique_ids_workload(),
      write_skew_workload(),
  };
  return all;
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
