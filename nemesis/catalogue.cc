#include "nemesis/catalogue.h"

#include "checkers/base/catalogue.h"
#include "nemesis/clock.h"
#include "nemesis/corrupt_files.h"
#include "nemesis/disk_fault.h"
#include "nemesis/disk_full.h"
#include "nemesis/membership.h"
#include "nemesis/packet_faults.h"
#include "nemesis/partition.h"
#include "nemesis/power_loss.h"
#include "nemesis/processes.h"
#include "nemesis/resources.h"
#include "nemesis/rolling.h"

namespace ordeal {

std::span<const FaultFactory> faults() {
  static const std::vector<FaultFactory> all = {
      partition_fault(),
      latency_fault(),
      loss_fault(),
      duplicate_fault(),
      reorder_fault(),
      corrupt_fault(),
      bandwidth_fault(),
      kill_fault(),
      pause_fault(),
      restart_fault(),
      slow_fault(),
      files_fault(),
      memory_fault(),
      clock_fault(),
      membership_fault(),
      rolling_restart_fault(),
      rolling_upgrade_fault(),
      power_loss_fault(),
      disk_fault(),
      disk_full_fault(),
      corrupt_files_fault(),
  };
  return all;
}

Result<const FaultFactory*> find_fault(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& one : faults()) {
    if (one.name == name) return &one;
    known.push_back(one.name);
  }
  return fail(unknown_name("fault", name, known));
}

}  // namespace ordeal
