#pragma once
// Schedule: when each fault is injected and for how long, as a pure function of the seed.
//
// Every kind of fault (scripted: every entry of the timeline) has a lane of its own. Three kinds of schedule:
//
//   random     wait, inject, stay in force, heal, wait, … The lanes start one after the other in a random order within
//              the first cycle, so that each kind occurs early and they overlap in changing ways.
//   periodic   the lanes take turns at fixed times: an interval of peace, the first fault, an interval, the second, …
//   scripted   the times of a timeline (timeline.h)
//
// All draws of the k-th injection of a lane come from a generator of its own, seeded by (seed, lane, k): what happens
// in one lane, or how long healing took, never shifts another's parameters. Injections are numbered lane + 1 + k *
// lanes.
//
// Swarm testing (Groce, Zhang, Eide, Chen, Regehr: "Swarm Testing", ISSTA 2012): a run that has every kind of fault all
// the time hides what only shows when some are left out, so each seed draws its own subset and its own intensities.
//
// Thread-safety: immutable after construction.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ordeal {

struct Slot {
  int id = 0;              // unique within the run, from 1
  double wait_s = 0;       // after the healing of the lane's last injection; the first: from the start of the run
  double at_s = -1;        // from the start of the run instead; -1: wait_s counts
  double duration_s = 0;   // in force
  std::mt19937_64 random;  // for the fault's own parameters
};

// How often and how long, as factors of the plan's interval and duration.
struct Intensity {
  double interval = 1;
  double duration = 1;
};

// The times of one entry of a timeline.
struct ScriptedTimes {
  double at_s = 0;
  double duration_s = 0;
  double every_s = 0;  // from one injection to the next
  int times = 1;       // 0: for as long as the run goes on
};

class Schedule {
 public:
  // random. Waits and durations are drawn within 40 % of the given ones; the first injection comes after 0.4 of an
  // interval. With n lanes each waits (1 + n) / 2 times as long, so that more kinds of faults mean more variety rather
  // than a cluster that never has a moment to work: with three, about one fault is in force at any time.
  // `intensities`: one for each lane, or none.
  Schedule(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s,
           std::vector<Intensity> intensities = {});
  [[nodiscard]] static Schedule periodic(std::uint64_t seed, std::size_t lanes, double interval_s, double duration_s,
                                         std::vector<Intensity> intensities = {});
  [[nodiscard]] static Schedule scripted(std::uint64_t seed, std::vector<ScriptedTimes> entries);

  [[nodiscard]] std::size_t lanes() const { return place_.size(); }
  // The k-th injection (from 0) of a lane; nothing: the lane has no more.
  [[nodiscard]] std::optional<Slot> slot(std::size_t lane, std::size_t k) const;

 private:
  enum class Kind { random, periodic, scripted };
  Kind kind_ = Kind::random;
  std::uint64_t seed_;
  double interval_s_;
  double duration_s_;
  std::vector<std::size_t> place_;  // of each lane among the starts of the first cycle
  std::vector<Intensity> intensities_;
  std::vector<ScriptedTimes> entries_;
};

// Which of some faults a seed chooses, and how intense each is. What is drawn for a fault depends on the seed and its
// name only: to add a fault to the list changes nothing for the others, and to draw again from what was chosen chooses
// it all again.
struct Swarm {
  std::vector<bool> chosen;            // each with probability one half; never none
  std::vector<Intensity> intensities;  // factors between 1/2 and 2, for all
};
[[nodiscard]] Swarm draw_swarm(std::uint64_t seed, const std::vector<std::string>& faults);

// Times in which no fault is in force, so that the target can recover; in seconds since the run began.
struct Quiet {
  double every_s = 0;   // the cycle whose last part is quiet; 0: there is none
  double length_s = 0;  // of that part
  double from_s = -1;   // quiet from here to the end; -1: never
  double end_s = -1;    // of the main phase; -1: not known
  // How long after `t` a fault may be injected: 0: at once; infinite: never again. Not in the last second before a
  // quiet time either, in which it could hardly take effect.
  [[nodiscard]] double wait_s(double t) const;
  // When the next quiet time begins, at or after `t`, or `t` when it is quiet then; infinite: never.
  [[nodiscard]] double next_s(double t) const;
  // Whether `t` is in the last second of the main phase or later: too late for a fault that is meant for it.
  [[nodiscard]] bool too_late(double t) const;
};

}  // namespace ordeal
