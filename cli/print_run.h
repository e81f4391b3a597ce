#pragma once
// What a judged run looks like on a terminal, and as an exit code. Thread-safety: as console.h.

#include "cli/exit_code.h"
#include "session/judge.h"

namespace ordeal::cli {

// What the details of the level `strongest` say: which level holds, which are ruled out and why, which are undecided; a
// line each, behind `indent`. Empty: nothing.
[[nodiscard]] std::string told_levels(const Value& details, const std::string& indent);

// The verdict, the reason, the first anomalies, the counts, the faults and the report's path, on standard output.
void print_judged(const JudgedRun& run);

// That of the verdict, or that the run itself failed; an anomaly stands also then.
[[nodiscard]] ExitCode exit_code(const JudgedRun& run);

}  // namespace ordeal::cli
