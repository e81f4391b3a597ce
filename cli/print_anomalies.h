#pragma once
// Anomalies on a terminal: how many there are, and the simplest of them, in words first. `run` and `check` print the
// same. Thread-safety: pure but for the look at the terminal.

#include <span>
#include <string>

#include "checkers/interfaces/checker.h"

namespace ordeal::cli {

// "" when nothing was found. `fd`: where it is to be printed, for the colours.
[[nodiscard]] std::string told_anomalies(std::span<const CheckResult> checks, int fd);

// A sentence of a checker, its long values cut; results.json and `--json` have them whole.
[[nodiscard]] std::string on_a_screen(std::string_view sentence);

}  // namespace ordeal::cli
