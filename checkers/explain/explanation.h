#pragma once
// Explanation: what an anomaly's name means, with an example history that the checkers refuse for just that reason,
// which levels forbid it, and where it comes from. Thread-safety: immutable tables and pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "checkers/interfaces/checker.h"

namespace ordeal {

// A history, and who judges it.
struct AnomalyExample {
  enum class Kind {
    model,     // a model at a level
    run,       // a checker of the run itself (checkers/run), whose settings are CheckOptions::extra
    log,       // lines of a target's log
    recorded,  // a journal, which the judgement of a run reads (session/conclusion.h)
  };
  Kind kind = Kind::model;
  std::string model;  // or the checker
  std::string consistency;
  std::vector<std::string> settings;  // KEY=VALUE
  std::string text;                   // in the language of example_text.h; of Kind::log the lines themselves
};

struct Explanation {
  std::string name;
  std::vector<std::string> meanings;  // several, where checkers use one name
  std::vector<AnomalyExample> examples;
  std::vector<std::string> sources;
};

// Errors: usage, with the nearest name.
[[nodiscard]] Result<Explanation> explanation_of(std::string_view anomaly);

// What the checkers say of it. Errors: input, for an example that is wrong; usage, for one of Kind::recorded.
[[nodiscard]] Result<CheckResult> judged(const AnomalyExample& example);

// Which levels forbid what the example shows. Of transactions by definition (the weakest, which all stronger ones
// include); of other models by judging the example at each of its levels.
struct ForbiddenBy {
  std::vector<std::string> forbidding;
  std::vector<std::string> allowing;  // of transactions: those above which the weakest lie are not listed
  bool and_stronger = false;
};
[[nodiscard]] ForbiddenBy forbidden_by(std::string_view anomaly, const AnomalyExample& example);

}  // namespace ordeal
