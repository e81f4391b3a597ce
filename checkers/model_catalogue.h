#pragma once
// Which models there are, at which consistency levels each can be judged, and by which checker; and the names of all
// anomalies. One line for each in model_catalogue.cc. Thread-safety: immutable.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
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

struct AnomalyEntry {
  std::string name;
  std::string help;
};
[[nodiscard]] std::span<const AnomalyEntry> anomaly_catalogue();

}  // namespace ordeal
