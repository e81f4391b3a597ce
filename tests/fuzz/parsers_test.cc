// Seeded mutations of valid samples of everything else that is read from files, command lines and the network: no
// crash, no hang, and what is refused is refused as bad input, with a message. ORDEAL_SEED: others (mutator.h).

#include <gtest/gtest.h>

#include <string>

#include "tests/fuzz/inputs.h"
#include "tests/fuzz/mutator.h"

namespace ordeal::testing {
namespace {

class Parsers : public ::testing::TestWithParam<FuzzedInput> {
 protected:
  // Whether the text was accepted.
  static bool judged(const std::string& text) {
    const Refusal refused = GetParam().parse(text);
    if (!refused) return true;
    EXPECT_EQ(complaint(refused), "") << "for: " << text;
    return false;
  }
};

TEST_P(Parsers, SurviveMutations) {
  const FuzzedInput& parser = GetParam();
  const Refusal refused = parser.parse(parser.sample);
  ASSERT_FALSE(refused) << "the sample itself must be readable: " << refused->message;
  Mutator mutator;
  int accepted = 0;
  static constexpr int kMutations = 3000;
  for (int i = 0; i < kMutations && !HasFailure(); ++i) accepted += judged(mutator.mutated(parser.sample)) ? 1 : 0;
  EXPECT_GT(accepted, 10);
  if (parser.total) {
    EXPECT_EQ(accepted, kMutations);
  } else {
    EXPECT_LT(accepted, kMutations);
  }
}

TEST_P(Parsers, SurviveDepthAndLength) {
  for (const char* unit : {"[", "{\"a\":", "(", "\"", "a.", "'", "\\", ",", "\n", "[[", "x=[", "Host a\n"}) {
    std::string deep;
    while (deep.size() < 200'000) deep += unit;
    (void)judged(deep);
    (void)judged(GetParam().sample + deep);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Parsers, ::testing::ValuesIn(fuzzed_inputs()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ordeal::testing
