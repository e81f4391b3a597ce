#pragma once
// Workloads of transactions, judged by the checker "transactional".
//
//   list-append  transactions of reads and appends of unique elements to lists, after Elle: what a read returns shows
//   the
//                whole history of its key, so every isolation anomaly can be recognised
//   rw-register  reads and writes of unique values; by default every write is preceded by a read of its key, which
//   makes
//                the order of versions known and the check near-linear
//   write-skew   pairs of keys; each transaction reads both and writes one of them: under snapshot isolation two may
//                miss each other's write (G2-item), under serializability they may not
//
// Keys rotate: a few are in use at a time; one that has taken its number of writes is replaced by a new one.

#include "harness/interfaces/workload.h"

namespace ordeal {

[[nodiscard]] WorkloadFactory list_append_workload();
[[nodiscard]] WorkloadFactory rw_register_workload();
[[nodiscard]] WorkloadFactory write_skew_workload();

}  // namespace ordeal
