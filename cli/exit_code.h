#pragma once
// The exit codes of every subcommand (doc/formats.md). Scripts depend on them.

#include <span>

#include "base/error.h"
#include "checkers/interfaces/checker.h"

namespace ordeal::cli {

enum ExitCode : int {
  kValid = 0,      // valid, or done
  kInvalid = 1,    // an anomaly was found
  kUnknown = 2,    // inconclusive
  kRunFailed = 3,  // the run itself failed: nodes, target, network
  kUsage = 64,     // wrong usage or unreadable input
};

[[nodiscard]] ExitCode exit_code(Verdict verdict);
[[nodiscard]] ExitCode exit_code(const Error& error);
// Over several results the worst wins: 1 before 64, 3, 2, 0.
[[nodiscard]] ExitCode worst(std::span<const ExitCode> codes);

}  // namespace ordeal::cli
