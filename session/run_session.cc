#include "session/run_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "harness/nodes/node_source.h"
#include "harness/runner/lifecycle.h"
#include "harness/runner/limits.h"
#include "harness/runner/ownership.h"
#include "harness/runner/run.h"
#include "harness/store/journal.h"
#include "harness/store/part_packer.h"
#include "harness/store/run_directory.h"
#include "harness/store/run_log.h"
#include "nemesis/catalogue.h"
#include "nemesis/make_nemesis.h"
#include "session/environment.h"
#include "session/follower.h"
#include "session/freeze.h"
#include "session/node_records.h"
#include "session/turns.h"
#include "targets/catalogue.h"
#include "workloads/catalogue.h"

namespace ordeal {
namespace {

// Nodes that cannot be reached have nothing to be collected, and would only say the same again.
bool is_without_connection(ErrorCode code) {
  return code == ErrorCode::unreachable || code == ErrorCode::host_key || code == ErrorCode::auth;
}

}  // namespace

// The parts are destroyed in reverse: clients and target before the nodes.
class RunSession::Parts {
 public:
  Parts(const Plan& plan, RunObserver& observer, std::stop_token stop, bool at_anomaly)
      : plan_(plan), observer_(observer), stop_(std::move(stop)), at_anomaly_(at_anomaly) {}
  // A client that never came back from a call keeps the target alive, which must not write to the log any more.
  ~Parts() {
    if (take_down_later_ && !kept_) take_target_down();
    if (target_ && target_->client_setup() != nullptr) target_->client_setup()->log_to(nullptr);
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Result<void> play();
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] const std::vector<Error>& troubles() const { return troubles_; }
  [[nodiscard]] std::string keep_nodes();

 private:
  Result<void> make_workload();
  Result<void> make_directory();
  Result<void> open_nodes(const TargetFactory& factory);
  Result<void> bring_up_target(const TargetFactory& factory);
  Result<void> check_limits();
  Result<void> make_nemesis();
  Result<void> run_clients();
  void follow(RunSetup& setup);
  void halted();
  void collect();
  void take_target_down();
  void tear_down();
  Result<void> finish(Result<void> done);

