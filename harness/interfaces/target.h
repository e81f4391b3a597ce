#pragma once
// Target: the system under test. Its database half works on nodes (install, start, kill, …); its client half speaks
// the system's protocol. One folder per system in targets/.
//
// Thread-safety: the methods of Target and its capabilities are called from several threads at once for different
// nodes, but never for the same node; the runner's thread and the nemesis are kept apart by the runner. A Client
// belongs to one worker.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "checkers/history/operation.h"
#include "harness/control/cluster.h"

namespace ordeal {

// One connection to the system, used by one worker thread. Blocking; every call returns by its deadline.
class Client {
 public:
  virtual ~Client() = default;
  // Connects. Called again on a new Client after every operation that ended in info.
  [[nodiscard]] virtual Result<void> open(Deadline deadline) = 0;
  // Does one operation. What is thrown the runner records as info. An operation may be `failed` only when it certainly
  // had no effect and never will. A request that is not idempotent must not be sent twice, by no layer below either.
  // Return by the deadline, with `unknown("timeout", …)`. A truth that comes a little late is kept: what returns
  // within the runner's grace (a second) is recorded as returned, at the time it returned. After that the runner
  // records info by itself, goes on with another thread and another client, and ignores what comes later; a client
  // that never returns makes the whole program leave without a clean end.
  [[nodiscard]] virtual Completion invoke(const Operation& operation, Deadline deadline) = 0;
  // Gives everything back; must not block longer than a second.
  virtual void close() {}
};

// A target all of whose nodes are known. Made anew for each run by a TargetFactory.
//
// What every target has is here; whatever else it can do it offers as a capability, and whoever wants it asks. A new
// method here or in a capability has to be forwarded (forwarding_target.h, nemesis/engine/guarded_target.h); a test
// reads this header to see that it is.
class Target {
 public:
  class ClientSetup;
  class Installation;
  class Files;
  class Processes;
  class Roles;
  class Membership;
  class Versions;

  virtual ~Target() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // A client that talks to `node` (index into Cluster::nodes; workers are spread over the nodes).
  [[nodiscard]] virtual Result<std::unique_ptr<Client>> client(std::size_t node) = 0;

  // A target without nodes of ours keeps the defaults of these.
  // Starts the system's process; also after a kill, on the data that is there. No-op when it runs.
  [[nodiscard]] virtual Result<void> start(Node&) { return {}; }
  // Ends it gracefully.
  [[nodiscard]] virtual Result<void> stop(Node&) { return {}; }
  // Until the system really serves on all nodes, or an error that says which node does not and what its log says.
  [[nodiscard]] virtual Result<void> await_ready(Deadline) { return {}; }
  // The same for one node, whatever the others do.
  [[nodiscard]] virtual Result<void> await_node(Node&, Deadline deadline) { return await_ready(deadline); }

