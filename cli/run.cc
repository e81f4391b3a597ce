// `ordeal run`: from a plan to a verdict, once for each run of the campaign.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/signals.h"
#include "harness/control/node.h"
#include "harness/nodes/node_source.h"
#include "harness/runner/lifecycle.h"
#include "harness/runner/run.h"
#include "harness/runner/stuck.h"
#include "harness/store/journal.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"
#include "nemesis/catalogue.h"
#include "nemesis/make_nemesis.h"
#include "session/judge.h"
#include "session/resolve_plan.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal::cli {
namespace {

Value host_facts() {
  utsname system{};
  uname(&system);
  Value host = Value::map();
  host.set("kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  host.set("processors", static_cast<std::int64_t>(std::thread::hardware_concurrency()));
  host.set("memory_mib", static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
  return host;
}

// The command line that gives the same run again: the resolved plan, so that it does not depend on a campaign file.
std::string repeat_command(const Plan& plan) {
  std::string out = fmt::format("ordeal run --target {} --workload {}", plan.target, plan.workload);
  if (!plan.nemesis.empty()) {
    std::string faults;
    for (const auto& fault : plan.nemesis) faults += (faults.empty() ? "" : ",") + fault;
    out += " --nemesis " + faults;
  }
  out += fmt::format(" --nodes {} --time-limit {} --rate {} --concurrency {} --seed {}", shell_quote(plan.nodes),
                     plan.time_limit_s, plan.rate == 0 ? "unlimited" : fmt::format("{}", plan.rate), plan.concurrency,
                     plan.seed);
  const Plan standard;
  const auto differs = [&](const char* flag, double value, double usual) {
    if (value != usual) out += fmt::format(" --{} {}", flag, value);
  };
  differs("op-timeout", plan.op_timeout_s, standard.op_timeout_s);
  differs("nemesis-interval", plan.nemesis_interval_s, standard.nemesis_interval_s);
  differs("nemesis-duration", plan.nemesis_duration_s, standard.nemesis_duration_s);
  differs("recovery", plan.recovery_s, standard.recovery_s);
  for (const auto& spec : plan.options.specs()) {
    if (plan.options.origin(spec.key) == "default") continue;
    const Value& value = plan.options.value(spec.key);
    out += " --set " + shell_quote(spec.key + "=" + (value.is_string() ? value.string() : value.to_json()));
  }
  return out;
}

// Whether even a sound target may give up under a fault of that name.
bool may_crash_under(const std::string& name) {
  const auto fault = find_fault(name);
  return fault && (*fault)->crashes;
}

// environment.json: what the report says about machine, versions and how to repeat the run.
Value about_run(const Plan& plan, const Target& target, const Cluster& cluster, const std::string& started) {
  Value environment = Value::map();
  environment.set("ordeal", kVersion);
  environment.set("host", host_facts());
  Value about = Value::map();
  about.set("started", started);
  about.set("command", repeat_command(plan));
  const bool may_crash = std::any_of(plan.nemesis.begin(), plan.nemesis.end(), may_crash_under);
  about.set("log_pattern", may_crash ? "" : target.log_pattern());
  Value names = Value::list();
  for (const auto& node : cluster.nodes) names.items().emplace_back(node->name());
  about.set("nodes", std::move(names));
  about.set("environment", std::move(environment));
  return about;
}

void show_progress(const Progress& now) {
  std::string line = fmt::format("{:5.0f} s  {:<10} {} ok, {} info, {} fail", now.seconds, now.phase, now.counts.ok,
                                 now.counts.info, now.counts.fail);
  for (std::size_t i = 0; i < now.active_faults.size(); ++i) {
    line += (i == 0 ? "  faults: " : ", ") + now.active_faults[i];
  }
  progress(line);
}

// One run. Its parts are destroyed in the order that the members of DESIGN.md's section 4 ask for: clients and target
// before the nodes.
class Run {
 public:
  Run(const Plan& plan, std::stop_token stop) : plan_(plan), stop_(std::move(stop)) {}
  // A client that never came back from a call keeps the target alive, which must not write to the log any more.
  ~Run() {
    if (target_) target_->log_to(nullptr);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Until the history is complete. Errors: nodes, target, network; the run's directory then says more in ordeal.log.
  Result<void> play();
  [[nodiscard]] const std::string& directory() const { return directory_; }
  // Problems that do not keep the history from being judged.
  [[nodiscard]] const std::vector<Error>& troubles() const { return troubles_; }

 private:
  Result<void> make_workload();
  Result<void> make_directory();
  Result<void> bring_up_target();
  Result<void> make_nemesis();
  Result<void> run_clients();
  void collect();

  const Plan& plan_;
  std::stop_token stop_;
  std::string directory_;
  std::vector<Error> troubles_;
  std::optional<RunDirectory> store_;
  std::unique_ptr<RunLog> log_;
  nodes::NodeSet nodes_;
  const WorkloadFactory* workload_factory_ = nullptr;
  Workload workload_;
  std::shared_ptr<Target> target_;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<Journal> journal_;
  Value about_;
};

Result<void> Run::make_workload() {
  const auto factory = find_workload(plan_.workload);
  if (!factory) return fail(factory.error());
  workload_factory_ = *factory;
  auto made =
      workload_factory_->make(WorkloadContext{plan_.options, plan_.concurrency, plan_.seed, plan_.time_limit_s});
  if (!made) return fail(made.error());
  workload_ = *std::move(made);
  return {};
}

Result<void> Run::make_directory() {
  auto made = RunDirectory::create(plan_.store, plan_.name);
  if (!made) return fail(made.error());
  store_ = *std::move(made);
  directory_ = store_->path();
  auto log = RunLog::open(store_->file("ordeal.log"), [](RunLog::Level level, std::string_view message) {
    if (level == RunLog::Level::warn || level == RunLog::Level::error) say(message);
  });
  if (!log) return fail(log.error());
  log_ = *std::move(log);
  return store_->write("plan.json", plan_.to_value());
}

Result<void> Run::bring_up_target() {
  const auto factory = find_target(plan_.target);
  if (!factory) return fail(factory.error());
  auto made = (*factory)->make(nodes_.cluster, plan_.options);
  if (!made) return fail(made.error());
  target_ = std::shared_ptr<Target>(*std::move(made));
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  about_ = about_run(plan_, *target_, nodes_.cluster, fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", now));
  if (auto written = store_->write("environment.json", about_); !written) return written;
  BringUp how;
  how.data_type = workload_factory_->data_type;
  how.stop = stop_;
  if (auto nemesis = make_nemesis(); !nemesis) return nemesis;
  if (nemesis_)
    how.before_start = [this] { return nemesis_->set_up(std::chrono::steady_clock::now() + std::chrono::seconds(60)); };
  return bring_up(*target_, nodes_.cluster, how, *log_);
}

Result<void> Run::make_nemesis() {
  auto made = ordeal::make_nemesis(plan_, store_->file("ledger.jsonl"), nodes_.cluster, *target_);
  if (!made) return fail(made.error());
  nemesis_ = *std::move(made);
  return {};
}

Result<void> Run::run_clients() {
  auto journal = Journal::create(store_->history_path());
  if (!journal) return fail(journal.error());
  journal_ = *std::move(journal);
  RunSetup setup = RunSetup::from(plan_);
  setup.target = target_;
  setup.nodes = std::max<std::size_t>(1, nodes_.cluster.size());
  setup.workload = &workload_;
  setup.nemesis = nemesis_.get();
  setup.journal = journal_.get();
  setup.log = log_.get();
  setup.stop = stop_;
  setup.progress = show_progress;
  auto outcome = run_workload(setup);
  end_progress();
  if (!outcome) return fail(outcome.error());
  for (const auto* trouble : {&outcome->failure, &outcome->heal_failure}) {
    if (*trouble) troubles_.push_back(**trouble);
  }
  if (outcome->recovery_failure) {
    // A node that notices that its data are spoiled, and says no, is right to do so.
    const bool damaged = std::any_of(outcome->faults.begin(), outcome->faults.end(), [](const FaultRecord& fault) {
      return fault.injected_ns >= 0 && may_crash_under(fault.fault);
    });
    if (damaged) {
      say(outcome->recovery_failure->message + " (after faults that it need not survive; there was no final phase)");
    } else {
      troubles_.push_back(*outcome->recovery_failure);
    }
  }
  about_.set("outcome", outcome->to_value());
  return {};
}

// Best effort: what cannot be collected is noted and does not spoil the verdict.
void Run::collect() {
  if (!target_ || !store_) return;
  if (!nodes_.cluster.nodes.empty()) {
    Value* environment = nullptr;
    for (auto& [key, value] : about_.entries()) {
      if (key == Value("environment")) environment = &value;
    }
    if (environment != nullptr) environment->set("target", describe_nodes(*target_, nodes_.cluster));
    if (auto collected = collect_logs(*target_, nodes_.cluster, *store_, *log_); !collected) {
      troubles_.push_back(collected.error());
    }
    // Nodes of our own vanish with all their processes in a moment; others are left as a careful guest leaves them.
    if (!nodes_.vanishes()) {
      if (auto down = take_down(*target_, nodes_.cluster, *log_); !down) log_->warn(down.error().message);
    }
  }
  if (auto written = store_->write("environment.json", about_); !written) troubles_.push_back(written.error());
}

// Nodes that cannot be reached have nothing to be collected, and would only say the same again.
bool is_without_connection(ErrorCode code) {
  return code == ErrorCode::unreachable || code == ErrorCode::host_key || code == ErrorCode::auth;
}

Result<void> Run::play() {
  if (auto done = make_workload(); !done) return done;
  const auto factory = find_target(plan_.target);
  if (!factory) return fail(factory.error());
  if (auto made = make_directory(); !made) return made;
  const auto noted = [&](Result<void> step) {
    if (!step) log_->write(RunLog::Level::debug, "the run failed: " + step.error().message);
    return step;
  };
  if ((*factory)->needs_nodes == nullptr || (*factory)->needs_nodes(plan_.options)) {
    auto opened = nodes::open_nodes(plan_.nodes, nodes::NodeSourceOptions::from(plan_.options));
    if (!opened) return noted(fail(opened.error()));
    nodes_ = *std::move(opened);
  }
  auto done = bring_up_target();
  const bool reached = done || !is_without_connection(done.error().code);
  if (done) done = run_clients();
  if (reached) collect();
  if (nemesis_ && reached) {
    auto gone = nemesis_->tear_down(std::chrono::steady_clock::now() + std::chrono::seconds(30));
    if (!gone) troubles_.push_back(gone.error().during("taking away what the faults needed"));
  }
  nemesis_.reset();
  return noted(std::move(done));
}

struct Ended {
  ExitCode code = kRunFailed;
  Value document = Value::map();
};

Ended run_one(const Plan& plan, bool json, const std::stop_token& stop) {
  Ended ended;
  const auto failed = [&](const Error& error, const std::string& directory) {
    complain(error);
    if (!directory.empty()) say("the run's directory: " + directory);
    ended.code = worst(std::vector<ExitCode>{ended.code == kInvalid ? kInvalid : exit_code(error)});
    ended.document.set("verdict", "unknown");
    ended.document.set("error", error.message);
    ended.document.set("reason", error.message);
    if (!directory.empty()) ended.document.set("directory", directory);
  };
  say(fmt::format("{} {} on {}, {} s, seed {}{}", plan.target, plan.workload, plan.nodes, plan.time_limit_s, plan.seed,
                  plan.nemesis.empty() ? "" : ", with faults"));
  std::string directory;
  std::vector<Error> troubles;
  {
    // The run owns the nodes: they are gone before anything is judged.
    Run run(plan, stop);
    auto played = run.play();
    directory = run.directory();
    troubles = run.troubles();
    if (!played) {
      failed(played.error(), directory);
      return ended;
    }
  }
  for (const auto& trouble : troubles) complain(trouble);
  auto judged = judge_run(directory, {});
  if (!judged) {
    failed(judged.error(), directory);
    return ended;
  }
  ended.document = judged->results;
  // A target that did not come back, or a history cut short by a full disk, is a failed run, but an anomaly stands.
  ended.code = exit_code(judged->verdict);
  if (!troubles.empty()) ended.code = worst(std::vector<ExitCode>{ended.code, exit_code(troubles.front())});
  if (!json) print_judged(*judged);
  return ended;
}

}  // namespace

int run(const RunCommand& command) {
  auto asked = requests(command);
  if (!asked) {
    complain(asked.error());
    return exit_code(asked.error());
  }
  std::vector<Plan> plans;
  for (const auto& request : *asked) {
    auto plan = resolve(request);
    if (!plan) {
      complain(plan.error());
      return exit_code(plan.error());
    }
    plans.push_back(*std::move(plan));
  }
  Value documents = Value::list();
  if (command.dry_run) {
    for (const auto& plan : plans) documents.items().push_back(plan.to_value());
    std::printf("%s\n", (plans.size() == 1 ? documents.items().front() : documents).to_json().c_str());
    return kValid;
  }
  std::vector<ExitCode> codes;
  {
    const SignalStop signals;
    for (const auto& plan : plans) {
      if (plans.size() > 1 && !command.json) std::printf("── run %zu of %zu\n", codes.size() + 1, plans.size());
      Ended ended = run_one(plan, command.json, signals.token());
      codes.push_back(ended.code);
      documents.items().push_back(std::move(ended.document));
      if (signals.token().stop_requested()) break;
    }
  }
  if (command.json) {
    std::printf("%s\n", (plans.size() == 1 ? documents.items().front() : documents).to_json().c_str());
  }
  leave(worst(codes));
}

}  // namespace ordeal::cli
