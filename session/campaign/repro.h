#pragma once
// Repro: a stored run played again and again, to learn how often it shows what it showed: the same plan and the same
// seed, and so the same schedule of operations and faults. Only what the clients meet differs. Thread-safety: functions
// without state.

#include <string>
#include <vector>

#include "session/campaign/conduct.h"
#include "session/campaign/rate.h"

namespace ordeal {

struct Repro {
  Campaign campaign;                   // "repeat 1", "repeat 2", …
  std::vector<std::string> anomalies;  // types that the stored run showed
};

// `path`: a run's directory. Its repetitions are kept in `store`, or where it is when that is empty. Errors: not_found,
// input.
[[nodiscard]] Result<Repro> repro_of(const std::string& path, std::size_t times, const std::string& store);

// Of the repetitions that have a verdict: those that are invalid, and those that showed one of the same anomalies.
struct ReproRates {
  Rate invalid;
  Rate same;
  std::size_t undecided = 0;  // the others: unknown, failed, not started
};
[[nodiscard]] ReproRates rates_of(const std::vector<std::string>& anomalies, const CampaignOutcome& outcome);

}  // namespace ordeal
