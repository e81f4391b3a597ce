#include "tests/reports/synthetic.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>
#include <string>

#include <fmt/format.h>

namespace ordeal {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr int kWorkers = 10;

struct Writer {
  HistoryBuilder builder;

  EventIndex event(std::int64_t time, ProcessId process, EventType type, std::string_view f, ValueId key, ValueId value,
                   std::optional<EventError> error = std::nullopt) {
    Event e;
    e.time = time;
    e.process = process;
    e.type = type;
    const auto id = builder.function(f);
    ORDEAL_CHECK(id.has_value(), "too many functions");
    e.f = *id;
    e.key = key;
    e.value = value;
    e.error = std::move(error);
    const auto at = static_cast<EventIndex>(builder.size());
    const auto added = builder.add(e);
    ORDEAL_CHECK(added.has_value(), added.has_value() ? "" : added.error().message);
    return at;
  }
};

struct Pending {
  std::int64_t time = 0;
  int worker = 0;
  bool completes = false;
  EventType outcome = EventType::ok;
  std::string f;
  ValueId key = kAbsent;
  ValueId value = kAbsent;
  friend bool operator>(const Pending& a, const Pending& b) {
    return std::tie(a.time, a.worker) > std::tie(b.time, b.worker);
  }
};

FaultRecord fault(int id, const char* kind, std::vector<std::string> nodes, std::int64_t from, std::int64_t to,
                  bool confirmed) {
  FaultRecord record;
  record.id = id;
  record.fault = kind;
  record.nodes = std::move(nodes);
  record.description =
      Value::map({{"shape", std::string("majority")},
                  {"groups", Value::list({Value::list({"n1", "n2"}), Value::list({"n3", "n4", "n5"})})}});
  record.inject_ns = from;
  record.injected_ns = from + 12 * kMs;
  if (confirmed) record.confirmed_ns = from + 240 * kMs;
  record.evidence = confirmed ? "n1 cannot reach n3: 2 of 2 probes timed out" : "n1 still reaches n3 in 0.4 ms";
  record.heal_ns = to;
  record.healed_ns = to + 9 * kMs;
  record.heal_confirmed_ns = to + 130 * kMs;
  record.heal_evidence = "n1 reaches n3 in 0.3 ms";
  return record;
}

std::vector<FaultRecord> faults_over(std::int64_t end) {
  std::vector<FaultRecord> out;
  const char* kinds[] = {"partition", "kill", "pause"};
  for (int i = 0; i < 9; ++i) {
    const std::int64_t from = end / 10 * i + end / 20;
    out.push_back(fault(i + 1, kinds[i % 3], {fmt::format("n{}", i % 5 + 1), fmt::format("n{}", (i + 2) % 5 + 1)}, from,
                        from + end / 18, i != 4));
  }
  out[4].error = "n5: kill: connection refused";
  return out;
}

bool under(const std::vector<FaultRecord>& faults, std::int64_t time) {
  return std::any_of(faults.begin(), faults.end(),
                     [time](const FaultRecord& f) { return time >= f.inject_ns && time < f.healed_ns; });
}

void record_faults(Writer& writer, const FaultRecord& f, std::int64_t until, std::size_t& step) {
  // The events of one injection that are due, in order.
  const std::pair<const char*, std::int64_t> steps[] = {
      {"inject", f.inject_ns},
      {"injected", f.injected_ns},
      {f.confirmed_ns >= 0 ? "confirmed" : "unconfirmed", f.injected_ns + 228 * kMs},
      {"heal", f.heal_ns},
      {"healed", f.healed_ns},
      {"recovered", f.heal_confirmed_ns}};
  while (step < 6 && steps[step].second <= until) {
    Value value = Value::map({{"id", f.id}, {"step", steps[step].first}});
    if (step == 0) {
      Value nodes = Value::list();
      for (const auto& node : f.nodes) nodes.items().emplace_back(node);
      value.set("nodes", nodes);
      value.set("fault", f.description);
    }
    if (step == 2) value.set("evidence", f.evidence);
    if (step == 5) value.set("evidence", f.heal_evidence);
    writer.event(steps[step].second, kNemesis, EventType::info, f.fault, kAbsent,
                 writer.builder.values().intern(value));
    ++step;
  }
}

void add_anomaly(const History& history, ReportInput& input, bool hostile) {
  // Any write, a later write and a later read of one key: enough for a picture.
  std::vector<EventIndex> chosen;
  const auto operations = history.operations();
  ValueId key = kAbsent;
  for (std::size_t i = operations.size() * 6 / 10; i < operations.size() && chosen.size() < 5; ++i) {
    const auto op = operations[i];
    if (key != kAbsent && history.key(op.invocation) != key) continue;
    const bool wanted = chosen.size() < 2 ? history.f_name(op.invocation) == "write" : true;
    if (!wanted || (chosen.size() != 3 && history.outcome(op) != EventType::ok)) continue;
    key = history.key(op.invocation);
    chosen.push_back(op.invocation);
  }
  Anomaly anomaly;
  anomaly.type = "nonlinearizable";
  anomaly.key = history.values().to_value(key);
  anomaly.operations = chosen;
  const std::string bad = hostile ? hostile_text() : "";
  anomaly.explanation = "A read returned 3, which a completed write had replaced with 7 before the read began." + bad;
  anomaly.sentences = {
      "The key held 3: process 4 wrote it, and that write had completed at 31.204 s.",
      "Process 2 wrote 7; that write began after the first had ended, and completed at 31.377 s.",
      "Process 9 asked to read after that, at 31.402 s, and got 3." + bad,
      "No write of 3 was open or unknown at that time, so no order of these operations explains the read."};
  for (const EventIndex e : chosen) {
    anomaly.graph.nodes.push_back(
        {e, history.describe({e, history.partner(e)}) + "\nindex " + std::to_string(history.index(e)) + bad,
         e == chosen.back()});
  }
  anomaly.graph.nodes.push_back({kNoEvent, "initially nil", false});
  const std::size_t last = chosen.size() - 1;
  anomaly.graph.edges.push_back({chosen.size(), 0, "ww", "nil, then 3" + bad});
  anomaly.graph.edges.push_back({0, 1, "ww", "3, then 7"});
  anomaly.graph.edges.push_back({0, last, "wr", "reads 3"});
  anomaly.graph.edges.push_back({last, 1, "rw", "read 3, replaced by 7"});
  anomaly.graph.edges.push_back({1, last, "realtime", "25 ms before"});
  for (std::size_t i = 2; i < last; ++i) anomaly.graph.edges.push_back({i, i + 1, "process", bad});
  anomaly.graph.component_size = 41;
  input.results[0].anomalies.push_back(anomaly);
}

}  // namespace

