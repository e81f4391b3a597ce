// How long isolation checks take: list-append transactions of four micro-operations by 20 clients against a serial
// store, checked at strict serializability. Build with ORDEAL_BENCH, run build/release/bin/transactions_bench. The
// history is built in memory: reading files is not part of the figures.
#include <benchmark/benchmark.h>

#include <random>

#include "checkers/transactions/checker.h"

namespace ordeal {
namespace {

// Keys take 32 appends and are then left behind. Each transaction takes effect in one moment between its events.
History list_append_history(std::size_t transactions, bool stale) {
  constexpr int kClients = 20;
  constexpr std::size_t kActiveKeys = 10, kAppendsPerKey = 32;
  std::mt19937_64 chance(1);
  HistoryBuilder builder;
  builder.reserve(transactions * 2);
  ValueTable& values = builder.values();
  const FunctionId f = *builder.function("txn");
  const ValueId append = values.string("append"), read = values.string("r");
  struct Key {
    std::int64_t number = 0;
    std::vector<ValueId> list;
  };
  std::vector<Key> keys(kActiveKeys);
  for (std::size_t k = 0; k < kActiveKeys; ++k) keys[k].number = static_cast<std::int64_t>(k);
  auto next_key = static_cast<std::int64_t>(kActiveKeys);
  std::vector<ValueId> open(kClients, kAbsent);  // the completion's value
  std::size_t begun = 0, ended = 0;
  while (ended < transactions) {
    const auto client = static_cast<std::size_t>(chance() % kClients);
    Event event;
    event.process = static_cast<ProcessId>(client);
    event.f = f;
    if (open[client] != kAbsent) {
      event.type = EventType::ok;
      event.value = open[client];
      open[client] = kAbsent;
      ++ended;
    } else if (begun < transactions) {
      ++begun;
      std::vector<ValueId> asked, done;
      for (int i = 0; i < 4; ++i) {
        Key& key = keys[chance() % kActiveKeys];
        const ValueId k = values.integer(key.number);
        if (chance() % 2 == 0) {
          const ValueId element = values.integer(static_cast<std::int64_t>(key.list.size()) + 1);
          key.list.push_back(element);
          asked.push_back(values.list(std::vector<ValueId>{append, k, element}));
          done.push_back(asked.back());
          if (key.list.size() >= kAppendsPerKey) key = {next_key++, {}};
        } else {
          auto seen = key.list;
          if (stale && begun > transactions / 2 && begun % 1000 == 0 && seen.size() > 4) seen.resize(2);
          asked.push_back(values.list(std::vector<ValueId>{read, k, kNil}));
          done.push_back(values.list(std::vector<ValueId>{read, k, values.list(seen)}));
        }
      }
      event.value = values.list(asked);
      open[client] = values.list(done);
    } else {
      continue;
    }
    if (!builder.add(event)) return {};
  }
  return builder.finish();
}

void strict_serializability(benchmark::State& state, bool stale) {
  const History history = list_append_history(static_cast<std::size_t>(state.range(0)), stale);
  CheckOptions options;
  options.model = "list-append";
  for (auto _ : state) {
    const CheckResult result = transactional_checker()->check(history, options);
    if (result.verdict != (stale ? Verdict::invalid : Verdict::valid)) state.SkipWithError("wrong verdict");
  }
  state.SetComplexityN(state.range(0));
}

BENCHMARK_CAPTURE(strict_serializability, valid, false)
    ->RangeMultiplier(10)
    ->Range(10'000, 1'000'000)
    ->Unit(benchmark::kMillisecond)
    ->Complexity();
BENCHMARK_CAPTURE(strict_serializability, stale, true)
    ->RangeMultiplier(10)
    ->Range(10'000, 1'000'000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ordeal

BENCHMARK_MAIN();
