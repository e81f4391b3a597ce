#pragma once
// The store: one directory per run, STORE/<name>/<UTC time>/, and the links `latest` in STORE and in STORE/<name>.
//
//   plan.json      what was asked for, written before anything happens
//   history.jsonl  the journal; of a long run with history-000000.jsonl.gz, … before it (checkers/history/parts.h)
//   results.json   the verdicts                       ledger.jsonl  how each fault is undone
//   nodes/<node>/  the target's logs                  ordeal.log    what the controller did
//   anomalies/     pictures
//
// Thread-safety: values; functions may be called from any thread.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/value.h"

namespace ordeal {

class RunDirectory {
 public:
  // Makes a new directory of its own, also for two runs within one millisecond, with nodes/ and anomalies/ in it, and
  // lets the two links point to it. `name` is one path component. Errors: usage (a bad name), io, permission.
  [[nodiscard]] static Result<RunDirectory> create(
      const std::string& store, const std::string& name,
      std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

  [[nodiscard]] const std::string& path() const { return path_; }
  // The path of a file in it.
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  [[nodiscard]] std::string history_path() const { return file("history.jsonl"); }
  // nodes/<node>, made when it is not there.
  [[nodiscard]] Result<std::string> node_directory(const std::string& node) const;
  // Writes or replaces a file atomically.
  [[nodiscard]] Result<void> write(std::string_view name, std::string_view contents) const;
  [[nodiscard]] Result<void> write(std::string_view name, const Value& value) const;

 private:
  explicit RunDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
  Descriptor lock_;  // of the directory, for as long as this lives: see is_at_work()
};

// Whether a controller on this machine is still at the run of this directory: it holds a lock (flock(2)) on it, which
// the kernel gives back when it ends, however it ends. False also when nobody can tell.
[[nodiscard]] bool is_at_work(const std::string& directory);

// A run found in the store, possibly one that failed or whose controller was killed: only the plan must be there.
struct StoredRun {
  std::string path;          // absolute, without links
  std::string name;          // as the store calls it
  std::string time;          // "20261121T070048.123Z"
  Value plan;                // see Plan::from_value
  std::string history_path;  // read it with checkers/history's reader; the last line may be torn
  bool has_history = false;  // false: the run ended before its first record
};

// `path`: a run's directory, a link to it, or a file in it. Errors: not_found; input, also when there are links out of
// the directory or what is no file in it (run_contents.h).
[[nodiscard]] Result<StoredRun> open_run(const std::string& path);

// The runs of a store, newest first. A directory that is no run is passed over. Errors: not_found.
[[nodiscard]] Result<std::vector<std::string>> list_runs(const std::string& store);

// "20261121T070048.123Z": sorts as time does, and is a file name everywhere.
[[nodiscard]] std::string utc_stamp(std::chrono::system_clock::time_point time);

}  // namespace ordeal
