#include "workloads/catalogue.h"

#include "checkers/base/catalogue.h"
#include "workloads/bank_workload.h"
#include "workloads/g2_workload.h"
#include "workloads/long_fork_workload.h"
#include "workloads/register_workload.h"
#include "workloads/set_workload.h"
#include "workloads/transaction_workloads.h"

namespace ordeal {

std::span<const WorkloadFactory> workloads() {
  static const std::vector<WorkloadFactory> all = {
      bank_workload(),
      g2_workload(),
      list_append_workload(),
      long_fork_workload(),
      register_workload(),
      rw_register_workload(),
      set_workload(),
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
