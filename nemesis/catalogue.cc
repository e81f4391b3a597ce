#include "nemesis/catalogue.h"

#include "base/names.h"
#include "nemesis/clock/clock.h"
#include "nemesis/clock/host_clock.h"
#include "nemesis/cluster/membership.h"
#include "nemesis/cluster/rolling.h"
#include "nemesis/network/client_fault.h"
#include "nemesis/network/connection_faults.h"
#include "nemesis/network/dns.h"
#include "nemesis/network/packet_faults.h"
#include "nemesis/network/partition.h"
#include "nemesis/process/crash.h"
#include "nemesis/process/kill.h"
#include "nemesis/process/pause.h"
#include "nemesis/process/resources.h"
#include "nemesis/storage/corrupt_files.h"
#include "nemesis/storage/disk_fault.h"
#include "nemesis/storage/disk_full.h"
#include "nemesis/storage/power_loss.h"

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
      reset_fault(),
      slow_close_fault(),
      dns_fault(),
      clients_fault(),
      kill_fault(),
      pause_fault(),
      restart_fault(),
      crash_fault(),
      slow_fault(),
      files_fault(),
      memory_fault(),
      clock_fault(),
      host_clock_fault(),
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
