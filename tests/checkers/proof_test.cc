// The operations that an anomaly names, alone, prove it: of random histories that a checker calls invalid, what it
// names is taken out and given to brute force, which shares no code with the checkers. ORDEAL_HEAVY=N multiplies the
// number of histories (20: more than 10,000 a family), ORDEAL_SEED=N visits others.
#include <gtest/gtest.h>

#include <map>

#include "checkers/consistency/sequential.h"
#include "checkers/linearizability/checker.h"
#include "support/environment.h"
#include "support/history_generator.h"
#include "support/history_part.h"
#include "support/oracle.h"

namespace ordeal {
namespace {

using namespace testing_support;

RandomHistory shape_of(const std::string& model, std::mt19937_64& chance) {
  RandomHistory shape;
  shape.model = model;
  shape.operations = 3 + chance() % 8;
  shape.clients = 1 + static_cast<int>(chance() % 4);
  shape.values = 2 + static_cast<int>(chance() % 2);
  shape.unique_values = chance() % 2 == 0;
  shape.crashed = chance() % 2 == 0 ? 0.25 : 0;
  shape.falsify = 0.8;
  shape.keys = chance() % 4 == 0 ? 2 : 1;
  return shape;
}

using Holds = bool (*)(const History&, const CheckOptions&);

void prove(const std::string& model, const Checker& checker, Holds holds, std::size_t count) {
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1) + std::hash<std::string>()(model));
  CheckOptions options;
  options.model = model;
  options.threads = 1;
  std::size_t proofs = 0, smaller = 0, failed = 0;
  for (std::size_t round = 0; proofs < count * heavy() && round < 40 * count * heavy(); ++round) {
    const History history = random_history(shape_of(model, chance), chance);
    const CheckResult result = checker.check(history, options);
    if (result.verdict != Verdict::invalid) continue;
    ASSERT_FALSE(result.anomalies.empty()) << told(history);
    for (const Anomaly& anomaly : result.anomalies) {
      const History part = part_of(history, anomaly.operations);
      ++proofs;
      smaller += part.size() < history.size();
      if (!holds(part, options)) continue;
      if (++failed > 3) continue;
      ADD_FAILURE() << model << ": " << anomaly.type << " is not proved by what it names (" << result.algorithm
                    << "):\n"
                    << told(part) << anomaly.explanation << "\nof\n"
                    << told(history);
    }
  }
  EXPECT_EQ(failed, 0u) << "of " << proofs;
  EXPECT_GE(proofs, count * heavy());
  // Of additions that show what was there before nothing can go.
  if (model != "fetch-add") {
    EXPECT_GT(smaller, proofs / 10);
  }
}

class Proofs : public testing::TestWithParam<std::string> {};

TEST_P(Proofs, OfLinearizabilityStandAlone) { prove(GetParam(), *linearizable_checker(), oracle_linearizable, 500); }
TEST_P(Proofs, OfSequentialStandAlone) { prove(GetParam(), *sequential_checker(), oracle_sequential, 200); }

INSTANTIATE_TEST_SUITE_P(Models, Proofs,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "set", "log", "queue", "unordered-queue", "stack", "priority-queue", "mutex",
                                         "mutex-owner", "reentrant-mutex", "fenced-mutex", "semaphore-2", "unique-ids"),
                         [](const auto& one) {
                           std::string out = one.param;
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

}  // namespace
}  // namespace ordeal
