#pragma once
// Ledger: the durable list of what must be undone, ledger.jsonl in the run's directory.
//
// A fault may be injected only when its undo scripts are on disk here (fsync) and on the nodes (node_state.h), so that
// whatever dies, somebody can heal: the driver, the watchdog on the node, or `ordeal heal`. The file is append-only,
// one JSON object a line:
//
//   {"entry":"run","version":1,"run":"3f2a91bc","nodes":"local:5","addresses":{"n1":"10.0.0.1"}}
//   {"entry":"open","id":"3f2a91bc-4","fault":"partition","description":{…},"undo":[{"node":"n1","script":"…"}]}
//   {"entry":"close","id":"3f2a91bc-4","by":"driver"}
//
// A torn line (the controller was killed while it wrote) is skipped: what it was about to announce never happened, and
// what it was about to close is undone once more, which is harmless.
//
// Thread-safety: Ledger's methods may be called from many threads; the free functions share nothing.

#include <mutex>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/value.h"
#include "harness/interfaces/fault.h"

namespace ordeal {

class Ledger {
 public:
  Ledger() = default;
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Opens for appending, made when absent; the line of the run is written where there is none. `nodes` is the plan's
  // node specification, with which `ordeal heal` reaches the nodes again. Errors: io.
  [[nodiscard]] Result<void> open(const std::string& path, std::string_view run, std::string_view nodes,
                                  const Cluster& cluster);
  // On disk when it returns. Requires: open() succeeded. Errors: io.
  [[nodiscard]] Result<void> opened(std::string_view id, std::string_view fault, const Value& description,
                                    const std::vector<Undo>& undo);
  [[nodiscard]] Result<void> closed(std::string_view id, std::string_view by);

 private:
  [[nodiscard]] Result<void> append(const Value& entry);
  std::mutex mutex_;
  std::string path_;
  Descriptor file_;
};

struct LedgerEntry {
  std::string id;
  std::string fault;
  Value description;
  std::vector<Undo> undo;
};

struct LedgerContents {
  std::string run;
  std::string nodes;              // the node specification
  std::vector<LedgerEntry> open;  // in the order in which they were opened
  std::size_t entries = 0;        // faults that were ever opened
  std::size_t torn = 0;           // lines that could not be read
};

// Errors: not_found, io; input when the file has no readable first line.
[[nodiscard]] Result<LedgerContents> read_ledger(const std::string& path);

// What became of one undo script.
struct HealStep {
  std::string id;
  std::string node;
  bool done = false;
  std::string message;  // "undone", "nothing was in force …", or why it could not be undone
};

struct HealReport {
  std::vector<HealStep> steps;
  [[nodiscard]] bool healed() const;  // every step is done
};

// Which undo scripts of a ledger are run: those of which the node has the same copy, put there before the fault was
// injected and taken away when it was undone; or whatever the ledger says, which is for root to run.
enum class Trust { node, ledger };

// Replays the undo scripts of all open entries, the newest first on each node, and closes the entries whose scripts all
// ran, or were not on their nodes any more. Idempotent; touches nothing that Ordeal did not make. Errors: those of
// read_ledger; a node that cannot be healed is a step of the report, not an error.
[[nodiscard]] Result<HealReport> heal_ledger(const std::string& path, Cluster& cluster, Trust trust, Deadline deadline);

// Runs whatever undo scripts lie on the nodes themselves, of whatever run: for when the ledger is lost.
[[nodiscard]] HealReport heal_nodes(Cluster& cluster, Deadline deadline);

}  // namespace ordeal