  // Capabilities; nullptr: it cannot do that, or has nothing to say.
  virtual ClientSetup* client_setup() { return nullptr; }
  virtual Installation* installation() { return nullptr; }
  [[nodiscard]] virtual const Files* files() const { return nullptr; }
  virtual Processes* processes() { return nullptr; }
  virtual Roles* roles() { return nullptr; }
  virtual Membership* membership() { return nullptr; }
  virtual Versions* versions() { return nullptr; }
};

// What the client half is told, and does, before the first client is made.
class Target::ClientSetup {
 public:
  virtual ~ClientSetup() = default;
  // Which data type the workload works on: "register", "set", "counter", … (doc/formats.md). Some types share names of
  // operations; a target that offers several may need to know.
  virtual void use(std::string_view /*data_type*/) {}
  // Where remarks for the run's log go, and when the run is over nullptr: the log is no more, while a client that is
  // stuck in a call may yet speak. `log` may be called from any thread until then.
  virtual void log_to(std::function<void(std::string_view)> /*log*/) {}
  // Makes what operations need once the system serves (tables, initial rows).
  [[nodiscard]] virtual Result<void> prepare(Deadline) { return {}; }
  // What one client takes of the controller's machine.
  struct Cost {
    double descriptors = 4;  // open files and sockets
    double processes = 0;    // that it starts
  };
  [[nodiscard]] virtual Cost cost() const { return {}; }
};

// How the system gets onto a node, and off it.
class Target::Installation {
 public:
  virtual ~Installation() = default;
  // Puts the program on the node unless it is there.
  [[nodiscard]] virtual Result<void> install(Node&) = 0;
  // Stops the system if it runs and deletes its data.
  [[nodiscard]] virtual Result<void> wipe(Node&) = 0;
  // Versions and whatever describes the system, for the report.
  [[nodiscard]] virtual Result<Value> describe(Node&) { return Value::map(); }
  // How the nodes are started when the system is brought up. What faults have ended is started node by node as ever.
  enum class StartOrder {
    at_once,     // all at the same time
    in_order,    // each when start() of the one before has ended
    each_ready,  // each when the one before serves
  };
  [[nodiscard]] virtual StartOrder start_order() const { return StartOrder::at_once; }
  // Once for the whole cluster, when all nodes were started and before they are waited for: what makes a cluster out of
  // them (`rs.initiate()`, `cockroach init`).
  [[nodiscard]] virtual Result<void> found(Deadline) { return {}; }
};

// Where the system's files are on a node. Thread-safety: may be asked from any thread at any time.
class Target::Files {
 public:
  virtual ~Files() = default;
  // Logs, worth keeping after a run.
  [[nodiscard]] virtual std::vector<std::string> log_files(const Node&) const = 0;
  // A POSIX extended regular expression; a matching line in a log is an anomaly "crash-in-log". Empty: none.
  [[nodiscard]] virtual std::string log_pattern() const { return ""; }
  // The directories that hold the system's data, all of it: absolute paths, none inside another. Faults of disks work
  // on them; they may be mount points, so that wipe() must empty them and may not insist on removing them.
  [[nodiscard]] virtual std::vector<std::string> data_directories(const Node&) const { return {}; }
};

// Kill, pause and restart of the system's processes.
class Target::Processes {
 public:
  virtual ~Processes() = default;
  // SIGKILL to every process of the system on the node.
  [[nodiscard]] virtual Result<void> kill(Node&) = 0;
  [[nodiscard]] virtual Result<void> pause(Node&) = 0;   // SIGSTOP
  [[nodiscard]] virtual Result<void> resume(Node&) = 0;  // SIGCONT
  // The process ids on the node, empty when it does not run. Must be found from outside (/proc), not remembered.
  [[nodiscard]] virtual Result<std::vector<int>> pids(Node&) = 0;
  // A POSIX shell script for root that does on the node what start() does, for when no controller is left to call it;
  // it may run while the system runs. Empty: there is none.
  [[nodiscard]] virtual std::string start_script(const Node&) { return ""; }
};

// Which nodes lead.
class Target::Roles {
 public:
  virtual ~Roles() = default;
  // Indices of the nodes that consider themselves primary, those of the highest term first. May be empty.
  [[nodiscard]] virtual Result<std::vector<std::size_t>> primaries(Deadline deadline) = 0;
  // How long the others wait for a sign of the leader before they elect another, in seconds; 0: not known.
  [[nodiscard]] virtual double election_timeout_s() const { return 0; }
};

// Who belongs to the cluster, changed while it runs.
class Target::Membership {
 public:
  struct Member {
    std::string id;        // the system's own name for it; a node that leaves and comes back gets another
    std::string node;      // the node's name; empty: none of this cluster
    bool started = false;  // it has joined, and is not only announced
    friend bool operator==(const Member&, const Member&) = default;
  };
  virtual ~Membership() = default;
  // The members as the system on that node itself lists them. Errors: target, unreachable, timeout.
  [[nodiscard]] virtual Result<std::vector<Member>> members(Node& asked, Deadline deadline) = 0;
  // Takes the node out of the cluster, by asking another one, ends its processes and deletes its data; from then on
  // start() refuses to start it. No-op when it is out.
  [[nodiscard]] virtual Result<void> remove(Node& node, Deadline deadline) = 0;
  // Announces the node, which has nothing on its disk, as a new member, by asking another one; start() then lets it
  // join. No-op when it is a member.
  [[nodiscard]] virtual Result<void> add(Node& node, Deadline deadline) = 0;
  // A POSIX shell script for root that does on the node what add() and start() do, for when no controller is left: it
  // asks the other members itself. It may run at any time, also while the node is a member and runs, and then does
  // nothing. Exits non-zero when it could not get in by now. Empty: there is none.
  [[nodiscard]] virtual std::string rejoin_script(const Node&) { return ""; }
};

// Two versions, or two sets of options, between which nodes can be switched.
class Target::Versions {
 public:
  enum class Version { first, second };  // the run begins with the first
  struct Running {
    std::optional<Version> version;  // none: nothing runs, or it is neither
    std::string evidence;            // how that shows: "its command line has --heartbeat-interval=50"
  };
  virtual ~Versions() = default;
  // Empty when there are two; else what has to be said for that ("set etcd.upgrade-flags").
  [[nodiscard]] virtual std::string problem() const = 0;
  // What start() starts on the node from now on. Touches no process.
  virtual void choose(Node&, Version) = 0;
  // What runs there, found from outside (/proc), not remembered.
  [[nodiscard]] virtual Result<Running> running(Node&, Deadline deadline) = 0;
};

// Of a target that may not say: nothing.
[[nodiscard]] inline std::vector<std::string> log_files(const Target& target, const Node& node) {
  return target.files() == nullptr ? std::vector<std::string>() : target.files()->log_files(node);
}
[[nodiscard]] inline std::string log_pattern(const Target& target) {
  return target.files() == nullptr ? "" : target.files()->log_pattern();
}
[[nodiscard]] inline std::vector<std::string> data_directories(const Target& target, const Node& node) {
  return target.files() == nullptr ? std::vector<std::string>() : target.files()->data_directories(node);
}

// What the catalogue of targets holds for each system.
struct TargetFactory {
  std::string name;
  std::string help;                     // one line
  std::vector<std::string> operations;  // the f's its clients understand: "read", "write", "cas", "txn-append", …
  std::vector<OptionSpec> options;      // keys begin with "<name>.", or with that of a target it builds upon
  // Borrows the cluster and the options, which outlive the target.
  Result<std::unique_ptr<Target>> (*make)(Cluster& cluster, const Options& options) = nullptr;
  // The f's that its clients understand with these options, when only they tell (`operations` is then empty).
  // Errors: usage; target, when an adapter was asked and did not answer.
  Result<std::vector<std::string>> (*operations_with)(const Options& options) = nullptr;
  // Whether the options fit a workload on that data type; nullptr: always. Errors: usage, naming the option.
  Result<void> (*check_options)(const Options& options, const std::string& data_type) = nullptr;
  // Whether a run with these options needs nodes; nullptr: always.
  bool (*needs_nodes)(const Options& options) = nullptr;
};

}  // namespace ordeal
