#include "checkers/workload/judgement.h"

#include <algorithm>
#include <charconv>

#include "base/names.h"

namespace ordeal::work {
namespace {

// Anomalies of one type that are told one by one.
constexpr std::int64_t kMaxTold = 10;

}  // namespace

Judgement::Judgement(const WorkloadChecker& entry, const History& history, const CheckOptions& options,
                     CheckResult& result)
    : entry_(entry),
      h_(history),
      options_(options),
      result_(result),
      limits_(options.timeout, options.memory_bytes, options.stop) {
  limits_.need(history.size() / 2 * sizeof(OperationEvents));
  operations_ = history.operations();
}

std::optional<std::int64_t> Judgement::integer(ValueId id) const {
  if (!is(id, Value::Kind::integer)) return std::nullopt;
  return values().as_integer(id);
}

std::optional<std::int64_t> Judgement::integer(ValueId map, std::string_view member) const {
  if (!is_map(map)) return std::nullopt;
  return integer(values().member(map, member));
}

ValueId Judgement::one_name(ValueId id) const {
  std::string text = shown(id);
  if (is(id, Value::Kind::string)) text = text.substr(1, text.size() - 2);
  return names_.try_emplace(std::move(text), id).first->second;
}

std::optional<std::int64_t> Judgement::integer_name(ValueId id) const {
  if (!is(id, Value::Kind::string)) return integer(id);
  const std::string text = shown(id);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size() - 1, number);
  if (error != std::errc() || end != text.data() + text.size() - 1) return std::nullopt;
  return number;
}

std::span<const ValueId> Judgement::items(ValueId id) const {
  const auto out = is_list(id) ? values().as_list(id) : std::span<const ValueId>();
  work(1 + out.size());
  return out;
}

std::pair<ValueId, ValueId> Judgement::keyed(OperationEvents op) const {
  if (key(op) != kAbsent) return {key(op), asked(op)};
  const auto pair = items(asked(op));
  return pair.size() == 2 ? std::pair(pair[0], pair[1]) : std::pair(kAbsent, asked(op));
}

const Value& Judgement::setting(std::string_view name) const {
  if (options_.settings.has(name)) return options_.settings.value(name);
  const auto declared = std::find_if(entry_.options.begin(), entry_.options.end(),
                                     [&](const OptionSpec& spec) { return spec.key == name; });
  ORDEAL_CHECK(declared != entry_.options.end(), "option that the checker does not declare: " + std::string(name));
  return declared->default_value;
}

std::int64_t Judgement::initial_integer(std::int64_t fallback) const {
  return options_.initial && options_.initial->is_integer() ? options_.initial->integer() : fallback;
}

std::string Judgement::level(std::string_view default_level) {
  if (options_.consistency.empty()) result_.consistency = default_level;
  return result_.consistency;
}

bool Judgement::settled(EventIndex since, OperationEvents op, std::string_view settle) {
  if (op.invocation <= since) return false;
  const std::int64_t needed = option_ns(settle);
  if (needed == 0) return true;
  const std::int64_t from = h_.time(since), to = h_.time(op.invocation);
  if (from < 0 || to < 0) lacked_times_ = settle;
  return from >= 0 && to >= 0 && to - from >= needed;
}

std::string Judgement::without_times() const {
  if (lacked_times_.empty()) return {};
  return "; the events have no times, so nothing shows that there was time enough before the last reads (" +
         lacked_times_ + "=0: none is needed)";
}

std::string Judgement::named(OperationEvents op) const {
  return "the " + std::string(f(op)) + " by " + h_.client(h_.process(op.invocation)) + " (" + event(op.invocation) +
         ")";
}

bool Judgement::understands(std::initializer_list<std::string_view> known) {
  for (const OperationEvents op : operations_) {
    if (failed(op) || std::find(known.begin(), known.end(), f(op)) != known.end()) continue;
    const std::vector<std::string> names(known.begin(), known.end());
    refuse("the checker " + result_.checker + " knows " + joined(names) + ", not " + std::string(f(op)) + " (" +
           event(op.invocation) + ")");
    return false;
  }
  return true;
}

void Judgement::refuse(std::string reason) {
  if (refusal_.empty()) refusal_ = std::move(reason);
}

void Judgement::refuse(OperationEvents op, std::string_view expected) {
  const bool by_completion = ok(op) && h_.value(op.completion) != kAbsent;
  refuse("of " + named(op) + " " + std::string(expected) + " was expected, found " +
         shown(by_completion ? h_.value(op.completion) : asked(op)));
}

