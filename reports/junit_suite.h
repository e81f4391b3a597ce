#pragma once
// JUnit XML: suites of test cases as values, and the one document that is made of them, for runs (report.h) and for
// campaigns (session/campaign/gate.h).
//
// CI systems disagree on much of the format. All understand testsuites/testsuite/testcase with failure, error and
// skipped children, and this writes nothing else but properties and system-out: what the schema of Jenkins' xunit
// plugin (junit-10.xsd) allows, which names the attributes of each element; tests/integration/junit.rng says the same.
// All texts are escaped here. Thread-safety: value types and a pure function.

#include <string>
#include <utility>
#include <vector>

namespace ordeal {

struct JunitCase {
  enum class Outcome { passed, failed, error, skipped };

  std::string group;  // what JUnit calls the class
  std::string title;
  double seconds = 0;
  Outcome outcome = Outcome::passed;
  std::string type;     // of what is not passed: "stale-read", "unknown"
  std::string message;  // of what is not passed, shortened to a line; empty: as `text`
  std::string text;     // of what is passed: a remark
};

struct JunitSuite {
  std::string name;
  std::string started_utc;  // "2026-11-21T07:00:48Z"; empty: nobody knows
  double seconds = 0;
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<JunitCase> cases;
};

// Counts what the suites hold.
[[nodiscard]] std::string junit_document(const std::string& name, const std::vector<JunitSuite>& suites);

}  // namespace ordeal
