#include "nemesis/engine/driver_options.h"

#include <utility>

namespace ordeal {
namespace {

// An option, and how its value gets into DriverOptions; nullptr: somebody else reads it.
struct Row {
  OptionSpec spec;
  void (*read)(const Options& options, const std::string& key, DriverOptions& out) = nullptr;
};

template <std::string DriverOptions::*member>
void read_text(const Options& options, const std::string& key, DriverOptions& out) {
  out.*member = options.string(key);
}

template <bool DriverOptions::*member>
void read_flag(const Options& options, const std::string& key, DriverOptions& out) {
  out.*member = options.boolean(key);
}

template <double DriverOptions::*member>
void read_seconds(const Options& options, const std::string& key, DriverOptions& out) {
  out.*member = options.seconds(key);
}

void read_inapplicable(const Options& options, const std::string& key, DriverOptions& out) {
  out.skip_inapplicable = options.string(key) == "skip";
}

void read_quorum(const Options& options, const std::string& key, DriverOptions& out) {
  out.keep_quorum = options.string(key) == "keep";
}

void read_dead_man(const Options& options, const std::string& key, DriverOptions& out) {
  out.dead_man_s = static_cast<int>(options.integer(key));
}

void read_patience(const Options& options, const std::string& key, DriverOptions& out) {
  const double patience = options.real(key);
  out.step_timeout_s *= patience;
  out.confirm_timeout_s *= patience;
  out.heal_timeout_s *= patience;
}

std::vector<Row> schedule_rows() {
  using Type = OptionSpec::Type;
  return {
      {{"nemesis.schedule",
        Type::string,
        "auto",
        "random: each fault again and again at drawn times; periodic: the faults take turns at fixed times; scripted: "
        "the timeline; auto: scripted when there is a timeline, else random",
        std::nullopt,
        std::nullopt,
        {"auto", "random", "periodic", "scripted"}},
       read_text<&DriverOptions::schedule>},
      {{"nemesis.timeline", Type::string, "",
        "JSON list of what is injected when: [{\"at\":5,\"fault\":\"kill\",\"duration\":3,\"nodes\":\"n1\"}]; further "
        "keys: every, times, when (a trigger), after, and the fault's options. In a campaign file: "
        "[[nemesis.timeline]]"},
       read_text<&DriverOptions::timeline>},
      {{"nemesis.trigger", Type::string, "",
        "what lanes wait for when their time has come: leader-change, log:REGEX, log@NODE:REGEX, operation:F, "
        "phase:main, phase:recovery (once, between the two others) or phase:final; for some faults only: "
        "\"kill=leader-change; pause=operation:cas\""},
       read_text<&DriverOptions::trigger>},
      {{"nemesis.swarm", Type::boolean, false,
        "swarm testing: each seed draws its own subset of the faults (each with probability one half), and for each "
        "how often and how long (factors between 1/2 and 2)"},
       read_flag<&DriverOptions::swarm>},
      {{"nemesis.quiet", Type::duration, 0.0,
        "so long, at the end of each nemesis.quiet-every, no fault is in force; 0: no quiet times", 0.0, 1e6},
       read_seconds<&DriverOptions::quiet_s>},
      {{"nemesis.quiet-every", Type::duration, 0.0, "from the beginning of a quiet time to the next; 0: none", 0.0,
        1e6},
       read_seconds<&DriverOptions::quiet_every_s>},
      {{"nemesis.quiet-end", Type::duration, 0.0, "the last part of the main phase, without faults", 0.0, 1e6},
       read_seconds<&DriverOptions::quiet_end_s>},
  };
}

std::vector<Row> safety_rows() {
  using Type = OptionSpec::Type;
  return {
      // Read by the judgement (checkers/run/recovery.h).
      {{"nemesis.recovery-bound", Type::duration, 0.0,
        "how long after the healing of a fault the clients may take to succeed again on every node; longer is the "
        "anomaly slow-recovery. 0: it is measured, not judged. Shorter than the operations' time-out is mostly unfair: "
        "a client that waits for an answer that was lost waits until then",
        0.0, 1e6}},
      // Read by the judgement (checkers/run/minority.h).
      {{"nemesis.minority-bound", Type::duration, 0.0,
        "how long after a partition was confirmed a node that it cuts off from a majority may still acknowledge "
        "changes; "
        "later ones are the anomaly minority-write. 0: not judged",
        0.0, 1e6}},
      {{"nemesis.inapplicable",
        Type::string,
        "refuse",
        "a fault that does not apply to this target and cluster: refuse the run, or skip the fault and say why (as "
        "--nemesis all does)",
        std::nullopt,
        std::nullopt,
        {"refuse", "skip"}},
       read_inapplicable},
      {{"nemesis.quorum",
        Type::string,
        "keep",
        "keep: a fault waits while, together with those in force, it would leave no majority of nodes that can work "
        "(links that lose half of the packets, or delay them beyond an election timeout, or carry next to nothing "
        "count as cut); any: it does not wait",
        std::nullopt,
        std::nullopt,
        {"keep", "any"}},
       read_quorum},
      {{"nemesis.dead-man", Type::integer, DriverOptions().dead_man_s,
        "seconds without a word from the controller after which a node undoes its faults by itself (up to one second "
        "later); with more than 25 nodes they are told less often, and it is a second for every 12 at least",
        1, 3600},
       read_dead_man},
      {{"nemesis.patience", Type::real, 1.0,
        "times as long as usual each step of a fault may take, proof and healing included: for nodes that are slow or "
        "far away",
        1.0, 100.0},
       read_patience},
  };
}

std::vector<Row> table() {
  std::vector<Row> out = schedule_rows();
  for (Row& row : safety_rows()) out.push_back(std::move(row));
  return out;
}

}  // namespace

std::vector<OptionSpec> nemesis_options() {
  std::vector<OptionSpec> out;
  for (Row& row : table()) out.push_back(std::move(row.spec));
  return out;
}

DriverOptions driver_options(const Plan& plan, std::string ledger_path) {
  DriverOptions out;
  out.seed = plan.seed;
  out.interval_s = plan.nemesis_interval_s;
  out.duration_s = plan.nemesis_duration_s;
  out.time_limit_s = plan.time_limit_s;
  out.ledger_path = std::move(ledger_path);
  out.node_spec = plan.nodes;
  for (const Row& row : table()) {
    if (row.read != nullptr && plan.options.has(row.spec.key)) row.read(plan.options, row.spec.key, out);
  }
  return out;
}

}  // namespace ordeal
