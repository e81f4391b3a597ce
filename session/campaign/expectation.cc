#include "session/campaign/expectation.h"

#include <algorithm>

#include "base/names.h"
#include "base/text.h"
#include "checkers/model_catalogue.h"

namespace ordeal {

std::string Expectation::text() const {
  if (!invalid) return "valid";
  return anomalies.empty() ? "invalid" : "invalid: " + join(anomalies, ", ");
}

bool Expectation::allows(const std::vector<std::string>& found) const {
  if (!invalid) return false;
  const auto listed = [&](std::string_view name) {
    return std::find(anomalies.begin(), anomalies.end(), name) != anomalies.end();
  };
  return anomalies.empty() || (!found.empty() && std::all_of(found.begin(), found.end(), [&](const std::string& one) {
           const std::size_t slash = one.find('/');
           return listed(one.substr(0, slash)) || (slash != std::string::npos && listed(one.substr(slash + 1)));
         }));
}

Result<Expectation> parse_expectation(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string verdict(trimmed(text.substr(0, colon)));
  Expectation out;
  if (verdict != "valid" && verdict != "invalid") {
    Error error = unknown_name("expectation", verdict, {"valid", "invalid"});
    return fail(ErrorCode::usage, error.message + R"( Say "invalid: TYPE" for an anomaly that is known.)");
  }
  out.invalid = verdict == "invalid";
  if (colon == std::string_view::npos) return out;
  if (!out.invalid) return fail(ErrorCode::usage, "nothing may follow \"valid\" in an expectation");
  out.anomalies = split(text.substr(colon + 1), ',');
  if (out.anomalies.empty()) return fail(ErrorCode::usage, "no type of anomaly follows \"invalid:\"");
  std::vector<std::string> known;
  for (const auto& one : anomaly_catalogue()) known.push_back(one.name);
  for (const auto& type : out.anomalies) {
    if (std::find(known.begin(), known.end(), type) != known.end()) continue;
    const std::string near = nearest(type, known);
    return fail(ErrorCode::usage, "unknown anomaly \"" + type + "\"" +
                                      (near.empty() ? "" : "; did you mean \"" + near + "\"?") +
                                      "; `ordeal list anomalies` names them all");
  }
  return out;
}

}  // namespace ordeal
