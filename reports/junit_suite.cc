#include "reports/junit_suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "reports/text.h"

namespace ordeal {
namespace {

using Outcome = JunitCase::Outcome;

constexpr std::size_t kMessage = 300;

struct Counts {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;
  double seconds = 0;

  // Of testsuites the schema knows no attribute `skipped`.
  [[nodiscard]] std::string attributes(bool of_suite) const {
    return fmt::format(" tests=\"{}\" failures=\"{}\" errors=\"{}\"{} time=\"{:.3f}\"", tests, failures, errors,
                       of_suite ? fmt::format(" skipped=\"{}\"", skipped) : "", seconds);
  }
};

Counts counts_of(const JunitSuite& suite) {
  const auto with = [&](Outcome outcome) {
    return static_cast<std::size_t>(
        std::count_if(suite.cases.begin(), suite.cases.end(), [&](const auto& one) { return one.outcome == outcome; }));
  };
  return {suite.cases.size(), with(Outcome::failed), with(Outcome::error), with(Outcome::skipped), suite.seconds};
}

const char* element(Outcome outcome) {
  return outcome == Outcome::failed ? "failure" : outcome == Outcome::error ? "error" : "skipped";
}

std::string inside(const JunitCase& one) {
  if (one.outcome == Outcome::passed)
    return one.text.empty() ? "" : "      <system-out>" + xml_text(one.text) + "</system-out>\n";
  const std::string& message = one.message.empty() ? one.text : one.message;
  return fmt::format("      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n", element(one.outcome), xml_text(one.type),
                     xml_text(shortened(message, kMessage)), xml_text(one.text));
}

std::string case_xml(const JunitCase& one) {
  const std::string out = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", xml_text(one.group),
                                      xml_text(one.title), one.seconds);
  const std::string children = inside(one);
  return out + (children.empty() ? "/>\n" : ">\n" + children + "    </testcase>\n");
}

std::string suite_xml(const JunitSuite& suite, const Counts& counts) {
  // The schema wants a date-time without a zone.
  std::string started = suite.started_utc;
  if (!started.empty() && started.back() == 'Z') started.pop_back();
  std::string out = fmt::format("  <testsuite name=\"{}\"{}", xml_text(suite.name), counts.attributes(true));
  out += started.empty() ? ">\n" : " timestamp=\"" + xml_text(started) + "\">\n";
  out += "    <properties>\n";
  for (const auto& [name, value] : suite.properties)
    out += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", xml_text(name), xml_text(value));
  out += "    </properties>\n";
  for (const JunitCase& one : suite.cases) out += case_xml(one);
  return out + "  </testsuite>\n";
}

}  // namespace

std::string junit_document(const std::string& name, const std::vector<JunitSuite>& suites) {
  Counts all;
  std::string inside;
  for (const JunitSuite& suite : suites) {
    const Counts counts = counts_of(suite);
    inside += suite_xml(suite, counts);
    all.tests += counts.tests;
    all.failures += counts.failures;
    all.errors += counts.errors;
    all.seconds += counts.seconds;
  }
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\"{}>\n{}</testsuites>\n",
                     xml_text(name), all.attributes(false), inside);
}

}  // namespace ordeal
