#include "base/options.h"

#include <fmt/format.h>

#include <charconv>

#include "base/names.h"

namespace ordeal {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double d = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), d);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return d;
}

std::string_view type_name(OptionSpec::Type type) {
  switch (type) {
    case OptionSpec::Type::boolean:
      return "true or false";
    case OptionSpec::Type::integer:
      return "a whole number";
    case OptionSpec::Type::real:
      return "a number";
    case OptionSpec::Type::string:
      return "a text";
    case OptionSpec::Type::duration:
      return "a duration such as 500ms, 5s or 2m";
  }
  return "a value";
}

Result<Value> parse(const OptionSpec& spec, std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::usage,
                fmt::format("option {}: {} was expected, found \"{}\"", spec.key, type_name(spec.type), text));
  };
  double number = 0;
  Value value;
  switch (spec.type) {
    case OptionSpec::Type::boolean:
      if (text == "true" || text == "yes" || text == "1" || text == "on") return Value(true);
      if (text == "false" || text == "no" || text == "0" || text == "off") return Value(false);
      return wrong();
    case OptionSpec::Type::string: {
      if (spec.choices.empty()) return Value(text);
      for (const auto& choice : spec.choices) {
        if (is_choice(choice, text)) return Value(text);
      }
      return fail(ErrorCode::usage,
                  fmt::format("option {}: \"{}\" is none of {}", spec.key, text, joined(spec.choices)));
    }
    case OptionSpec::Type::integer: {
      std::int64_t i = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), i);
      if (error != std::errc() || end != text.data() + text.size()) return wrong();
      number = static_cast<double>(i);
      value = Value(i);
      break;
    }
    case OptionSpec::Type::real: {
      const auto d = parse_number(text);
      if (!d) return wrong();
      number = *d;
      value = Value(*d);
      break;
    }
    case OptionSpec::Type::duration: {
      const auto d = parse_duration(text);
      if (!d) return wrong();
      number = *d;
      value = Value(*d);
      break;
    }
  }
  if ((spec.min && number < *spec.min) || (spec.max && number > *spec.max)) {
    return fail(ErrorCode::usage, fmt::format("option {}: {} is out of range; it must be {}{}", spec.key, text,
                                              spec.min ? fmt::format("at least {}", *spec.min) : std::string(),
                                              spec.max ? fmt::format("{}at most {}", spec.min ? " and " : "", *spec.max)
                                                       : std::string()));
  }
  return value;
}

}  // namespace

Result<double> parse_duration(std::string_view text) {
  std::string_view digits = text;
  double unit = 1;
  if (digits.ends_with("ms")) {
    unit = 1e-3;
    digits.remove_suffix(2);
  } else if (digits.ends_with("us")) {
    unit = 1e-6;
    digits.remove_suffix(2);
  } else if (digits.ends_with('s')) {
    digits.remove_suffix(1);
  } else if (digits.ends_with('m')) {
    unit = 60;
    digits.remove_suffix(1);
  } else if (digits.ends_with('h')) {
    unit = 3600;
    digits.remove_suffix(1);
  }
  const auto number = parse_number(digits);
  if (!number || !(*number >= 0) || *number > 1e12) {
    return fail(ErrorCode::usage,
                fmt::format("a duration such as 500ms, 5s, 2m or 1h was expected, found \"{}\"", text));
  }
  return *number * unit;
}

bool is_choice(std::string_view choice, std::string_view text) {
  if (!choice.ends_with("-T")) return choice == text;
  const std::string_view prefix = choice.substr(0, choice.size() - 1);
  return text.starts_with(prefix) && parse_duration(text.substr(prefix.size())).has_value();
}

Options::Options(std::vector<OptionSpec> specs) { declare(specs); }

void Options::declare(const std::vector<OptionSpec>& specs) {
  for (const auto& spec : specs) {
    ORDEAL_CHECK(!settings_.contains(spec.key), "option declared twice: " + spec.key);
    settings_[spec.key] = Setting{specs_.size(), spec.default_value, "default"};
    specs_.push_back(spec);
  }
}

Result<void> Options::set(std::string_view key, std::string_view text, std::string_view origin) {
  const auto found = settings_.find(key);
  if (found == settings_.end()) {
    const std::string_view owner = key.substr(0, key.find('.'));
    std::vector<std::string> known;
    for (const auto& [name, setting] : settings_) {
      if (std::string_view(name).substr(0, name.find('.')) == owner) known.push_back(name);
    }
    if (known.empty()) {
      for (const auto& [name, setting] : settings_) known.push_back(name);
    }
    return fail(unknown_name("option", key, known));
  }
  auto value = parse(specs_[found->second.spec], text);
  if (!value) return fail(value.error());
  found->second.value = *std::move(value);
  found->second.origin = origin;
  return {};
}

const Options::Setting& Options::setting(std::string_view key) const {
  const auto found = settings_.find(key);
  ORDEAL_CHECK(found != settings_.end(), "option never declared: " + std::string(key));
  return found->second;
}

bool Options::boolean(std::string_view key) const { return setting(key).value.boolean(); }
std::int64_t Options::integer(std::string_view key) const { return setting(key).value.integer(); }
double Options::real(std::string_view key) const { return setting(key).value.real(); }
std::string Options::string(std::string_view key) const { return setting(key).value.string(); }
double Options::seconds(std::string_view key) const { return setting(key).value.real(); }
bool Options::has(std::string_view key) const { return settings_.contains(key); }
const Value& Options::value(std::string_view key) const { return setting(key).value; }
const std::string& Options::origin(std::string_view key) const { return setting(key).origin; }

}  // namespace ordeal
