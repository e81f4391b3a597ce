#pragma once
// Limits: whether this machine has the descriptors and threads that the workers of a run will need, told before
// anything is started. A limit that is met in the middle costs clients one by one, and the history is not the one that
// was asked for. Thread-safety: pure functions, but for machine_limits(), to be called before threads are started.

#include <cstddef>
#include <string>

namespace ordeal {

struct WorkerNeeds {
  std::size_t workers = 0;
  double descriptors_each = 0;  // open files and sockets of a client
  double processes_each = 0;    // programs that a client starts on this machine
  std::size_t nodes = 0;        // each has connections of its own
};

struct MachineLimits {
  std::size_t descriptors = 0;  // of this process
  std::size_t tasks = 0;        // threads and processes that may still be started
  std::string tasks_by;         // what sets that limit: "kernel.threads-max"
  std::size_t threads_of_a_process = 0;
};

// Raises this process's limit of open files to what it may have, and looks.
[[nodiscard]] MachineLimits machine_limits();

// What is missing, and what to do; empty: nothing.
[[nodiscard]] std::string limits_problem(const WorkerNeeds& needs, const MachineLimits& limits);

}  // namespace ordeal
