// The checker "linearizable" on the histories of the speed table, in memory (reading a file comes on top; time
// `ordeal check` on the output of ordeal-genhistory for that). Counters: verdict (1 valid, 0 invalid, -1 unknown), peak
// bytes of the search. The rows "growth" vary length, clients and crashed share one at a time.

#include <benchmark/benchmark.h>

#include "checkers/linearizability/checker.h"
#include "support/long_history.h"

namespace {

using ordeal::testing_support::LongHistory;
using ordeal::testing_support::Violation;

void run(benchmark::State& state, const LongHistory& shape) {
  const ordeal::History history = ordeal::testing_support::long_history(shape);
  ordeal::CheckOptions options;
  options.model = "cas-register";
  options.timeout = std::chrono::seconds(20);
  ordeal::CheckResult result;
  for (auto _ : state) {
    result = ordeal::linearizable_checker()->check(history, options);
    benchmark::DoNotOptimize(result);
  }
  state.counters["verdict"] = result.verdict == ordeal::Verdict::valid     ? 1
                              : result.verdict == ordeal::Verdict::invalid ? 0
                                                                           : -1;
  if (const auto* bytes = result.details.find("peak-bytes"))
    state.counters["bytes"] = static_cast<double>(bytes->integer());
  if (!result.anomalies.empty()) state.counters["minimal"] = static_cast<double>(result.anomalies[0].operations.size());
  state.SetLabel(result.algorithm);
}

void add(const char* name, LongHistory shape) {
  for (const Violation violation : {Violation::none, Violation::stale_read, Violation::stale_replica}) {
    shape.violation = violation;
    const std::string full = std::string(name) + "/" + std::string(ordeal::testing_support::name(violation));
    benchmark::RegisterBenchmark(full.c_str(), [shape](benchmark::State& state) { run(state, shape); })
        ->Unit(benchmark::kMillisecond)
        ->Iterations(1);
  }
}

LongHistory shape(std::size_t operations, int clients, int values, double crashed, std::size_t keys = 1) {
  LongHistory out;
  out.operations = operations;
  out.clients = clients;
  out.values = values;
  out.cas = values != 0;
  out.crashed = crashed;
  out.keys = keys;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  add("unique/10k", shape(10'000, 10, 0, 0));
  add("unique/1M", shape(1'000'000, 10, 0, 0));
  add("cas/10k", shape(10'000, 10, 5, 0));
  add("cas/100k", shape(100'000, 10, 5, 0));
  add("cas/1%crashed/1k", shape(1'000, 10, 5, 0.01));
  add("cas/1%crashed/5k", shape(5'000, 10, 5, 0.01));
  add("cas/5%crashed/1k", shape(1'000, 10, 5, 0.05));
  add("cas/5%crashed/5k", shape(5'000, 10, 5, 0.05));
  add("cas/30clients/10k", shape(10'000, 30, 5, 0));
  add("cas/100clients/10k", shape(10'000, 100, 5, 0));
  add("cas/100keys/1M", shape(1'000'000, 10, 5, 0, 100));
  for (const std::size_t n : {1'000, 10'000, 100'000})
    add(("growth/length/" + std::to_string(n)).c_str(), shape(n, 10, 5, 0));
  for (const int c : {2, 5, 10, 20, 40}) add(("growth/clients/" + std::to_string(c)).c_str(), shape(5'000, c, 5, 0));
  for (const int p : {0, 1, 2, 5})
    add(("growth/crashed%/" + std::to_string(p)).c_str(), shape(2'000, 10, 5, p / 100.0));
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