  const Plan& plan_;
  RunObserver& observer_;
  std::stop_token stop_;
  const bool at_anomaly_;
  std::string directory_;
  std::vector<Error> troubles_;
  std::optional<RunDirectory> store_;
  std::unique_ptr<RunLog> log_;
  nodes::NodeSet nodes_;
  std::unique_ptr<Ownership> ownership_;  // null: the nodes are the run's own
  NodeRecords records_;
  bool take_down_later_ = false;  // the target runs until it is known whether the nodes are kept
  bool kept_ = false;
  const WorkloadFactory* workload_factory_ = nullptr;
  Workload workload_;
  std::shared_ptr<Target> target_;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Follower> follower_;
  Environment environment_;
};

Result<void> RunSession::Parts::make_workload() {
  const auto factory = find_workload(plan_.workload);
  if (!factory) return fail(factory.error());
  workload_factory_ = *factory;
  auto made =
      workload_factory_->make(WorkloadContext{plan_.options, plan_.concurrency, plan_.seed, plan_.time_limit_s});
  if (!made) return fail(made.error());
  workload_ = *std::move(made);
  return {};
}

Result<void> RunSession::Parts::make_directory() {
  auto made = RunDirectory::create(plan_.store, plan_.name);
  if (!made) return fail(made.error());
  store_ = *std::move(made);
  directory_ = store_->path();
  auto log = RunLog::open(store_->file("ordeal.log"), [this](RunLog::Level level, std::string_view message) {
    if (level == RunLog::Level::warn || level == RunLog::Level::error) observer_.remark(message);
  });
  if (!log) return fail(log.error());
  log_ = *std::move(log);
  return store_->write("plan.json", plan_.to_value());
}

Result<void> RunSession::Parts::open_nodes(const TargetFactory& factory) {
  if (factory.needs_nodes != nullptr && !factory.needs_nodes(plan_.options)) return {};
  auto opened = nodes::open_nodes(plan_.nodes, nodes::NodeSourceOptions::from(plan_.options));
  if (!opened) return fail(opened.error());
  nodes_ = *std::move(opened);
  if (nodes_.vanishes() || nodes_.cluster.nodes.empty()) return {};
  auto ours = Ownership::take(nodes_.cluster, directory_);
  if (!ours) return fail(ours.error());
  ownership_ = *std::move(ours);
  return {};
}

Result<void> RunSession::Parts::bring_up_target(const TargetFactory& factory) {
  auto made = factory.make(nodes_.cluster, plan_.options);
  if (!made) return fail(made.error());
  target_ = std::shared_ptr<Target>(*std::move(made));
  if (auto enough = check_limits(); !enough) return enough;
  environment_ = environment_of(plan_, *target_, nodes_.cluster);
  if (auto written = store_->write("environment.json", environment_.to_value()); !written) return written;
  BringUp how;
  how.start_timeout_s = plan_.start_timeout_s;
  how.data_type = workload_factory_->data_type;
  how.stop = stop_;
  if (auto nemesis = make_nemesis(); !nemesis) return nemesis;
  if (nemesis_) how.before_start = [this] { return nemesis_->set_up(Deadline::after_s(60)); };
  return bring_up(*target_, nodes_.cluster, how, *log_);
}

Result<void> RunSession::Parts::check_limits() {
  const auto* clients = target_->client_setup();
  const auto cost = clients != nullptr ? clients->cost() : Target::ClientSetup::Cost();
  const WorkerNeeds needs{static_cast<std::size_t>(plan_.concurrency), cost.descriptors, cost.processes,
                          nodes_.cluster.size()};
  std::string problem = limits_problem(needs, machine_limits());
  return problem.empty() ? Result<void>() : fail(ErrorCode::unsupported, std::move(problem));
}

Result<void> RunSession::Parts::make_nemesis() {
  auto made = ordeal::make_nemesis(plan_, store_->file("ledger.jsonl"), nodes_.cluster, *target_);
  if (!made) return fail(made.error());
  nemesis_ = *std::move(made);
  if (!nemesis_) return {};
  const auto slow = std::count_if(plan_.nemesis.begin(), plan_.nemesis.end(), [](const std::string& name) {
    const auto fault = find_fault(name);
    return fault && (*fault)->node_by_node;
  });
  const std::string remark =
      turns_remark(plan_, nemesis_->kinds(), static_cast<std::size_t>(slow), nodes_.cluster.size());
  if (!remark.empty()) {
    observer_.remark(remark);
    log_->write(RunLog::Level::info, remark);
  }
  return {};
}

Result<void> RunSession::Parts::run_clients() {
  auto journal = Journal::create(store_->history_path());
  if (!journal) return fail(journal.error());
  journal_ = *std::move(journal);
  RunSetup setup = RunSetup::from(plan_);
  setup.target = target_;
  setup.nodes = std::max<std::size_t>(1, nodes_.cluster.size());
  setup.cluster = &nodes_.cluster;
  setup.workload = &workload_;
  setup.nemesis = nemesis_.get();
  setup.journal = journal_.get();
  setup.log = log_.get();
  setup.stop = stop_;
  setup.progress = [this](const Progress& now) { observer_.progress(now); };
  if (at_anomaly_) follow(setup);
  auto outcome = run_workload(setup);
  follower_.reset();
  if (!outcome) return fail(outcome.error());
  for (const auto* trouble : {&outcome->failure, &outcome->heal_failure, &outcome->recovery_failure}) {
    if (*trouble) troubles_.push_back(**trouble);
  }
  environment_.outcome = outcome->to_value();
  return {};
}

void RunSession::Parts::follow(RunSetup& setup) {
  auto checkers = Follower::followable(workload_factory_->checkers(plan_.options));
  if (checkers.empty()) {
    observer_.remark(
        fmt::format("fail-fast: what the workload {} promises shows in the end, and is judged then", plan_.workload));
    return;
  }
  follower_ = std::make_unique<Follower>(journal_->path(), std::move(checkers));
  setup.halt = follower_->found();
  setup.at_halt = [this] { halted(); };
}

// An anomaly was seen; clients are still there, and so are the faults.
void RunSession::Parts::halted() {
  const auto seen = follower_->seen();
  if (!seen) return;
  Value what = Value::map({{"step", "anomaly"}, {"checker", seen->checker}, {"type", seen->type}});
  what.set("explanation", seen->explanation);
  if (seen->completed_ns >= 0) what.set("completed_ns", seen->completed_ns);
  (void)journal_->record("nemesis", "nemesis", what);  // a failure of the journal sticks
  observer_.remark(fmt::format("the run ends early, by an anomaly that was seen: {}", seen->explanation));
  if (!nodes_.cluster.nodes.empty()) observer_.stage("freezing the target and saving its data");
  if (auto saved = freeze_and_save(plan_, *target_, nodes_.cluster, *store_, *log_); !saved)
    troubles_.push_back(saved.error());
}

// Best effort: what cannot be collected is noted and does not spoil the history.
void RunSession::Parts::collect() {
  if (!target_ || nodes_.cluster.nodes.empty()) return;
  observer_.stage(fmt::format("collecting the logs of {} nodes", nodes_.cluster.size()));
  environment_.target = describe_nodes(*target_, nodes_.cluster);
  if (auto collected = collect_logs(*target_, nodes_.cluster, *store_, *log_); !collected) {
    troubles_.push_back(collected.error());
  }
  // Nodes of our own vanish with all their processes in a moment; others are left as a careful guest leaves them.
  if (nodes_.local) {
    for (const auto& [node, count] : nodes_.local->killed_for_memory()) {
      log_->warn(
          fmt::format("{}: the kernel killed {} process{} there because the node had reached its memory limit "
                      "(local.memory): that is no fault of this run's nemesis",
                      node, count, count == 1 ? "" : "es"));
    }
  }
  records_.collect(*target_, nodes_.cluster, *store_, *log_);
  if (nodes_.vanishes()) return;
  if (plan_.options.boolean("nodes.keep")) {
    take_down_later_ = true;
  } else {
    take_target_down();
  }
}

void RunSession::Parts::take_target_down() {
  if (auto down = take_down(*target_, nodes_.cluster, *log_); !down) log_->warn(down.error().message);
}

std::string RunSession::Parts::keep_nodes() {
  if (nodes_.cluster.nodes.empty() || nodes_.docker) return "";
  kept_ = true;
  return keep(nodes_, *store_);
}

void RunSession::Parts::tear_down() {
  if (!nemesis_) return;
  if (auto gone = nemesis_->tear_down(Deadline::after_s(30)); !gone) {
    troubles_.push_back(gone.error().during("taking away what the faults needed"));
  }
}

// Writes down how it went, whatever that was.
Result<void> RunSession::Parts::finish(Result<void> done) {
  if (!done) log_->write(RunLog::Level::debug, "the run failed: " + done.error().message);
  if (!done) {
    environment_.failure = done.error();
  } else if (!troubles_.empty()) {
    environment_.failure = troubles_.front();
  }
  if (auto written = store_->write("environment.json", environment_.to_value()); !written) {
    troubles_.push_back(written.error());
  }
  return done;
}

Result<void> RunSession::Parts::play() {
  if (auto done = make_workload(); !done) return done;
  const auto factory = find_target(plan_.target);
  if (!factory) return fail(factory.error());
  if (auto made = make_directory(); !made) return made;
  if (auto opened = open_nodes(**factory); !opened) return finish(std::move(opened));
  auto done = records_.begin(plan_, nodes_.cluster, *log_);
  if (done) done = bring_up_target(**factory);
  const bool reached = done || !is_without_connection(done.error().code);
  if (done) done = run_clients();
  if (reached) {
    collect();
    tear_down();
  }
  if (ownership_) {
    if (const auto lost = ownership_->lost()) troubles_.push_back(*lost);
  }
  nemesis_.reset();
  if (nodes_.vanishes() && !plan_.options.boolean("nodes.keep")) observer_.stage("taking down the nodes");
  return finish(std::move(done));
}

RunSession::RunSession(const Plan& plan, RunObserver& observer, std::stop_token stop, bool at_anomaly)
    : parts_(std::make_unique<Parts>(plan, observer, std::move(stop), at_anomaly)) {}
RunSession::~RunSession() = default;
Result<void> RunSession::play() { return parts_->play(); }
std::string RunSession::keep_nodes() { return parts_->keep_nodes(); }
const std::string& RunSession::directory() const { return parts_->directory(); }
const std::vector<Error>& RunSession::troubles() const { return parts_->troubles(); }

Result<JudgedRun> run_and_judge(const Plan& plan, RunObserver& observer, const RunStops& stops) {
  auto session = std::make_unique<RunSession>(plan, observer, stops.run, stops.at_anomaly);
  auto played = session->play();
  const std::string directory = session->directory();
  if (!played && directory.empty()) return fail(played.error());
  for (const auto& trouble : session->troubles()) observer.remark("ordeal: " + trouble.message);
  // The session owns the nodes: they are gone before anything is judged, unless the judgement decides about them.
  if (!plan.options.boolean("nodes.keep")) session.reset();
  JudgeLimits limits;
  limits.stop = stops.run.stop_requested() ? stops.judging : stops.run;
  auto out = judge_run(directory, observer, limits);
  if (session && (!out || out->failure || out->verdict == Verdict::invalid)) {
    if (const std::string words = session->keep_nodes(); !words.empty()) observer.remark(words);
  }
  session.reset();
  pack_parts(directory + "/history.jsonl", limits.stop, [&] { observer.stage("compressing the history"); });
  return out;
}

}  // namespace ordeal
