#include "checkers/prefix.h"

#include <gtest/gtest.h>

#include "checkers/catalogue.h"
#include "checkers/model_catalogue.h"

namespace ordeal {
namespace {

PrefixUse use_of(const std::string& model, const std::string& level) {
  const auto checker = checker_for(model, level);
  EXPECT_TRUE(checker) << model << " " << level;
  CheckOptions options;
  options.model = model;
  options.consistency = level;
  return checker ? prefix_use(**checker, options) : PrefixUse::none;
}

TEST(PrefixUse, OnlyRealTimeLevelsAreFinalInABeginning) {
  for (const ModelEntry& model : model_catalogue()) {
    for (const auto& level : model.consistency) {
      const std::string name(level);
      if (name.ends_with("-T") || name.ends_with("-N")) continue;
      const PrefixUse use = use_of(std::string(model.name), name);
      if (use == PrefixUse::none) continue;
      EXPECT_TRUE(name == "linearizable" || name == "strict-serializable" || model.name == "unique-ids")
          << model.name << " " << name;
    }
  }
}

TEST(PrefixUse, IsWhatTheEssaySays) {
  EXPECT_EQ(use_of("cas-register", "linearizable"), PrefixUse::windows);
  EXPECT_EQ(use_of("register", "linearizable"), PrefixUse::windows);
  EXPECT_EQ(use_of("set", "linearizable"), PrefixUse::whole);
  EXPECT_EQ(use_of("list-append", "strict-serializable"), PrefixUse::whole);
  EXPECT_EQ(use_of("list-append", "serializable"), PrefixUse::none);
  EXPECT_EQ(use_of("register", "sequential"), PrefixUse::none);
  for (const char* name : {"set", "set-full", "total-queue", "stats", "recovery", "bank"}) {
    const auto checker = find_checker(name);
    ASSERT_TRUE(checker) << name;
    EXPECT_EQ(prefix_use(**checker, {}), PrefixUse::none) << name;
  }
}

}  // namespace
}  // namespace ordeal
