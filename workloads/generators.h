#pragma once
// Generators that several workloads use. Thread-safety: pure.

#include <string>

#include "base/options.h"
#include "harness/generator/combinators.h"

namespace ordeal {

// A read of everything, or another operation without argument.
[[nodiscard]] inline Operation plain(std::string f) { return {std::move(f), std::nullopt, {}}; }

// `f` with 0, 1, 2, … over all workers, so that no value comes twice.
[[nodiscard]] GeneratorPtr counting(std::string f);

// Operations of `child`, and with probability `part` (0 … 1) of `other` instead.
[[nodiscard]] GeneratorPtr mixed(const Rng& rng, GeneratorPtr child, double part, GeneratorPtr other);

// For the final phase: each worker, and so each node that has one, tries the operation five times a second until it
// ended in ok once, for at most `patience_s` seconds.
[[nodiscard]] GeneratorPtr each_worker_until_ok(Operation operation, double patience_s);

// `child` after the time that the option "<workload>.settle" says: for what is still under way, or of unknown outcome.
[[nodiscard]] GeneratorPtr settled(const Options& options, const std::string& workload, GeneratorPtr child);
[[nodiscard]] OptionSpec settle_option(const std::string& workload, std::string help);

// For the final phase, after that time: each worker reads until it has, at most for the time of the option
// "<workload>.final-read-time".
[[nodiscard]] GeneratorPtr settled_reads(const Options& options, const std::string& workload);
// `what` is read: "the balances".
[[nodiscard]] OptionSpec final_read_option(const std::string& workload, const std::string& what = "");

}  // namespace ordeal
