#pragma once
// How many random histories a test compared with brute force, for tests/brute_force.py: a property of the test in what
// --gtest_output writes. Thread-safety: one thread.

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

namespace ordeal::testing_support {

inline void count_histories(std::size_t more) {
  static std::string test;
  static std::size_t count = 0;
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const std::string here = std::string(info->test_suite_name()) + "." + info->name();
  if (here != test) count = 0;
  test = here;
  count += more;
  testing::Test::RecordProperty("histories", std::to_string(count));
}

}  // namespace ordeal::testing_support
