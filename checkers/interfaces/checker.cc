#include "checkers/interfaces/checker.h"

namespace ordeal {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::valid:
      return "valid";
    case Verdict::invalid:
      return "invalid";
    case Verdict::unknown:
      return "unknown";
  }
  return "unknown";
}

Verdict merged(Verdict a, Verdict b) {
  if (a == Verdict::invalid || b == Verdict::invalid) return Verdict::invalid;
  if (a == Verdict::unknown || b == Verdict::unknown) return Verdict::unknown;
  return Verdict::valid;
}

Value to_value(const CheckResult& result, const History& history) {
  Value out = Value::map();
  out.set("verdict", name(result.verdict));
  if (!result.checker.empty()) out.set("checker", result.checker);
  out.set("model", result.model);
  out.set("consistency", result.consistency);
  out.set("algorithm", result.algorithm);
  out.set("operations", static_cast<std::int64_t>(result.operations));
  out.set("keys", static_cast<std::int64_t>(result.keys));
  out.set("seconds", result.seconds);
  Value anomalies = Value::list();
  for (const Anomaly& anomaly : result.anomalies) {
    Value a = Value::map();
    a.set("type", anomaly.type);
    a.set("key", anomaly.key.value_or(Value()));
    Value operations = Value::list();
    for (const EventIndex e : anomaly.operations) operations.items().emplace_back(history.index(e));
    a.set("operations", std::move(operations));
    a.set("explanation", anomaly.explanation);
    if (!anomaly.meaning.empty()) a.set("meaning", anomaly.meaning);
    if (!anomaly.sentences.empty()) {
      Value sentences = Value::list();
      for (const auto& sentence : anomaly.sentences) sentences.items().emplace_back(sentence);
      a.set("sentences", std::move(sentences));
    }
    anomalies.items().push_back(std::move(a));
  }
  out.set("anomalies", std::move(anomalies));
  if (count_of_anomalies(result) > result.anomalies.size())
    out.set("anomalies_found", static_cast<std::int64_t>(count_of_anomalies(result)));
  if (!result.reason.empty()) out.set("reason", result.reason);
  if (!result.details.entries().empty()) out.set("details", result.details);
  if (!result.certificate.empty()) {
    Value certificate = Value::list();
    for (const auto& [key, order] : result.certificate) {
      Value one = Value::map();
      one.set("key", key);
      Value operations = Value::list();
      for (const EventIndex e : order) operations.items().emplace_back(history.index(e));
      one.set("operations", std::move(operations));
      certificate.items().push_back(std::move(one));
    }
    out.set("certificate", std::move(certificate));
  }
  return out;
}

}  // namespace ordeal
