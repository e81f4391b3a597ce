#pragma once
// Anomalies to order: small histories of which each shows a named anomaly, with random sizes and shapes; and how to
// hide one among the transactions of a correct store.

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/txn_oracle.h"

namespace ordeal::testing_support {

// Names of the anomalies that can be made; "-process" and "-realtime" forms are names of their own.
[[nodiscard]] const std::vector<std::string>& makeable_anomalies();
// nullopt where the data type cannot show it.
[[nodiscard]] std::optional<OracleHistory> make_anomaly(const std::string& name, bool lists, std::mt19937_64& chance);

// Both histories as one. The events of each keep their order and fall among the other's at random; keys, values and
// processes of `small` are its own. What it holds begins at `first` in the result.
struct Injected {
  OracleHistory history;
  std::size_t first = 0;
};
[[nodiscard]] Injected inject(const OracleHistory& large, const OracleHistory& small, std::mt19937_64& chance);

// Falsifies one read of a history so that it shows the anomaly; nullopt where no read is fit for it. Of lists:
// duplicate-elements, garbage-read, G1a, dirty-update, G1b, internal, incompatible-order, future-read; of registers
// those that have no order.
[[nodiscard]] std::optional<OracleHistory> falsified(const OracleHistory& history, const std::string& anomaly,
                                                     bool lists, std::mt19937_64& chance);

}  // namespace ordeal::testing_support
