// What the harness itself can do: operations a second through generator, journal, worker and the memory target, and
// the journal alone. Numbers and how to run: README.md here.

#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "harness/runner/run.h"
#include "targets/memory/memory.h"

namespace ordeal {
namespace {

// On the disk of the working directory, since that is where stores are.
class BenchFile {
 public:
  BenchFile() : path_("ordeal-bench-" + std::to_string(::getpid()) + ".jsonl") { remove(); }
  ~BenchFile() { remove(); }
  BenchFile(const BenchFile&) = delete;
  BenchFile& operator=(const BenchFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path_;
};

double peak_rss_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// Reads, writes and cas on independent keys, two workers a key, a hundred operations each: as the register workload.
GeneratorPtr register_ops(std::uint64_t seed) {
  const Rng root(seed);
  return gen::each_key({.workers_per_key = 2, .operations_per_key = 100}, [root](std::uint64_t key) {
    const Rng rng = root.split(key);
    return gen::generate(rng, [](const GeneratorContext&, Rng& r) -> Operation {
      switch (r.below(3)) {
        case 0:
          return {"read", std::nullopt, {}};
        case 1:
          return {"write", std::nullopt, Value(r.between(0, 4))};
        default:
          return {"cas", std::nullopt, Value(Value::List{Value(r.between(0, 4)), Value(r.between(0, 4))})};
      }
    });
  });
}

// CPU seconds of this process, its children not included.
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// How late operations were invoked that were due at fixed distances: a percentile, in microseconds.
double lateness_us(const std::string& path, double rate, double percentile) {
  std::ifstream file(path);
  std::vector<double> times;
  for (std::string line; std::getline(file, line);) {
    if (line.find("\"invoke\"") == std::string::npos) continue;
    times.push_back(std::strtod(line.c_str() + line.find("\"time\":") + 7, nullptr) / 1000);
  }
  if (times.empty()) return 0;
  std::vector<double> late;
  for (std::size_t i = 0; i < times.size(); ++i) late.push_back(times[i] - static_cast<double>(i) / rate * 1e6);
  const double first = *std::min_element(late.begin(), late.end());
  std::sort(late.begin(), late.end());
  return late[static_cast<std::size_t>(percentile * static_cast<double>(late.size() - 1))] - first;
}

void BM_Run(benchmark::State& state) {
  const auto operations = static_cast<std::uint64_t>(state.range(1));
  const auto factory = memory_target();
  const Options options(factory.options);
  const auto rate = static_cast<double>(state.range(2));
  double seconds = 0;
  double late_us = 0;
  const double cpu_before = cpu_seconds();
  for (auto _ : state) {
    const BenchFile file;
    Cluster cluster;
    auto journal = Journal::create(file.path());
    auto target = factory.make(cluster, options);
    if (!journal || !target) return state.SkipWithError("no journal or target");
    RunLog log;
    Workload workload;
    workload.generator = gen::limit(operations, register_ops(1));
    RunSetup setup;
    setup.target = std::move(*target);
    setup.workload = &workload;
    setup.journal = journal->get();
    setup.log = &log;
    setup.rate = rate;
    setup.arrivals = gen::Arrivals::fixed;
    setup.time_limit_s = 600;
    setup.workers.workers = static_cast<int>(state.range(0));
    setup.target->client_setup()->use("register");
    const auto outcome = run_workload(setup);
    if (!outcome || outcome->counts.invoked != operations) return state.SkipWithError("the run failed");
    const double took = static_cast<double>(outcome->main_end_ns - outcome->main_begin_ns) / 1e9;
    state.SetIterationTime(took);
    seconds += took;
    if (rate > 0) late_us = lateness_us(file.path(), rate, 0.99);
  }
  state.counters["cpu_us/op"] =
      (cpu_seconds() - cpu_before) * 1e6 / static_cast<double>(operations * state.iterations());
  if (rate > 0) state.counters["late_p99_us"] = late_us;
  state.counters["ops/s"] = static_cast<double>(operations * state.iterations()) / seconds;
  state.counters["peak_rss_mb"] = peak_rss_mb();
}
BENCHMARK(BM_Run)
    ->ArgNames({"workers", "ops", "rate"})
    ->Args({1, 200'000, 0})
    ->Args({2, 200'000, 0})
    ->Args({10, 200'000, 0})
    ->Args({10, 1'000'000, 0})
    ->Args({1000, 200'000, 0})
    ->Args({5000, 200'000, 0})
    ->Args({10'000, 200'000, 0})
    ->Args({10, 5'000, 1000})
    ->Args({1000, 5'000, 1000})
    ->Args({5000, 5'000, 1000})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void BM_JournalAlone(benchmark::State& state) {
  const BenchFile file;
  auto journal = Journal::create(file.path());
  const Operation operation{"cas", Value("k17"), Value(Value::List{1, 2})};
  for (auto _ : state) {
    if (!(*journal)->invoke(3, operation)) return state.SkipWithError("the journal failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_JournalAlone);

void BM_Generator(benchmark::State& state) {
  auto generator = register_ops(1);
  int worker = 0;
  for (auto _ : state) {
    worker = (worker + 1) % 10;
    auto step = generator->next({0, worker, worker, 10});
    generator->update({0, worker, worker, EventType::invoke, &std::get<Operation>(step), nullptr});
    benchmark::DoNotOptimize(step);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Generator);

}  // namespace
}  // namespace ordeal

BENCHMARK_MAIN();
