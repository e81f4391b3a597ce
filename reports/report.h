#pragma once
// What people and CI read after a run: report.html, results.json and junit.xml, all made from one ReportInput.
//
// The same functions serve `ordeal run`, `ordeal report RUN` and `ordeal check --report FILE`: the last has only a
// history and check results, and the report leaves out what it has no data for.
//
// report.html is one file that opens from disk without a network. What matters (verdict, explanation, graphs, faults,
// how to reproduce) is plain HTML and readable with scripts off; operations travel as compressed columns
// (reports/columns.h). Nothing the target, its clients or its logs wrote ever becomes markup.
//
// The same input gives the same bytes. Thread-safety: pure functions but for the files written; one call at a time
// for one path.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/value.h"
#include "checkers/history/history.h"
#include "checkers/interfaces/checker.h"
#include "harness/interfaces/nemesis.h"

namespace ordeal {

// The last part of a log of a node.
struct NodeLog {
  std::string node;
  std::string file;  // its path on the node, or within the run's directory
  std::string tail;  // any bytes
};

// One look at a node's clock, compared with the controller's.
struct ClockSample {
  std::string node;
  std::int64_t time_ns = 0;    // since the run began
  std::int64_t offset_ns = 0;  // positive: the node is ahead
};

struct ReportInput {
  const History* history = nullptr;  // never null when used
  std::vector<CheckResult> results;
  Verdict verdict = Verdict::unknown;  // merged over results and whatever else decides
  std::string reason;                  // why `unknown`; may be empty otherwise

  // What is below may be empty.
  std::string promise;                    // of the workload: what `valid` claims
  std::string failure;                    // why the run itself failed: then it is not valid
  std::vector<std::string> remarks;       // further sentences on what the run cannot show
  Value plan;                             // Plan::to_value(), or nil
  std::vector<FaultRecord> faults;        // empty: taken from the nemesis' events in the history
  std::vector<std::string> worker_nodes;  // the node that worker i talks to (checkers/history/placement.h)
  std::vector<ClockSample> clocks;        // empty: taken from the nemesis' events in the history
  std::vector<NodeLog> logs;
  Value environment;        // versions and host facts, a map of maps
  std::string command;      // what reproduces this run or check, ready to paste into a shell
  std::string title;        // "etcd register", or the name of the history's file
  std::string started_utc;  // ISO 8601: "2026-01-31T09:00:00Z"
  double duration_s = 0;    // 0: taken from the history's times
};

// The whole report as text.
[[nodiscard]] std::string html_report(const ReportInput& input);

// Writes the report to `path` (through a temporary file, so that no reader ever sees half of it), and the graphs of
// the anomalies as `<n>-<type>.dot` and `.svg` into `anomalies_dir` (created when there are any; "": none are kept).
// Errors: io, naming the file.
[[nodiscard]] Result<void> write_html_report(const ReportInput& input, const std::string& path,
                                             const std::string& anomalies_dir);

// What results.json holds; described in reports/README.md.
[[nodiscard]] Value results_value(const ReportInput& input);

// JUnit XML for CI: one test suite; a test case for each checker and each injected fault, and one for the verdict as a
// whole. `invalid` is a <failure>, `unknown` an <error>, a fault that was not confirmed <skipped>: the suite is green
// exactly when the verdict is valid.
[[nodiscard]] std::string junit_xml(const ReportInput& input);

}  // namespace ordeal
