// Which workloads a target can run, and what is said when it cannot run the one that is asked for.

#include "session/fitting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/catalogue.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string problem(const std::vector<std::string>& understood, const std::string& name,
                    const std::vector<std::pair<std::string, std::string>>& settings = {}) {
  TargetFactory target;
  target.name = "mine";
  const WorkloadFactory& workload = **find_workload(name);
  Options options(workload.options);
  for (const auto& [key, value] : settings) EXPECT_TRUE(options.set(key, value, "test"));
  const auto fit = fits(target, understood, workload, &options);
  if (fit) return "";
  EXPECT_EQ(fit.error().code, ErrorCode::usage);
  return fit.error().message;
}

using RegressFitting = ::testing::Test;

// A store without compare-and-set could not have its registers tested, although register.cas=0 asks for none.
TEST(RegressFitting, WhatAWeightOfZeroLeavesOutIsNotDemanded) {
  EXPECT_EQ(problem({"read", "write"}, "register", {{"register.cas", "0"}}), "");
  EXPECT_EQ(problem({"read", "cas"}, "register", {{"register.writes", "0"}}), "");
  EXPECT_THAT(problem({"read", "write"}, "register"),
              AllOf(HasSubstr("does not have: cas."), HasSubstr("Set register.cas=0 to do without"),
                    HasSubstr("register (with register.cas=0)")));
  EXPECT_THAT(problem({"write"}, "register", {{"register.cas", "0"}}), HasSubstr("does not have: read."));
}

// "Workloads for process: ." was all that was said.
TEST(RegressFitting, AnEmptyListOfWorkloadsHasAReason) {
  EXPECT_THAT(problem({}, "register"), HasSubstr("its clients understand no operation at all"));
  EXPECT_THAT(
      problem({"raed"}, "register"),
      AllOf(HasSubstr("No workload fits mine: \"raed\" is no operation of any workload, did you mean \"read\"?"),
            HasSubstr("doc/formats.md")));
  EXPECT_THAT(problem({"transfer"}, "register"), HasSubstr("bank also needs read"));
}

TEST(Fitting, EveryWorkloadFitsATargetThatUnderstandsItsOperations) {
  for (const auto& one : workloads()) EXPECT_EQ(problem(one.operations, one.name), "") << one.name;
}

TEST(Fitting, WeightsAreOptionsOfTheWorkload) {
  for (const auto& one : workloads()) {
    const Options options(one.options);
    for (const auto& [operation, option] : one.weights) {
      EXPECT_THAT(one.operations, ::testing::Contains(operation));
      ASSERT_TRUE(options.has(option)) << option;
      EXPECT_GT(options.real(option), 0) << "left out by default: " << option;
    }
  }
}

}  // namespace
}  // namespace ordeal
