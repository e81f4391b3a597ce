#include "harness/interfaces/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

#include "base/text.h"
#include "harness/control/node.h"

namespace ordeal {

const std::vector<PlanSetting>& plan_settings() {
  using Type = PlanSetting::Type;
  using Repeat = PlanSetting::Repeat;
  static const std::vector<PlanSetting> table = {
      {"name", "name", Type::text, &Plan::name, Repeat::never, "NAME",
       "name of the run in the store; TARGET-WORKLOAD when absent"},
      {"target", "target", Type::text, &Plan::target, Repeat::always, "TARGET",
       "the system under test (ordeal list targets)"},
      {"workload", "workload", Type::text, &Plan::workload, Repeat::always, "WORKLOAD",
       "what the clients do (ordeal list workloads)"},
      {"consistency", "consistency", Type::text, &Plan::consistency, Repeat::never, "LEVEL",
       "the level that is claimed, one of the workload's (ordeal list workloads NAME)", 0,
       std::numeric_limits<double>::infinity(), true},
      {"nemesis", "nemesis", Type::words, &Plan::nemesis, Repeat::when_changed, "FAULTS",
       "faults, separated by commas (ordeal list faults), all, or none; none when absent"},
      {"nodes", "nodes", Type::text, &Plan::nodes, Repeat::always, "NODES", "local:N, docker:N, ssh:FILE or h1,h2,…"},
      {"time-limit", "time_limit_s", Type::duration, &Plan::time_limit_s, Repeat::always, "TIME",
       "length of the main phase, seconds or 90s, 5m", 0.1, 1e7},
      {"rate", "rate", Type::rate, &Plan::rate, Repeat::always, "RATE",
       "operations a second over all workers, or unlimited", 0, 1e9},
      {"poisson", "poisson", Type::boolean, &Plan::poisson, Repeat::when_changed, "BOOLEAN",
       "true: operations come at random distances, as those of many users do; false: at equal ones"},
      {"concurrency", "concurrency", Type::integer, &Plan::concurrency, Repeat::always, "N", "workers", 1,
       kMaxConcurrency},
      {"seed", "seed", Type::seed, &Plan::seed, Repeat::always, "N", "seed of the schedule; drawn when absent"},
      {"op-timeout", "op_timeout_s", Type::duration, &Plan::op_timeout_s, Repeat::when_changed, "TIME",
       "deadline of one operation", 0.001, 3600},
      {"start-timeout", "start_timeout_s", Type::duration, &Plan::start_timeout_s, Repeat::when_changed, "TIME",
       "how long the target may take from its start until it serves on all nodes", 0.1, 36'000, true},
      {"open-timeout", "open_timeout_s", Type::duration, &Plan::open_timeout_s, Repeat::when_changed, "TIME",
       "how long a client may take to open, an adapter's start with it; 0: 15 s at first, --op-timeout later", 0, 3600,
       true},
      {"nemesis-interval", "nemesis_interval_s", Type::duration, &Plan::nemesis_interval_s, Repeat::when_changed,
       "TIME", "from one healing to the next fault", 0, 1e6},
      {"nemesis-duration", "nemesis_duration_s", Type::duration, &Plan::nemesis_duration_s, Repeat::when_changed,
       "TIME", "how long a fault is in force", 0.1, 1e6},
      {"recovery", "recovery_s", Type::duration, &Plan::recovery_s, Repeat::when_changed, "TIME",
       "how long the target may take to serve again after healing", 0, 1e6},
      {"check-timeout", "check_timeout_s", Type::duration, &Plan::check_timeout_s, Repeat::when_changed, "TIME",
       "for all checkers together; 0: no limit", 0, 1e7, true},
      {"memory", "check_memory", Type::size, &Plan::check_memory, Repeat::when_changed, "SIZE",
       "what a checker may take, e.g. 4G; half of what is free when absent", 0, std::numeric_limits<double>::infinity(),
       true},
      {"store", "store", Type::text, &Plan::store, Repeat::never, "DIR", "where runs are kept"},
  };
  return table;
}

const PlanSetting& plan_setting(std::string_view name) {
  const auto& table = plan_settings();
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.name == name; });
  ORDEAL_CHECK(found != table.end(), "no such setting: " + std::string(name));
  return *found;
}