bool Judgement::takes_elements(OperationEvents op) {
  const auto tuple = items(asked(op));
  if (key(op) == kAbsent && tuple.size() == 2 && tuple[1] == kNil) {
    refuse(named(op) + " was invoked with " + shown(asked(op)) + ", a [key value] tuple; say --independent");
    return false;
  }
  if (is_list(seen(op))) return true;
  refuse(op, "a list of elements");
  return false;
}

void Judgement::inconclusive(std::string reason) {
  if (inconclusive_.empty()) inconclusive_ = std::move(reason);
}

void Judgement::tell(std::string type, std::vector<EventIndex> operations, std::string explanation,
                     std::vector<std::string> sentences, std::optional<ValueId> key) {
  if (++told_[type] > kMaxTold) return;
  Anomaly& anomaly = result_.anomalies.emplace_back();
  anomaly.type = std::move(type);
  if (key && *key != kAbsent) anomaly.key = values().to_value(*key);
  for (const EventIndex e : operations) {
    if (e == kNoEvent) continue;
    anomaly.operations.push_back(h_.type(e) == EventType::invoke ? e : h_.partner(e));
  }
  std::sort(anomaly.operations.begin(), anomaly.operations.end());
  anomaly.operations.erase(std::unique(anomaly.operations.begin(), anomaly.operations.end()), anomaly.operations.end());
  anomaly.explanation = std::move(explanation);
  anomaly.sentences = std::move(sentences);
}

void Judgement::finish() {
  result_.operations = operations_.size();
  for (const auto& [name, count] : counters_) result_.details.set(name, count);
  for (const auto& [type, count] : told_) result_.details.set(type + "-count", count);
  if (!refusal_.empty()) {
    result_.anomalies.clear();
    result_.reason = refusal_;
  } else if (!result_.anomalies.empty()) {
    for (const auto& [type, count] : told_) result_.anomalies_found += static_cast<std::size_t>(count);
    result_.verdict = Verdict::invalid;
  } else if (!inconclusive_.empty()) {
    result_.reason = inconclusive_;
  } else {
    result_.verdict = Verdict::valid;
  }
}

void AttemptTable::add(const Judgement& in, ValueId value, OperationEvents op) {
  in.work();
  Attempts& all = all_[value];
  if (in.failed(op)) {
    all.failed = std::min(all.failed, op.invocation);
    return;
  }
  ++all.possible;
  all.invoked = std::min(all.invoked, op.invocation);
  if (!in.ok(op)) return;
  ++all.certain;
  if (op.completion >= all.acknowledged) return;
  all.acknowledged = op.completion;
  all.acknowledged_by = op.invocation;
}

const Attempts* AttemptTable::find(ValueId value) const {
  const auto found = all_.find(value);
  return found == all_.end() ? nullptr : &found->second;
}

bool AttemptTable::explained(Judgement& in, const std::string& type, std::string_view what, ValueId value,
                             OperationEvents seen_by, std::optional<ValueId> key) {
  in.work();
  const Attempts* tried = find(value);
  if (tried != nullptr && tried->invoked < seen_by.completion) return true;
  if (!told_.insert(value).second) return false;
  std::string why = "that nobody ever sent";
  std::vector<EventIndex> operations = {seen_by.invocation};
  if (tried != nullptr && tried->invoked != kNoEvent) {
    why = "which was first sent after that had ended (" + in.event(tried->invoked) + ")";
    operations.push_back(tried->invoked);
  } else if (tried != nullptr) {
    why = "although sending it certainly failed (" + in.event(tried->failed) + ")";
    operations.push_back(tried->failed);
  }
  in.tell(type, std::move(operations),
          in.named(seen_by) + " returned the " + std::string(what) + " " + in.shown(value) + ", " + why, {}, key);
  return false;
}

Value quantiles_ms(std::vector<std::int64_t> latencies) {
  if (latencies.empty()) return {};
  std::sort(latencies.begin(), latencies.end());
  Value out = Value::map();
  for (const auto& [name, point] : {std::pair("0", 0.0), std::pair("0.5", 0.5), std::pair("0.95", 0.95),
                                    std::pair("0.99", 0.99), std::pair("1", 1.0)}) {
    const auto at = static_cast<std::size_t>(static_cast<double>(latencies.size()) * point);
    out.set(name, static_cast<double>(latencies[std::min(at, latencies.size() - 1)]) / 1e6);
  }
  return out;
}

}  // namespace ordeal::work
