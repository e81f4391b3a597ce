#pragma once
// The subcommands: what main() parsed, and what does it. Each returns an exit code (exit_code.h) and prints its own
// messages. Thread-safety: called once, on the main thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ordeal::cli {

struct CheckCommand {
  std::vector<std::string> files;
  std::string model;
  std::string workload;
  std::string consistency;
  std::string format = "auto";
  bool independent = false;
  std::optional<std::string> initial;  // JSON, or the bare word unknown
  std::string nil_reads = "observe";
  std::string version_orders;  // what orders the versions of rw-register, by names and commas
  std::string algorithm = "auto";
  std::string timeout = "600";  // seconds, or 90s, 5m; 0: none
  std::string memory;           // "4G"; empty: half of what is free
  unsigned threads = 0;
  std::vector<std::string> settings;  // KEY=VALUE
  bool json = false;
  bool certificate = false;
  std::string report;
};
int check(const CheckCommand& command);

struct RunCommand {
  std::string campaign;                               // a file, or empty
  std::map<std::string, std::string> flags;           // those given of plan_settings(), by name
  std::vector<std::string> settings;                  // KEY=VALUE
  std::map<std::string, std::string> campaign_flags;  // those given of campaign_settings(), by name
  bool json = false;
  std::string shard;     // "2/3"
  std::string resume;    // a campaign's directory, or "latest"
  bool dry_run = false;  // print the plan and stop
};
int run(const RunCommand& command);

struct MergeCommand {
  std::vector<std::string> directories;
  std::string store = "store";
  bool json = false;
};
int merge(const MergeCommand& command);

struct CompareCommand {
  std::string before;
  std::string after;
  bool json = false;
};
int compare(const CompareCommand& command);

struct StatsCommand {
  std::string store = "store";
  bool json = false;
};
int stats(const StatsCommand& command);

struct ReproCommand {
  std::string run;
  std::size_t times = 20;
  std::string store;  // empty: where the run is
  bool json = false;
};
int repro(const ReproCommand& command);

struct ShrinkCommand {
  std::string run;
  std::string anomaly;  // the one to hold on to; empty: the first that the run showed
  std::size_t times = 10;
  std::string budget = "30m";
  std::string output;  // the campaign file; empty: beside shrink.json
  std::string store;   // empty: where the run is
  bool json = false;
};
int shrink(const ShrinkCommand& command);

struct ReportCommand {
  std::string run;
  std::map<std::string, std::string> limits;  // those given of plan_settings(): check-timeout, memory
  bool json = false;
};
int report(const ReportCommand& command);

struct ServeCommand {
  std::string store = "store";
  std::string address = "127.0.0.1";
  int port = 8080;
};
int serve(const ServeCommand& command);

struct ListCommand {
  std::string what;  // empty: everything
  std::string name;  // of one entry; empty: all
  bool json = false;
};
int list(const ListCommand& command);

struct ExplainCommand {
  std::string anomaly;
  bool history = false;  // print the example as a history
  bool json = false;
};
int explain(const ExplainCommand& command);

struct AdapterCommand {
  std::vector<std::string> words;  // the program and its arguments
  std::string operations;          // by commas; empty: it is asked
  std::string environment;         // variables that it gets, too, by commas
  std::string node = "n1";
  std::string address = "127.0.0.1";
  std::string endpoint;
  std::string timeout = "5s";
  bool json = false;
};
int test_adapter(const AdapterCommand& command);

struct NodesCommand {
  std::string verb;  // up, down, status, exec, ssh
  std::string nodes = "local:5";
  std::string name = "default";
  bool name_given = false;
  bool all = false;  // down: every local cluster
  std::vector<std::string> settings;
  std::vector<std::string> words;  // exec: NODE… -- COMMAND; ssh: NODE [COMMAND]
  bool json = false;
};
int nodes(const NodesCommand& command);

struct HealCommand {
  std::string run;    // a run's directory, or empty
  std::string nodes;  // a node specification, or empty
  bool trust_ledger = false;
  bool json = false;
};
int heal(const HealCommand& command);

struct DoctorCommand {
  bool json = false;
};
int doctor(const DoctorCommand& command);

struct CompletionCommand {
  std::string shell;  // bash, zsh
};

}  // namespace ordeal::cli
