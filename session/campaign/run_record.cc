#include "session/campaign/run_record.h"

#include <algorithm>

#include "checkers/model_catalogue.h"

namespace ordeal {
namespace {

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

double number_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && (found->is_integer() || found->is_real()) ? found->real() : 0;
}

std::int64_t integer_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() ? found->integer() : 0;
}

bool flag_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_boolean() && found->boolean();
}

const Value::List& items_of(const Value& map, const char* key) {
  static const Value::List kNone;
  const Value* found = map.find(key);
  return found != nullptr && found->is_list() ? found->items() : kNone;
}

// What is not known is unknown.
Verdict verdict_of(const Value& map) {
  const std::string text = text_of(map, "verdict");
  return text == "valid" ? Verdict::valid : text == "invalid" ? Verdict::invalid : Verdict::unknown;
}

// What an explanation begins with, as the catalogue of anomalies writes it: "Stale read: process 6 …" is a stale-read.
std::string name_in_words(std::string_view explanation) {
  std::string out(explanation.substr(0, std::min(explanation.size(), explanation.find(": "))));
  for (char& c : out) c = c == ' ' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto& known = anomaly_catalogue();
  const bool is_name = std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == out; });
  return is_name ? out : "";
}

CheckRecord check_of(const Value& document) {
  CheckRecord out;
  out.title = text_of(document, "checker");
  for (const char* more : {"model", "consistency"}) {
    if (const std::string text = text_of(document, more); !text.empty()) out.title += " " + text;
  }
  out.verdict = verdict_of(document);
  out.told = text_of(document, "reason");
  out.seconds = number_of(document, "seconds");
  const auto& anomalies = items_of(document, "anomalies");
  if (out.verdict == Verdict::invalid && !anomalies.empty()) {
    out.type = text_of(anomalies.front(), "type");
    out.told = text_of(anomalies.front(), "explanation");
  }
  return out;
}

}  // namespace

RunRecord RunRecord::from_results(const Value& results) {
  RunRecord out;
  out.verdict = verdict_of(results);
  out.reason = text_of(results, "reason");
  out.error = text_of(results, "error");
  out.started = text_of(results, "started");
  out.directory = text_of(results, "directory");
  for (const Value& check : items_of(results, "checks")) {
    out.checks.push_back(check_of(check));
    if (out.checks.back().verdict != Verdict::invalid) continue;
    if (out.told.empty()) out.told = out.checks.back().told;
    for (const Value& anomaly : items_of(check, "anomalies")) {
      const std::string type = text_of(anomaly, "type"), words = name_in_words(text_of(anomaly, "explanation"));
      out.anomalies.push_back(type);
      out.named.push_back(words.empty() || words == type ? type : type + "/" + words);
    }
  }
  for (auto* names : {&out.anomalies, &out.named}) {
    std::sort(names->begin(), names->end());
    names->erase(std::unique(names->begin(), names->end()), names->end());
  }
  if (const Value* kinds = results.find("fault_kinds"); kinds != nullptr && kinds->is_map()) {
    for (const auto& [fault, counts] : kinds->entries()) {
      out.injected += integer_of(counts, "injected");
      out.confirmed += integer_of(counts, "confirmed");
    }
  }
  return out;
}

Value RunRecord::to_value() const {
  Value out = Value::map();
  out.set("run", static_cast<std::int64_t>(run));
  out.set("verdict", name(verdict));
  if (!reason.empty()) out.set("reason", reason);
  if (!error.empty()) out.set("error", error);
  if (refused) out.set("refused", true);
  if (interrupted) out.set("interrupted", true);
  Value types = Value::list();
  for (const auto& type : anomalies) types.items().emplace_back(type);
  out.set("anomalies", std::move(types));
  Value names = Value::list();
  for (const auto& one : named) names.items().emplace_back(one);
  out.set("named", std::move(names));
  if (!told.empty()) out.set("told", told);
  out.set("injected", injected);
  out.set("confirmed", confirmed);
  Value all = Value::list();
  for (const CheckRecord& check : checks) {
    Value one = Value::map();
    one.set("title", check.title);
    one.set("verdict", name(check.verdict));
    if (!check.type.empty()) one.set("type", check.type);
    if (!check.told.empty()) one.set("told", check.told);
    one.set("seconds", check.seconds);
    all.items().push_back(std::move(one));
  }
  out.set("checks", std::move(all));
  out.set("attempts", attempts);
  out.set("started", started);
  out.set("directory", directory);
  out.set("seconds", seconds);
  return out;
}

Result<RunRecord> RunRecord::from_value(const Value& value) {
  const Value* number = value.find("run");
  if (number == nullptr || !number->is_integer() || number->integer() < 0) {
    return fail(ErrorCode::input, "the record of a run lacks its number");
  }
  RunRecord out;
  out.run = static_cast<std::size_t>(number->integer());
  out.verdict = verdict_of(value);
  out.reason = text_of(value, "reason");
  out.error = text_of(value, "error");
  out.refused = flag_of(value, "refused");
  out.interrupted = flag_of(value, "interrupted");
  for (const Value& type : items_of(value, "anomalies")) {
    if (type.is_string()) out.anomalies.push_back(type.string());
  }
  for (const Value& one : items_of(value, "named")) {
    if (one.is_string()) out.named.push_back(one.string());
  }
  out.told = text_of(value, "told");
  out.injected = integer_of(value, "injected");
  out.confirmed = integer_of(value, "confirmed");
  for (const Value& check : items_of(value, "checks")) {
    out.checks.push_back({text_of(check, "title"), verdict_of(check), text_of(check, "type"), text_of(check, "told"),
                          number_of(check, "seconds")});
  }
  out.attempts = static_cast<int>(std::clamp<std::int64_t>(integer_of(value, "attempts"), 1, 1000));
  out.started = text_of(value, "started");
  out.directory = text_of(value, "directory");
  out.seconds = number_of(value, "seconds");
  return out;
}

std::string_view name(Standing standing) {
  switch (standing) {
    case Standing::valid:
      return "valid";
    case Standing::expected:
      return "expected";
    case Standing::invalid:
      return "invalid";
    case Standing::failed:
      return "failed";
    case Standing::refused:
      return "refused";
    case Standing::unknown:
      return "unknown";
    case Standing::vanished:
      return "vanished";
    case Standing::not_started:
      return "not started";
    case Standing::not_needed:
      return "not needed";
  }
  return "unknown";
}

bool is_green(Standing standing) {
  return standing == Standing::valid || standing == Standing::expected || standing == Standing::not_needed;
}

Standing standing_of(const RunRecord& record, const Expectation& expect) {
  if (record.verdict == Verdict::invalid && !expect.allows(record.named)) return Standing::invalid;
  if (record.refused) return Standing::refused;
  if (!record.error.empty()) return Standing::failed;
  if (record.verdict == Verdict::invalid) return Standing::expected;
  if (record.verdict == Verdict::unknown) return Standing::unknown;
  return expect.invalid ? Standing::vanished : Standing::valid;
}

}  // namespace ordeal