namespace {

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

// Each writes the member from what stands on a command line.
struct Parse {
  const PlanSetting& setting;
  Plan& plan;
  std::string_view text;

  Result<void> operator()(std::string Plan::*member) const {
    plan.*member = text;
    return {};
  }
  Result<void> operator()(std::vector<std::string> Plan::*member) const {
    plan.*member = split(text, ',');
    return {};
  }
  Result<void> operator()(bool Plan::*member) const {
    if (text != "true" && text != "false") {
      return fail(ErrorCode::usage, fmt::format("true or false was expected, found \"{}\"", text));
    }
    plan.*member = text == "true";
    return {};
  }
  Result<void> operator()(double Plan::*member) const {
    double value = 0;
    if (setting.type == PlanSetting::Type::rate) {
      if (text != "unlimited" && text != "0" && (!parse_number(text, value) || !(value > 0) || value > setting.max)) {
        return fail(ErrorCode::usage,
                    fmt::format("operations a second or \"unlimited\" was expected, found \"{}\"", text));
      }
    } else {
      const auto parsed = parse_duration(text);
      if (!parsed) return fail(parsed.error());
      value = *parsed;
      if (value < setting.min || value > setting.max) {
        return fail(ErrorCode::usage, fmt::format("{} is out of range; it must be at least {} and at most {} seconds",
                                                  text, setting.min, setting.max));
      }
    }
    plan.*member = value;
    return {};
  }
  Result<void> operator()(int Plan::*member) const {
    int value = 0;
    if (!parse_number(text, value) || value < setting.min || value > setting.max) {
      return fail(ErrorCode::usage, fmt::format("a whole number from {:.0f} to {:.0f} was expected, found \"{}\"",
                                                setting.min, setting.max, text));
    }
    plan.*member = value;
    return {};
  }
  Result<void> operator()(std::uint64_t Plan::*member) const {
    std::uint64_t value = 0;
    if (setting.type == PlanSetting::Type::size) {
      const auto size = parse_size(std::string(text));
      if (!size) return fail(size.error());
      plan.*member = *size;
      return {};
    }
    if (!parse_number(text, value)) {
      return fail(ErrorCode::usage, fmt::format("a whole number from 0 to {} was expected, found \"{}\"",
                                                std::numeric_limits<std::uint64_t>::max(), text));
    }
    plan.*member = value;
    return {};
  }
};

// Each as plan.json holds it.
struct ToValue {
  const Plan& plan;
  Value operator()(std::vector<std::string> Plan::*member) const {
    Value out = Value::list();
    for (const auto& word : plan.*member) out.items().emplace_back(word);
    return out;
  }
  Value operator()(std::uint64_t Plan::*member) const { return std::to_string(plan.*member); }
  template <class T>
  Value operator()(T Plan::*member) const {
    return plan.*member;
  }
};

// Each from plan.json; false: it is of another type.
struct FromValue {
  Plan& plan;
  const Value& value;
  bool operator()(std::string Plan::*member) const {
    if (value.is_string()) plan.*member = value.string();
    return value.is_string();
  }
  bool operator()(std::vector<std::string> Plan::*member) const {
    if (!value.is_list()) return false;
    for (const auto& word : value.items()) {
      if (word.is_string()) (plan.*member).push_back(word.string());
    }
    return true;
  }
  bool operator()(double Plan::*member) const {
    if (!value.is_real() && !value.is_integer()) return false;
    plan.*member = value.real();
    return true;
  }
  bool operator()(bool Plan::*member) const {
    if (value.is_boolean()) plan.*member = value.boolean();
    return value.is_boolean();
  }
  bool operator()(int Plan::*member) const {
    if (!value.is_integer()) return false;
    plan.*member = static_cast<int>(
        std::clamp<std::int64_t>(value.integer(), std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
    return true;
  }
  bool operator()(std::uint64_t Plan::*member) const {
    return value.is_string() && parse_number(value.string(), plan.*member);
  }
};

// A value as one would write it after --set KEY=.
std::string as_text(const Value& value) { return value.is_string() ? value.string() : value.to_json(); }

}  // namespace

Result<void> PlanSetting::set(Plan& plan, std::string_view text) const {
  return std::visit([&](auto of) { return Parse{*this, plan, text}(of); }, member);
}

std::string PlanSetting::text(const Plan& plan) const {
  return std::visit(
      [&](auto of) -> std::string {
        const auto& value = plan.*of;
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return join(value, ",");
        } else {
          return type == Type::rate && value == T{} ? "unlimited" : fmt::format("{}", value);
        }
      },
      member);
}

Value Plan::to_value() const {
  Value out = Value::map();
  for (const PlanSetting& setting : plan_settings()) {
    out.set(setting.key, std::visit([&](auto of) { return ToValue{*this}(of); }, setting.member));
  }
  Value settings = Value::map();
  for (const auto& spec : options.specs()) {
    Value one = Value::map();
    one.set("value", options.value(spec.key));
    one.set("origin", options.origin(spec.key));
    settings.set(spec.key, std::move(one));
  }
  out.set("options", std::move(settings));
  out.set("origins", origins);
  return out;
}

Result<Plan> Plan::from_value(const Value& value, Options declared) {
  if (!value.is_map()) return fail(ErrorCode::input, "plan.json: an object was expected");
  const auto missing = [](const char* key) {
    return fail(ErrorCode::input, fmt::format("plan.json: member \"{}\" is missing or of another type", key));
  };
  Plan plan;
  for (const PlanSetting& setting : plan_settings()) {
    const Value* found = value.find(setting.key);
    if (found == nullptr && setting.later) continue;
    if (found == nullptr) return missing(setting.key);
    if (!std::visit([&](auto of) { return FromValue{plan, *found}(of); }, setting.member)) return missing(setting.key);
  }
  if (plan.concurrency < 1 || plan.concurrency > kMaxConcurrency) {
    return fail(ErrorCode::input, fmt::format("plan.json: a concurrency from 1 to {} was expected, found {}",
                                              kMaxConcurrency, plan.concurrency));
  }
  const Value* origins = value.find("origins");
  if (origins == nullptr || !origins->is_map()) return missing("origins");
  plan.origins = *origins;
  plan.options = std::move(declared);
  const Value* settings = value.find("options");
  if (settings == nullptr || !settings->is_map()) return missing("options");
  for (const auto& [key, setting] : settings->entries()) {
    const Value* set_to = setting.find("value");
    const Value* origin = setting.find("origin");
    if (set_to == nullptr || origin == nullptr || !origin->is_string() || origin->string() == "default") continue;
    if (auto done = plan.options.set(key.string(), as_text(*set_to), origin->string()); !done) {
      return fail(ErrorCode::input, done.error().during("plan.json").message);
    }
  }
  return plan;
}

std::string repeat_command(const Plan& plan) {
  std::string out = "ordeal run";
  for (const PlanSetting& setting : plan_settings()) {
    using Repeat = PlanSetting::Repeat;
    const std::string text = setting.text(plan);
    if (setting.repeat == Repeat::never) continue;
    if (setting.repeat == Repeat::when_changed && text == setting.text(Plan{})) continue;
    out += fmt::format(" --{} {}", setting.name, shell_word(text));
  }
  for (const auto& spec : plan.options.specs()) {
    if (plan.options.origin(spec.key) == "default") continue;
    out += " --set " + shell_quote(spec.key + "=" + as_text(plan.options.value(spec.key)));
  }
  return out;
}

}  // namespace ordeal
