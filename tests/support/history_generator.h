#pragma once
// Small histories of any model for tests, made from a seed: clients that run against a perfect object, some of whose
// operations crash, and in which results may be falsified. Long ones of registers: long_history.h.

#include <cstdint>
#include <random>
#include <string>

#include "checkers/interfaces/checker.h"

namespace ordeal::testing_support {

struct RandomHistory {
  std::string model = "cas-register";
  std::size_t operations = 10;
  int clients = 3;
  int values = 3;              // how many distinct values
  bool unique_values = false;  // every write, enqueue, … has a value of its own
  double crashed = 0.1;        // share of operations that end in info or not at all
  double falsify = 0.6;        // chance that a result is falsified or an operation forgotten, and then again
  int keys = 1;
};
// Small histories of any model, for comparison with the oracle.
History random_history(const RandomHistory& shape, std::mt19937_64& chance);

}  // namespace ordeal::testing_support
