#pragma once
// The consistency models of transactions as a lattice: which level implies which, and which anomaly contradicts which.
//
// After Adya (1999), Bailis and others (2013), Cerone, Bernardi and Gotsman (2015), Biswas and Enea (2019) and the
// lattice of Elle. Thread-safety: immutable.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ordeal::txn {

struct Level {
  std::string name;
  std::vector<std::string> aliases;
  std::vector<std::string> implies;  // the next weaker levels
  std::vector<std::string> forbids;  // anomalies beyond those of weaker levels
};

[[nodiscard]] std::span<const Level> levels();  // every level after all those it implies
// By name or alias, nullptr when unknown.
[[nodiscard]] const Level* find_level(std::string_view name);
// True when `strong` is `weak` or implies it.
[[nodiscard]] bool implies(const Level& strong, const Level& weak);
// True when the anomaly contradicts the level or a weaker one.
[[nodiscard]] bool forbids(const Level& level, std::string_view anomaly);

struct AnomalyName {
  std::string name;
  std::string help;
};
[[nodiscard]] std::span<const AnomalyName> anomaly_names();

}  // namespace ordeal::txn
