#include "harness/runner/limits.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace ordeal {
namespace {

const MachineLimits kAmple{1'000'000, 1'000'000, "kernel.pid_max", 1'000'000};

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(LimitsTest, WhatIsThereIsEnough) {
  EXPECT_EQ(limits_problem({10'000, 4, 1, 200}, kAmple), "");
  EXPECT_EQ(limits_problem({10, 4, 0, 5}, {1024, 1000, "x", 30'000}), "");
}

// Workers met the limit one by one, their clients were lost, and the run was `valid`.
TEST(RegressLimitsTest, WhatIsMissingIsToldWithWhatToDo) {
  MachineLimits limits = kAmple;
  limits.descriptors = 1024;
  const std::string files = limits_problem({1000, 4, 0, 0}, limits);
  EXPECT_TRUE(says(files, "1000 workers need about 4200 open files, and this process may have 1024")) << files;
  EXPECT_TRUE(says(files, "ulimit -n 4200")) << files;
  EXPECT_EQ(limits_problem({1000, 4 * 0.01, 0.01, 0}, limits), "") << "a hundred to a program";

  limits = kAmple;
  limits.tasks = 1500;
  EXPECT_EQ(limits_problem({1000, 4, 0, 0}, limits), "");
  const std::string tasks = limits_problem({1000, 4, 1, 0}, limits);
  EXPECT_TRUE(says(tasks, "2100 threads and processes, and kernel.pid_max leaves 1500")) << tasks;
  EXPECT_TRUE(says(tasks, "PROTOCOL.md")) << tasks;

  limits = kAmple;
  limits.threads_of_a_process = 900;
  const std::string maps = limits_problem({1000, 4, 0, 0}, limits);
  EXPECT_TRUE(says(maps, "vm.max_map_count")) << maps;
}

TEST(LimitsTest, ThisMachineHasSome) {
  const MachineLimits limits = machine_limits();
  EXPECT_GT(limits.descriptors, 100U);
  EXPECT_GT(limits.tasks, 100U);
  EXPECT_GT(limits.threads_of_a_process, 100U);
  EXPECT_FALSE(limits_problem({1'000'000'000, 4, 1, 0}, limits).empty());
}

}  // namespace
}  // namespace ordeal
