#pragma once
// Checker: a history in, a verdict out.
//
// `invalid` is a proof: the operations named in an anomaly, alone, cannot be explained by the model. `valid` is a
// proof over the whole history. Everything else is `unknown`, with the reason (README.md).
//
// Thread-safety: checkers are stateless; check() may run on many histories at once.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/options.h"
#include "base/value.h"
#include "checkers/history/history.h"

namespace ordeal {

enum class Verdict { valid, invalid, unknown };
[[nodiscard]] std::string_view name(Verdict verdict);
// The verdict over both: invalid before unknown before valid.
[[nodiscard]] Verdict merged(Verdict a, Verdict b);

// The picture of an anomaly: operations, and why one must come before the other. reports/ draws it.
struct AnomalyGraph {
  struct Node {
    EventIndex operation = kNoEvent;  // the invocation; kNoEvent for a node that is no operation (an initial state)
    std::string label;                // one or two lines for people
    bool guilty = false;              // the operation that cannot be explained
    bool near = false;                // a close neighbour, drawn pale: the proof does not need it
  };
  struct Edge {
    std::size_t from = 0;  // index into nodes
    std::size_t to = 0;
    std::string kind;   // ww, wr, rw, realtime, process, …
    std::string label;  // the key and values that prove it
    bool near = false;  // known, too, but not part of the proof
  };
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  // How many operations the whole component holds, when only a part of it is drawn. 0: everything is drawn.
  std::size_t component_size = 0;
  // How many close neighbours are not among the nodes.
  std::size_t neighbours_left_out = 0;
};

// One named reason for `invalid`, with the operations that show it.
struct Anomaly {
  std::string type;                    // the field's name: "nonlinearizable", "lost-element", "G1c", …
  std::optional<Value> key;            // when it concerns one key
  std::vector<EventIndex> operations;  // invocations of the minimal counterexample, in history order
  std::string explanation;             // one sentence, in words that need no knowledge of `type`
  std::string meaning = {};            // what `type` means, from the catalogue (circumstances.h); may be empty
  std::vector<std::string> sentences;  // the same step by step, 3–8 of them
  AnomalyGraph graph;                  // may be empty
};

// How an ok read of nil is taken: as an observation of nil, or as "not known", as Knossos' registers do.
enum class NilReads { observe, unknown };

struct CheckOptions {
  std::string model;        // "" when the checker has but one
  std::string consistency;  // "" for the model's default
  std::string algorithm = "auto";
  std::optional<Value> initial;  // the model's own default when absent
  bool initial_unknown = false;  // any initial value is possible
  NilReads nil_reads = NilReads::observe;
  std::chrono::milliseconds timeout{0};  // 0: no limit
  std::size_t memory_bytes = 0;          // budget of the search; 0: half of the memory that is free
  unsigned threads = 0;                  // 0: all cores
  bool certificate = false;              // ask for a linearization (CheckResult::certificate)
  std::stop_token stop;
  // The options of the workload ("bank.total", …). A checker of checkers/workload reads those that it declares
  // (WorkloadChecker::options); one that is not here has the default declared there.
  Options settings;
  // What a run knows and its history does not tell, by name ("recovery.worker_nodes", "log-pattern.files", …).
  Value extra = Value::map();
};

struct CheckResult {
  std::string checker;  // who says so: "linearizable", "set", "stats", …
  Verdict verdict = Verdict::unknown;
  std::string model;
  std::string consistency;
  std::string algorithm;  // what decided, e.g. "zones", "jit"
  std::size_t operations = 0;
  std::size_t keys = 0;
  double seconds = 0;
  std::vector<Anomaly> anomalies;
  // How many there are, where a checker counts more than it tells; 0: as many as it tells.
  std::size_t anomalies_found = 0;
  std::string reason;  // why `unknown`
  // Whatever else the checker counted or measured, for results.json and the report.
  Value details = Value::map();
  // With `certificate`: per key (nil when there are none) the invocations in an order that explains the history.
  // Crashed operations that did not happen are left out.
  std::vector<std::pair<Value, std::vector<EventIndex>>> certificate;
};

// How many anomalies were found, told one by one or not.
[[nodiscard]] inline std::size_t count_of_anomalies(const CheckResult& result) {
  return std::max(result.anomalies_found, result.anomalies.size());
}

class Checker {
 public:
  virtual ~Checker() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Never throws; a problem of its own is `unknown` with the reason.
  [[nodiscard]] virtual CheckResult check(const History& history, const CheckOptions& options) const = 0;
};

// The `check --json` document of doc/formats.md, as a value. Anomalies name operations by the file's index of
// their invocation.
[[nodiscard]] Value to_value(const CheckResult& result, const History& history);

}  // namespace ordeal
