#pragma once
// Which models there are, at which consistency levels each can be judged, and by which checker; and the names of all
// anomalies. Put together from the rows of models.cc, levels.cc, weak.cc and the workloads' checkers, and from what
// each checker says of its anomalies. Thread-safety: immutable.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "checkers/interfaces/anomaly_entry.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

struct ModelEntry {
  std::string name;
  std::string help;                      // one line for people
  std::vector<std::string> consistency;  // the levels it can be judged at, the default first
};

[[nodiscard]] const std::vector<ModelEntry>& model_catalogue();

// The checker that judges `model` at `consistency` ("": the model's default).
// Errors: usage, listing the known models, or the levels of that model.
[[nodiscard]] Result<std::shared_ptr<const Checker>> checker_for(std::string_view model, std::string_view consistency);

// What a `valid` of that model at that level says, in words without a full stop. Requires: the model has the level.
[[nodiscard]] std::string meaning_of(std::string_view model, std::string_view level);

// Whether the checker of options.model at options.consistency can do all that the options ask for with this history.
// `independent`: keys were asked for (--independent). Errors: usage, saying which option is not for which model; an
// option is never ignored.
[[nodiscard]] Result<void> honours(const History& history, const CheckOptions& options, bool independent);

[[nodiscard]] std::span<const AnomalyEntry> anomaly_catalogue();

}  // namespace ordeal
