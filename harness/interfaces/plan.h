#pragma once
// Plan: one run, fully resolved: what the command line and the campaign file said, with every default filled in and
// the origin of each value. Stored as plan.json. The same plan and the same seed give the same schedule.
//
// The settings of a run are one table, plan_settings(): the flags of `ordeal run`, the keys of a campaign file, their
// ranges, defaults and help, plan.json and the command that repeats a run are all made from its rows.
//
// Thread-safety: a value type; not changed after it was made.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/options.h"
#include "base/value.h"

namespace ordeal {

struct Plan {
  std::string name;  // names the run's folder in the store; "<target>-<workload>" by default
  std::string target;
  std::string workload = "register";
  std::string consistency;           // the level that the workload is judged at, an option of it; empty: as that says
  std::vector<std::string> nemesis;  // names of faults; empty: none
  std::string nodes = "local:5";
  double time_limit_s = 60;
  double rate = 200;     // operations a second over all workers; 0: unlimited
  bool poisson = true;   // distances between operations: exponential, else fixed
  int concurrency = 10;  // workers
  std::uint64_t seed = 0;
  double op_timeout_s = 5;
  double start_timeout_s = 60;     // from the target's first start until it serves
  double open_timeout_s = 0;       // for a client to open; 0: the workers' own (worker_pool.h)
  double nemesis_interval_s = 5;   // from the healing of one fault to the next injection
  double nemesis_duration_s = 5;   // how long each fault is in force
  double recovery_s = 30;          // how long the target may take to serve again after healing
  double check_timeout_s = 600;    // for all checkers together; 0: no limit
  std::uint64_t check_memory = 0;  // bytes that a checker may take; 0: half of what is free
  std::string store = "store";
  Options options;  // of target, workload and faults

  // Where each value came from, by the name of the flag: "default", "--rate", "campaign.toml:3".
  Value origins = Value::map();

  [[nodiscard]] Value to_value() const;  // what plan.json holds
  // Reads plan.json; options are declared by the caller beforehand and set from the file. Errors: input, also for a
  // value out of its range.
  [[nodiscard]] static Result<Plan> from_value(const Value& value, Options declared);
};

// Workers of one run.
inline constexpr int kMaxConcurrency = 100'000;

// One setting of a run. Its default is the member's in Plan{}.
struct PlanSetting {
  enum class Type {
    text,
    words,     // names, separated by commas
    duration,  // "1.5s", "200ms", "2m" or seconds; kept in seconds
    rate,      // a number above 0, or "unlimited", which is kept as 0
    integer,
    size,  // bytes, "500M", "4G"; 0: nothing was said
    seed,  // 64 bits; text in plan.json: JSON readers of other languages lose integers beyond 2^53
    boolean,
  };
  // Whether the command that repeats a run says it.
  enum class Repeat { always, when_changed, never };
  using Member = std::variant<std::string Plan::*, std::vector<std::string> Plan::*, double Plan::*, bool Plan::*,
                              int Plan::*, std::uint64_t Plan::*>;

  const char* name;  // the long flag without its dashes, and the key of a campaign file
  const char* key;   // the member of plan.json
  Type type;
  Member member;
  Repeat repeat;
  const char* placeholder;  // of the value in the help
  const char* help;
  double min = 0;  // of durations and integers
  double max = std::numeric_limits<double>::infinity();
  bool later = false;  // a plan.json may lack it: the first versions wrote none

  // Parses `text` into `plan`. Errors: usage, saying what was found and what is allowed.
  [[nodiscard]] Result<void> set(Plan& plan, std::string_view text) const;
  // The value as one would write it after the flag; empty: there is nothing to write.
  [[nodiscard]] std::string text(const Plan& plan) const;
  [[nodiscard]] std::string default_text() const {
    return type == Type::seed || type == Type::size ? "" : text(Plan{});
  }
};

// In the order of plan.json.
[[nodiscard]] const std::vector<PlanSetting>& plan_settings();
// Requires: a name of the table.
[[nodiscard]] const PlanSetting& plan_setting(std::string_view name);

// The command line that gives the same run again: the resolved plan, so that it does not depend on a campaign file.
[[nodiscard]] std::string repeat_command(const Plan& plan);

}  // namespace ordeal
