// Every option of the nemesis reaches the driver.
#include "nemesis/engine/driver_options.h"

#include <gtest/gtest.h>

#include <set>

namespace ordeal {
namespace {

Plan plan_with(const std::string& key, const std::string& text) {
  Plan plan;
  plan.options.declare(nemesis_options());
  const auto set = key.empty() ? Result<void>() : plan.options.set(key, text, "test");
  EXPECT_TRUE(set) << key;
  return plan;
}

DriverOptions read(const std::string& key, const std::string& text) {
  return driver_options(plan_with(key, text), "ledger");
}

TEST(DriverOptions, TheDefaultsOfTheTableAreThoseOfTheStruct) {
  const DriverOptions none = driver_options(Plan(), "ledger");
  const DriverOptions defaults = read("", "");
  EXPECT_EQ(defaults.schedule, none.schedule);
  EXPECT_EQ(defaults.timeline, none.timeline);
  EXPECT_EQ(defaults.trigger, none.trigger);
  EXPECT_EQ(defaults.swarm, none.swarm);
  EXPECT_EQ(defaults.quiet_s, none.quiet_s);
  EXPECT_EQ(defaults.quiet_every_s, none.quiet_every_s);
  EXPECT_EQ(defaults.quiet_end_s, none.quiet_end_s);
  EXPECT_EQ(defaults.skip_inapplicable, none.skip_inapplicable);
  EXPECT_EQ(defaults.keep_quorum, none.keep_quorum);
  EXPECT_EQ(defaults.dead_man_s, none.dead_man_s);
  EXPECT_EQ(defaults.heal_timeout_s, none.heal_timeout_s);
}

TEST(DriverOptions, EachOptionIsRead) {
  EXPECT_EQ(read("nemesis.schedule", "periodic").schedule, "periodic");
  EXPECT_EQ(read("nemesis.timeline", "[]").timeline, "[]");
  EXPECT_EQ(read("nemesis.trigger", "leader-change").trigger, "leader-change");
  EXPECT_TRUE(read("nemesis.swarm", "true").swarm);
  EXPECT_EQ(read("nemesis.quiet", "2s").quiet_s, 2);
  EXPECT_EQ(read("nemesis.quiet-every", "9s").quiet_every_s, 9);
  EXPECT_EQ(read("nemesis.quiet-end", "1500ms").quiet_end_s, 1.5);
  EXPECT_TRUE(read("nemesis.inapplicable", "skip").skip_inapplicable);
  EXPECT_FALSE(read("nemesis.quorum", "any").keep_quorum);
  EXPECT_EQ(read("nemesis.dead-man", "7").dead_man_s, 7);
  const DriverOptions patient = read("nemesis.patience", "2");
  const DriverOptions usual;
  EXPECT_EQ(patient.step_timeout_s, 2 * usual.step_timeout_s);
  EXPECT_EQ(patient.confirm_timeout_s, 2 * usual.confirm_timeout_s);
  EXPECT_EQ(patient.heal_timeout_s, 2 * usual.heal_timeout_s);
  std::set<std::string> known;
  for (const OptionSpec& spec : nemesis_options()) known.insert(spec.key);
  // nemesis.minority-bound is the judgement's (checkers/run/minority.h).
  EXPECT_EQ(known.size(), 13U) << "a new option is to be read, and looked at here";
}

TEST(DriverOptions, ThePlanItselfSaysTheRest) {
  Plan plan = plan_with("", "");
  plan.seed = 7;
  plan.nemesis_interval_s = 3;
  plan.nemesis_duration_s = 4;
  plan.time_limit_s = 60;
  plan.nodes = "local:5";
  const DriverOptions options = driver_options(plan, "somewhere/ledger.jsonl");
  EXPECT_EQ(options.seed, 7U);
  EXPECT_EQ(options.interval_s, 3);
  EXPECT_EQ(options.duration_s, 4);
  EXPECT_EQ(options.time_limit_s, 60);
  EXPECT_EQ(options.node_spec, "local:5");
  EXPECT_EQ(options.ledger_path, "somewhere/ledger.jsonl");
}

}  // namespace
}  // namespace ordeal
