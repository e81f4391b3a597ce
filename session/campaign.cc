#include "session/campaign.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>

#include "base/files.h"
#include "base/names.h"
#include "base/value.h"
#include "harness/interfaces/plan.h"

namespace ordeal {
namespace {

constexpr std::size_t kMaxRuns = 100'000;

struct Axis {
  std::string key;
  bool setting = false;
  std::vector<Given> choices;
};

std::string place(const std::string& name, const toml::node& node) {
  return fmt::format("{}:{}:{}", name, node.source().begin.line, node.source().begin.column);
}

// The text that one would write on the command line for a TOML scalar.
Result<Given> scalar(const std::string& name, const std::string& key, const toml::node& node) {
  Given given{"", fmt::format("{}:{}", name, node.source().begin.line)};
  if (const auto* s = node.as_string()) {
    given.text = s->get();
  } else if (const auto* i = node.as_integer()) {
    given.text = std::to_string(i->get());
  } else if (const auto* d = node.as_floating_point()) {
    given.text = fmt::format("{}", d->get());
  } else if (const auto* b = node.as_boolean()) {
    given.text = b->get() ? "true" : "false";
  } else {
    return fail(ErrorCode::usage,
                fmt::format("{}: \"{}\": a text, a number, true or false was expected, or a list of these",
                            place(name, node), key));
  }
  return given;
}

Result<Axis> axis(const std::string& name, const std::string& key, const toml::node& node, bool setting) {
  Axis out{key, setting, {}};
  if (const auto* list = node.as_array()) {
    if (list->empty()) {
      return fail(ErrorCode::usage,
                  fmt::format("{}: \"{}\" is an empty list, so there is nothing to run", place(name, node), key));
    }
    for (const auto& item : *list) {
      auto given = scalar(name, key, item);
      if (!given) return fail(given.error());
      out.choices.push_back(*std::move(given));
    }
    return out;
  }
  auto given = scalar(name, key, node);
  if (!given) return fail(given.error());
  out.choices.push_back(*std::move(given));
  return out;
}

// A TOML value as JSON. Errors: usage, for dates and times, which no option takes.
Result<Value> json_of(const std::string& name, const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Value out = Value::map();
    for (const auto& [key, inner] : *table) {
      auto one = json_of(name, inner);
      if (!one) return fail(one.error());
      out.set(std::string(key.str()), *std::move(one));
    }
    return out;
  }
  if (const auto* list = node.as_array()) {
    Value out = Value::list();
    for (const auto& inner : *list) {
      auto one = json_of(name, inner);
      if (!one) return fail(one.error());
      out.items().push_back(*std::move(one));
    }
    return out;
  }
  if (const auto* s = node.as_string()) return Value(s->get());
  if (const auto* i = node.as_integer()) return Value(i->get());
  if (const auto* d = node.as_floating_point()) return Value(d->get());
  if (const auto* b = node.as_boolean()) return Value(b->get());
  return fail(ErrorCode::usage, place(name, node) + ": a text, a number, true, false, a list or a table was expected");
}

using Found = std::vector<std::pair<toml::source_position, Axis>>;

// The table [nemesis]: `faults` is what the key nemesis would be without a table, `timeline` an array of tables, and
// everything else an option nemesis.….
Result<void> add_nemesis(const toml::table& table, const std::string& name, Found& found) {
  for (const auto& [key, node] : table) {
    const std::string text(key.str());
    Result<Axis> one = Axis{};
    if (text == "timeline") {
      const auto* list = node.as_array();
      if (list == nullptr || !list->is_array_of_tables()) {
        return fail(ErrorCode::usage,
                    place(name, node) + ": nemesis.timeline must be an array of tables: [[nemesis.timeline]]");
      }
      auto timeline = json_of(name, node);
      if (!timeline) return fail(timeline.error());
      const auto line = node.source().begin.line != 0 ? node.source().begin.line : list->front().source().begin.line;
      one = Axis{"nemesis.timeline", true, {{timeline->to_json(), fmt::format("{}:{}", name, line)}}};
    } else if (text == "faults") {
      one = axis(name, "nemesis", node, false);
    } else {
      one = axis(name, "nemesis." + text, node, true);
    }
    if (!one) return fail(one.error());
    found.emplace_back(key.source().begin, *std::move(one));
  }
  return {};
}

// The axes in the order in which they stand in the file; a TOML table iterates by name.
Result<std::vector<Axis>> axes_of(const toml::table& table, const std::string& name) {
  Found found;
  for (const auto& [key, node] : table) {
    const std::string text(key.str());
    if (text == "set") {
      const auto* settings = node.as_table();
      if (settings == nullptr) {
        return fail(ErrorCode::usage, place(name, node) + ": \"set\" must be a table: [set]");
      }
      for (const auto& [option, value] : *settings) {
        // `etcd.x = 1` without quotes is a table in a table in TOML; take it as the option etcd.x.
        const std::string outer(option.str());
        const auto* inner = value.as_table();
        if (inner == nullptr) {
          auto one = axis(name, outer, value, true);
          if (!one) return fail(one.error());
          found.emplace_back(option.source().begin, *std::move(one));
          continue;
        }
        for (const auto& [rest, nested] : *inner) {
          auto one = axis(name, outer + "." + std::string(rest.str()), nested, true);
          if (!one) return fail(one.error());
          found.emplace_back(rest.source().begin, *std::move(one));
        }
      }
      continue;
    }
    if (const auto* nemesis = text == "nemesis" ? node.as_table() : nullptr) {
      if (auto added = add_nemesis(*nemesis, name, found); !added) return fail(added.error());
      continue;
    }
    const auto& known = campaign_keys();
    if (std::find(known.begin(), known.end(), text) == known.end()) {
      std::vector<std::string> names = known;
      names.emplace_back("set");
      return fail(unknown_name("key", text, names)
                      .during(fmt::format("{}:{}:{}", name, key.source().begin.line, key.source().begin.column)));
    }
    auto one = axis(name, text, node, false);
    if (!one) return fail(one.error());
    found.emplace_back(key.source().begin, *std::move(one));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first.line != b.first.line ? a.first.line < b.first.line : a.first.column < b.first.column;
  });
  std::vector<Axis> axes;
  for (auto& [position, one] : found) axes.push_back(std::move(one));
  return axes;
}

}  // namespace

