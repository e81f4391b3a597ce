#pragma once
// The catalogue of checkers: one line for each in catalogue.cc. Thread-safety: immutable.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "checkers/interfaces/checker.h"

namespace ordeal {

struct CheckerEntry {
  std::string name;
  std::string help;  // one line for people
  std::function<std::shared_ptr<const Checker>()> make;
};

[[nodiscard]] std::span<const CheckerEntry> checkers();
// Errors: usage, listing the known names.
[[nodiscard]] Result<std::shared_ptr<const Checker>> find_checker(std::string_view name);

}  // namespace ordeal
