#pragma once
// The parts of report.html, in the order of the page. Each returns a <section>, or nothing when it has no data.
// Private to reports/. Thread-safety: pure functions.

#include <cstddef>
#include <string>
#include <vector>

#include "reports/facts.h"
#include "reports/graph.h"

namespace ordeal {

// So many anomalies are explained in full and drawn; the others are listed.
inline constexpr std::size_t kAnomaliesInFull = 12;

// The anomalies' drawings, in the order of results and anomalies.
using Drawings = std::vector<GraphDrawing>;

[[nodiscard]] std::string verdict_section(const ReportInput& input, const Facts& facts);
[[nodiscard]] std::string explanation_section(const ReportInput& input, const Facts& facts, const Drawings& drawings);
[[nodiscard]] std::string checks_section(const ReportInput& input);
[[nodiscard]] std::string timeline_section(const Facts& facts);
[[nodiscard]] std::string plots_section(const Facts& facts);
[[nodiscard]] std::string faults_section(const Facts& facts);
[[nodiscard]] std::string operations_section(const Facts& facts);
[[nodiscard]] std::string logs_section(const ReportInput& input);
[[nodiscard]] std::string reproduce_section(const ReportInput& input);
[[nodiscard]] std::string limits_section(const ReportInput& input, const Facts& facts);

// "✓" and the like with the outcome's name, told apart by shape as well as by colour.
[[nodiscard]] std::string outcome_mark(EventType outcome);
// A tree of values as nested definition lists.
[[nodiscard]] std::string value_html(const Value& value);

}  // namespace ordeal
