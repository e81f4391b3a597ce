#pragma once
// Histories for tests and benchmarks, made from a seed: clients that run against a perfect object, some of whose
// operations crash, and in which one result may be falsified.

#include <cstdint>
#include <random>
#include <string>

#include "checkers/checker.h"

namespace ordeal::testing_support {

struct RandomHistory {
  std::string model = "cas-register";
  std::size_t operations = 10;
  int clients = 3;
  int values = 3;            // how many distinct values
  bool unique_values = false;  // every write, enqueue, … has a value of its own
  double crashed = 0.1;      // share of operations that end in info or not at all
  double falsify = 0.6;      // chance that a result is falsified or an operation forgotten, and then again
  int keys = 1;
};
// Small histories of any model, for comparison with the oracle.
History random_history(const RandomHistory& shape, std::mt19937_64& chance);

struct LongHistory {
  std::size_t operations = 10'000;
  std::size_t keys = 1;
  int clients = 10;
  int values = 5;            // 0: every written value is unique
  bool cas = true;
  double crashed = 0;
  // A stale read: the last ok read (of the first key) returns a value that was overwritten before it began.
  bool invalid = false;
  // When to place it, as a share of the history.
  double where = 0.95;
  std::uint64_t seed = 1;
};
// Long histories of registers, made in linear time.
History long_history(const LongHistory& shape);

}  // namespace ordeal::testing_support
