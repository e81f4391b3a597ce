#pragma once
// Plays the generators of workloads without a system: what is asked, by whom, when.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/harness/generator/simulation.h"
#include "workloads/catalogue.h"

namespace ordeal {

using WorkloadSettings = std::map<std::string, std::string>;

inline Result<Workload> make_workload(const std::string& name, const WorkloadSettings& settings, int workers,
                                      std::uint64_t seed = 1) {
  const auto factory = find_workload(name);
  if (!factory) return fail(factory.error());
  // The generators keep nothing of the options.
  Options options((*factory)->options);
  for (const auto& [key, value] : settings) {
    if (auto set = options.set(key, value, "test"); !set) return fail(set.error());
  }
  return (*factory)->make({options, workers, seed, 60});
}

inline std::vector<gen::Issued> play_workload(const std::string& name, const WorkloadSettings& settings, int workers,
                                              std::size_t most, std::uint64_t seed = 1) {
  auto workload = make_workload(name, settings, workers, seed);
  EXPECT_TRUE(workload) << workload.error().message;
  if (!workload) return {};
  gen::Simulation simulation;
  simulation.workers = workers;
  simulation.most = most;
  // Consumers answer to what they receive, readers ask for what was appended.
  simulation.answer = [n = std::int64_t{0}](const gen::Issued& op) mutable -> std::optional<Value> {
    if (op.operation.f == "append") return Value::list({n++, op.operation.value});
    if (op.operation.f != "receive") return std::nullopt;
    return Value::map({{Value("id"), Value(n)}, {Value("poison"), Value(n++ % 2 == 0)}});
  };
  return simulation.play(*workload->generator);
}

}  // namespace ordeal
