#pragma once
// Schedule: when each fault is injected and for how long, as a pure function of the seed.
//
// Every kind of fault has a lane of its own: wait, inject, stay in force, heal, wait, … The lanes start one after the
// other in a random order within the first cycle, so that each kind occurs early and they overlap in changing ways. All
// draws of the k-th injection of a lane come from a generator of its own, seeded by (seed, lane, k): what happens in one
// lane, or how long healing took, never shifts another's parameters. Injections are numbered lane + 1 + k * lanes.
//
// Thread-safety: immutable after construction.

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace ordeal {

struct Slot {
  int id = 0;               // unique within the run, from 1
  double wait_s = 0;        // after the healing of the lane's last injection; the first: from the start of the run
  double duration_s = 0;    // in force
  std::mt19937_64 random;   // for the fault's own parameters
};

class Schedule {
 public:
  // Waits and durations are drawn within 40 % of the given ones; the first injection comes after 0.4 of an interval.
  // With n lanes each waits (1 + n) / 2 times as long, so that more kinds of faults mean more variety rather than a
  // cluster that never has a moment to work: with three, about one fault is in force at any time.
  Schedule(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s);
  // The k-th injection (from 0) of a lane.
  [[nodiscard]] Slot slot(std::size_t lane, std::size_t k) const;

 private:
  std::uint64_t seed_;
  double interval_s_;
  double duration_s_;
  std::vector<std::size_t> place_;  // of each lane among the starts of the first cycle
};

}  // namespace ordeal
