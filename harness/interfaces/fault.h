#pragma once
// Fault: something bad that is done to the cluster, confirmed by an observation, and undone.
//
// The life of one injection: plan() draws what exactly will be done, from the run's seed; prepare() looks up on the
// nodes what that means there; the scripts that undo it are written to the ledger (nemesis/engine/ledger.h), here and
// on the nodes; make_ready(); inject(); confirm() observes the effect by other means than those that caused it; after
// its duration the undo scripts are run, then heal() and confirm_healed(); the ledger entry is closed. So the scripts
// that `ordeal heal` and the dead-man's switch rely on are the ones that heal every fault of every run. Each step
// leaves an event of process "nemesis" in the history.
//
// Thread-safety: several injections may be active at once, each driven by one thread at a time.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/options.h"
#include "base/value.h"
#include "harness/interfaces/target.h"

namespace ordeal {

// The undo of one injection on one node: a POSIX shell script, idempotent, touching nothing that Ordeal did not make.
struct Undo {
  std::string node;
  std::string script;
};

struct FaultContext {
  Cluster& cluster;
  Target& target;
  const Options& options;
  // Names one injection among all that may ever meet on the nodes: at most 20 letters, digits and hyphens.
  std::string id = {};
  // Requested when the run is over: steps that take long (a roll over all nodes) then come to an early end.
  std::stop_token stop = {};
  // The run's, for what must be the same for all its faults (nemesis/storage/damage.h); the rest is drawn from plan()'s
  // generator.
  std::uint64_t seed = 0;
};

// What an injection takes away while it is in force, by indices into Cluster::nodes.
struct Impairment {
  std::vector<std::size_t> down;                         // nodes whose target does not work
  std::vector<std::pair<std::size_t, std::size_t>> cut;  // pairs of nodes that cannot talk in both directions
  std::vector<std::size_t> rolling = {};                 // nodes of which at most one at a time does not work
  std::vector<std::size_t> needs = {};                   // nodes that work, and must, or there is nothing to act on
};

// What an observation found.
struct Observation {
  bool confirmed = false;
  std::string evidence;  // one sentence: "n1 cannot reach n3: 2 of 2 probes timed out"
};

// When an injection struck, on the controller's monotonic clock: not before `earliest`, and all of it by `latest`.
struct Instant {
  std::chrono::steady_clock::time_point earliest, latest;
};

// One injection, fully resolved.
class Injection {
 public:
  virtual ~Injection() = default;
  // What will be done, for the history and the report: {"shape":"majority","groups":[["n1"],["n2","n3"]], …}.
  [[nodiscard]] virtual Value describe() const = 0;
  // The names of the nodes it acts on.
  [[nodiscard]] virtual std::vector<std::string> nodes() const = 0;
  // Known once it is planned; the driver uses it to keep a quorum (nemesis/engine/quorum.h).
  [[nodiscard]] virtual Impairment impairment() const { return {}; }
  // How much longer than usual inject(), heal() and the observations may take, in seconds.
  [[nodiscard]] virtual double takes_s() const { return 0; }
  // Looks up what describe(), undo() and the observations need to know: addresses, process ids. Changes nothing.
  // Called once, before all that follow.
  [[nodiscard]] virtual Result<void> prepare(Deadline) { return {}; }
  // Written to the ledger and to the nodes before make_ready() and inject() are called. May be empty (a killed process
  // leaves nothing in force), and then heal() does it all.
  [[nodiscard]] virtual std::vector<Undo> undo() const = 0;
  // Does what takes time and has no effect yet (an agent that waits for its rules). Called when the undo scripts are on
  // the nodes, right before inject().
  [[nodiscard]] virtual Result<void> make_ready(Deadline) { return {}; }
  // True when the first command that inject() runs on each node is the one that has the effect, and nothing outside the
  // nodes has any: the command may then be sent ahead and held back there (nemesis/engine/held_cluster.h).
  [[nodiscard]] virtual bool may_be_held() const { return false; }
  // An injection that fails half-way is healed like any other.
  [[nodiscard]] virtual Result<void> inject(Deadline deadline) = 0;
  // When it struck, if it knows that more closely than between the call of inject() and its end. Asked when that has
  // succeeded.
  [[nodiscard]] virtual std::optional<Instant> instant() const { return std::nullopt; }
  [[nodiscard]] virtual Result<Observation> confirm(Deadline deadline) = 0;
  // What is worth following while it is in force (a clock's offset): asked for every second and written to the history.
  // Nil, and then it is not asked again: nothing.
  [[nodiscard]] virtual Result<Value> measure(Deadline) { return Value(); }
  // What no script can do (starting the target again). Called after the undo scripts have been run. Idempotent.
  [[nodiscard]] virtual Result<void> heal(Deadline) { return {}; }
  // True: heal() comes before the undo scripts. It works node by node and takes its time, in which the nodes must still
  // be able to go on by themselves; the scripts then find nothing left to do.
  [[nodiscard]] virtual bool heals_step_by_step() const { return false; }
  [[nodiscard]] virtual Result<Observation> confirm_healed(Deadline deadline) = 0;
};

// What faults need under the target before it starts, and until it has ended: a file system of ours under its data.
// Laid once for a run, whichever faults want it, and undone like a fault: its undo scripts are in the ledger and on the
// nodes meanwhile.
struct Groundwork {
  std::string name;  // at most seven letters
  // What takes it away again, node by node; empty: lay() changes nothing. Touches no node. `context.id` is
  // groundwork_id().
  std::vector<Undo> (*undo)(const FaultContext& context) = nullptr;
  // Called when the target was installed and wiped, and does not run. Errors: unsupported, unreachable, remote.
  Result<void> (*lay)(const FaultContext& context, Deadline deadline) = nullptr;
};

// How a groundwork is called among the faults of a run on the nodes; `id` is that of any of them: "3f2a91bc-disk".
[[nodiscard]] inline std::string groundwork_id(std::string_view id, std::string_view groundwork) {
  return std::string(id.substr(0, id.rfind('-'))) + "-" + std::string(groundwork);
}

// What a fault can need on its nodes beyond a shell and root; looked for before the run (nemesis/node_needs.h).
enum class NodeNeed {
  agent,           // a kind of machine that there is an agent for, and leave to run it
  packet_filter,   // iptables
  packet_queue,    // its target NFQUEUE
  netem,           // tc, and a kernel with the queues netem and prio
  netem_or_queue,  // that, or packet_filter and packet_queue
  connect,         // bash and timeout, which open connections that prove something
  trace,           // leave to trace processes
  fuse,            // /dev/fuse, and leave to mount it
  own_clock,       // another kernel than the controller's, and leave to set its clock
};

// Looks on all nodes whether they have all of it: empty, or what is missing where ("n2: iptables is not installed").
// Errors: of nodes that cannot be asked.
using MissingNeeds = std::function<Result<std::string>(const std::vector<NodeNeed>& needs, Deadline deadline)>;

struct FaultFactory {
  std::string name;                 // "partition", "kill", …: what --nemesis takes
  std::string help;                 // what it does, with which mechanism, what it needs, what it cannot do
  std::vector<OptionSpec> options;  // keys begin with "<name>."
  // A sound target may give up under it (its disk fails, its memory ends) and say so: what its log says of crashes is
  // then no anomaly.
  bool crashes = false;
  // It ends the target's processes, and its healing is that they are started: that they do not run then is the target's
  // failure. Of other faults a healing that nobody saw may be what keeps a node from serving.
  bool starts_again = false;
  // It goes over the nodes one after the other while hardly another fault may be in force: it takes seconds for each.
  bool node_by_node = false;
  // Touches no node. Empty when it applies to this target; else why it does not ("target memory has no processes to
  // kill").
  std::string (*inapplicable)(const FaultContext& context) = nullptr;
  // What it needs on every node with these options; nullptr: nothing.
  std::vector<NodeNeed> (*needs)(const Options& options) = nullptr;
  // Draws one injection. All randomness comes from `random`, and the number of draws does not depend on the state of
  // the cluster. May ask the target who leads, else touches no node. Errors: usage, target, unsupported, unreachable.
  Result<std::unique_ptr<Injection>> (*plan)(const FaultContext& context, std::mt19937_64& random) = nullptr;
  // What it needs under the target with these options; nullptr: nothing.
  const Groundwork* (*groundwork)(const Options& options) = nullptr;
};

}  // namespace ordeal