const std::vector<std::string>& campaign_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    for (const PlanSetting& setting : plan_settings()) names.emplace_back(setting.name);
    return names;
  }();
  return keys;
}

Result<std::vector<RunRequest>> parse_campaign(const std::string& text, const std::string& name) {
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return fail(ErrorCode::usage,
                fmt::format("{}:{}:{}: {}", name, e.source().begin.line, e.source().begin.column, e.description()));
  }
  auto axes = axes_of(table, name);
  if (!axes) return fail(axes.error());
  std::vector<RunRequest> runs(1);
  for (const Axis& one : *axes) {
    if (runs.size() * one.choices.size() > kMaxRuns) {
      return fail(ErrorCode::usage, fmt::format("{}: the matrix has more than {} runs", name, kMaxRuns));
    }
    std::vector<RunRequest> longer;
    longer.reserve(runs.size() * one.choices.size());
    for (const RunRequest& run : runs) {
      for (const Given& choice : one.choices) {
        RunRequest next = run;
        (one.setting ? next.settings : next.flags)[one.key] = choice;
        longer.push_back(std::move(next));
      }
    }
    runs = std::move(longer);
  }
  return runs;
}

Result<std::vector<RunRequest>> read_campaign(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return fail(ErrorCode::usage, "campaign file: " + text.error().message);
  return parse_campaign(*text, path);
}

}  // namespace ordeal