const char* hostile_text() {
  return "</script></style><img src=x onerror=\"document.title='OWNED'\"><svg onload=\"document.title='OWNED'\">"
         "&amp;' \" \\ ]]> \x01\x1b[31m \xff\xfe \xc3\x28 \xe2\x80\xa8 \xe2\x80\xae javascript:alert(1)";
}

SyntheticRun synthetic_run(const SyntheticOptions& options) {
  std::mt19937_64 random(options.seed);
  const auto chance = [&random] { return static_cast<double>(random() >> 11) * 0x1.0p-53; };
  Writer writer;
  ValueTable& values = writer.builder.values();
  const auto operations = static_cast<std::int64_t>(options.operations);
  // As many seconds as 400 operations a second take, but at least ten.
  const std::int64_t end = std::max<std::int64_t>(10'000 * kMs, operations * 2'500'000);
  const auto faults = options.faults ? faults_over(end) : std::vector<FaultRecord>{};
  std::vector<std::size_t> fault_steps(faults.size(), 0);
  std::vector<ProcessId> process(kWorkers);
  for (int i = 0; i < kWorkers; ++i) process[static_cast<std::size_t>(i)] = i;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> queue;
  for (int i = 0; i < kWorkers; ++i) {
    Pending first;
    first.time = static_cast<std::int64_t>(chance() * 20e6);
    first.worker = i;
    queue.push(first);
  }
  const std::string bad = options.hostile ? hostile_text() : "";
  const auto at = [&](std::int64_t time) { return options.times ? time : -1; };
  std::int64_t made = 0;
  while (!queue.empty()) {
    Pending now = queue.top();
    queue.pop();
    if (options.times) {
      for (std::size_t i = 0; i < faults.size(); ++i) {
        if (faults[i].inject_ns <= now.time) record_faults(writer, faults[i], faults[i].inject_ns, fault_steps[i]);
      }
    }
    const auto worker = static_cast<std::size_t>(now.worker);
    if (!now.completes) {
      if (made == operations) continue;
      ++made;
      const double kind = chance();
      now.f = kind < 0.5 ? "read" : kind < 0.8 ? "write" : "cas";
      const auto number = static_cast<std::int64_t>(random() % 5 + static_cast<std::uint64_t>(made / 1200) * 5);
      now.key = values.string("k" + std::to_string(number) + bad);
      const std::int64_t v = static_cast<std::int64_t>(random() % 10);
      now.value = now.f == "read"    ? kNil
                  : now.f == "write" ? values.integer(v)
                                     : values.intern(Value::list({v, (v + 1) % 10}));
      if (options.hostile && now.f == "write") now.value = values.string(bad + std::to_string(v));
      writer.event(at(now.time), process[worker], EventType::invoke, now.f, now.key, now.value);
      const bool broken = under(faults, now.time);
      const double luck = chance();
      now.outcome = now.f == "cas" && luck < 0.3 ? EventType::fail
                    : broken && luck > 0.98      ? EventType::info
                                                 : EventType::ok;
      const double ms = now.outcome == EventType::info ? 5000 : std::exp(chance() * 2.6) * (broken ? 6 : 1) + chance();
      now.time += static_cast<std::int64_t>(ms * 1e6);
      now.completes = true;
      queue.push(now);
      continue;
    }
    ValueId seen = now.value;
    std::optional<EventError> error;
    if (now.f == "read" && now.outcome == EventType::ok)
      seen = values.integer(static_cast<std::int64_t>(random() % 10));
    if (now.outcome == EventType::fail) error = EventError{"precondition", "compare failed" + bad};
    if (now.outcome == EventType::info) error = EventError{"timeout", "no answer within 5 s" + bad};
    writer.event(at(now.time), process[worker], now.outcome, now.f, now.key, seen, error);
    if (now.outcome == EventType::info) process[worker] += kWorkers;
    now.completes = false;
    now.time += static_cast<std::int64_t>(chance() * 20e6);
    queue.push(now);
  }
  SyntheticRun run;
  run.history = std::make_unique<History>(writer.builder.finish());
  ReportInput& input = run.input;
  input.history = run.history.get();
  input.faults = faults;
  input.verdict = options.verdict;
  input.title = "etcd register";
  input.started_utc = "2026-03-01T09:00:00Z";
  input.duration_s = static_cast<double>(end) / 1e9 + 2;
  input.command =
      "ordeal run --target etcd --workload register --nemesis partition,kill,pause --nodes local:5 \\\n    "
      "--time-limit 60 --rate 200 --seed 42" +
      bad;
  for (int i = 0; i < kWorkers; ++i) input.worker_nodes.push_back(fmt::format("n{}", i % 5 + 1));
  CheckResult check;
  check.checker = "linearizable";
  check.verdict = options.verdict;
  check.model = "cas-register";
  check.consistency = "linearizable";
  check.algorithm = "jit";
  check.operations = options.operations;
  check.keys = 5;
  check.seconds = 0.128;
  check.details = Value::map({{"states", 1288}, {"peak-configurations", 41}});
  input.results.push_back(check);
  CheckResult stats;
  stats.checker = "stats";
  stats.verdict = Verdict::valid;
  stats.operations = options.operations;
  input.results.push_back(stats);
  if (options.verdict == Verdict::invalid) add_anomaly(*run.history, input, options.hostile);
  if (options.verdict == Verdict::unknown) {
    input.reason = "the search for key k3 ran out of time (60 s)" + bad;
    input.results[0].reason = input.reason;
  }
  for (const char* node : {"n2", "n1"}) {
    std::string tail;
    for (int i = 0; i < 200; ++i) {
      tail += fmt::format(
          "{{\"level\":\"info\",\"ts\":\"2026-03-01T09:00:{:02}.{:03}Z\",\"msg\":\"applied\",\"index\":{}}}\n",
          i * 9 / 200, i, i);
    }
    input.logs.push_back({node, "/var/lib/ordeal/etcd/etcd.log", tail + bad});
  }
  for (int i = 0; i < 60; ++i) {
    for (int node = 1; node <= 3; ++node) {
      input.clocks.push_back({fmt::format("n{}", node), end / 60 * i,
                              (i > 30 && node == 2 ? 900 * kMs : 0) + static_cast<std::int64_t>(chance() * 4e6)});
    }
  }
  input.plan = Value::map(
      {{"name", "etcd-register"},
       {"target", "etcd"},
       {"workload", "register"},
       {"nemesis", Value::list({"partition", "kill", "pause"})},
       {"nodes", "local:5"},
       {"time_limit_s", 60.0},
       {"rate", 200.0},
       {"concurrency", 10},
       {"seed", "42"},
       {"options", Value::map({{"etcd.serializable-reads", Value::map({{"value", true}, {"origin", "--set"}})},
                               {"register.keys", Value::map({{"value", 5}, {"origin", "default"}})}})},
       {"origins", Value::map({{"rate", "--rate"}, {"time-limit", "--time-limit"}, {"seed", "drawn"}})}});
  input.environment =
      Value::map({{"ordeal", "0.1.0"},
                  {"host", Value::map({{"kernel", "Linux 6.1.0"}, {"cpu", "2 × Xeon"}, {"memory", "8 GiB"}})},
                  {"target", Value::map({{"n1", "etcd 3.4.23" + bad}, {"n2", "etcd 3.4.23"}})}});
  return run;
}

}  // namespace ordeal
