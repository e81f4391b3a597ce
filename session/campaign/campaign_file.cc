#include "session/campaign/campaign_file.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/files.h"
#include "base/names.h"
#include "base/text.h"
#include "base/value.h"
#include "harness/interfaces/plan.h"

namespace ordeal {
namespace {

constexpr std::size_t kMaxRuns = 100'000;
constexpr std::size_t kMaxTold = 12;  // values that a message lists

// Where something stands: a node, or the key before it when the library does not know (arrays of tables).
struct Place {
  std::string file;
  toml::source_position at;

  [[nodiscard]] std::string line() const { return fmt::format("{}:{}", file, at.line); }
  [[nodiscard]] std::string column() const { return fmt::format("{}:{}:{}", file, at.line, at.column); }
  [[nodiscard]] Place of(const toml::node& node) const {
    return node.source().begin.line != 0 ? Place{file, node.source().begin} : *this;
  }
  [[nodiscard]] Place of(const toml::key& key) const { return {file, key.source().begin}; }
  [[nodiscard]] tl::unexpected<Error> wrong(const std::string& message) const {
    return fail(ErrorCode::usage, column() + ": " + message);
  }
};

// The text that one would write on the command line for a TOML scalar.
Result<Given> scalar(const Place& place, const std::string& key, const toml::node& node) {
  Given given{"", place.line(), place.column()};
  if (const auto* s = node.as_string()) {
    given.text = s->get();
  } else if (const auto* i = node.as_integer()) {
    given.text = std::to_string(i->get());
  } else if (const auto* d = node.as_floating_point()) {
    given.text = fmt::format("{}", d->get());
  } else if (const auto* b = node.as_boolean()) {
    given.text = b->get() ? "true" : "false";
  } else {
    return place.wrong(fmt::format("\"{}\": a text, a number, true or false was expected, or a list of these", key));
  }
  return given;
}

bool parse_seed(std::string_view text, std::uint64_t& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && stop == text.data() + text.size() && !text.empty();
}

// "1..50" as fifty seeds; any other text as it stands. Errors: usage.
Result<std::vector<Given>> with_ranges(const std::string& key, Given given) {
  const std::size_t dots = given.text.find("..");
  if (key != "seed" || dots == std::string::npos) return std::vector<Given>{std::move(given)};
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (!parse_seed(trimmed(std::string_view(given.text).substr(0, dots)), first) ||
      !parse_seed(trimmed(std::string_view(given.text).substr(dots + 2)), last) || last < first) {
    return fail(ErrorCode::usage, fmt::format("{}: a range of seeds such as \"1..50\" was expected, found \"{}\"",
                                              given.place, given.text));
  }
  if (last - first >= kMaxRuns) {
    return fail(ErrorCode::usage, fmt::format("{}: {} has more than {} seeds", given.place, given.text, kMaxRuns));
  }
  std::vector<Given> out;
  for (std::uint64_t n = 0; n <= last - first; ++n) {
    out.push_back({std::to_string(first + n), given.origin, given.place});
  }
  return out;
}

Result<Axis> axis(const Place& place, const std::string& key, const toml::node& node, bool setting) {
  Axis out{key, setting, {}};
  const auto add = [&](const toml::node& one) -> Result<void> {
    auto given = scalar(place.of(one), key, one);
    if (!given) return fail(given.error());
    auto several = with_ranges(key, *std::move(given));
    if (!several) return fail(several.error());
    out.choices.insert(out.choices.end(), several->begin(), several->end());
    return {};
  };
  if (const auto* list = node.as_array()) {
    if (list->empty()) {
      return place.of(node).wrong(fmt::format("\"{}\" is an empty list, so there is nothing to run", key));
    }
    for (const auto& item : *list) {
      if (auto added = add(item); !added) return fail(added.error());
    }
    return out;
  }
  if (auto added = add(node); !added) return fail(added.error());
  return out;
}

// A TOML value as JSON. Errors: usage, for dates and times, which no option takes.
Result<Value> json_of(const Place& place, const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Value out = Value::map();
    for (const auto& [key, inner] : *table) {
      auto one = json_of(place.of(key).of(inner), inner);
      if (!one) return fail(one.error());
      out.set(std::string(key.str()), *std::move(one));
    }
    return out;
  }
  if (const auto* list = node.as_array()) {
    Value out = Value::list();
    for (const auto& inner : *list) {
      auto one = json_of(place.of(inner), inner);
      if (!one) return fail(one.error());
      out.items().push_back(*std::move(one));
    }
    return out;
  }
  if (const auto* s = node.as_string()) return Value(s->get());
  if (const auto* i = node.as_integer()) return Value(i->get());
  if (const auto* d = node.as_floating_point()) return Value(d->get());
  if (const auto* b = node.as_boolean()) return Value(b->get());
  return place.wrong("a text, a number, true, false, a list or a table was expected");
}

// Reads the tables of a file one after the other.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}
  Result<CampaignFile> read(const toml::table& table);

 private:
  Result<void> key(const toml::key& key, const toml::node& node);
  Result<void> set(const toml::node& node, const Place& place);
  Result<void> nemesis(const toml::table& table);
  Result<void> campaign_setting(const CampaignSetting& setting, const toml::node& node, const Place& place);
  Result<void> exclude(const toml::node& node, const Place& place);
  Result<void> expect(const toml::node& node, const Place& place);
  Result<Expectation> expectation(const toml::node& node, const Place& place) const;
  Result<Selection> selection(const toml::table& table, const Place& place, const char* rule) const;
  Result<void> condition(const std::string& name, const toml::node& node, const Place& place, const Place& key,
                         const char* rule, Selection& out) const;
  Result<void> add(const toml::key& key, Result<Axis> axis);
  void sort_axes();

  std::string file_;
  CampaignFile out_;
  std::vector<std::pair<toml::source_position, Axis>> found_;
};

Result<void> Reader::add(const toml::key& key, Result<Axis> axis) {
  if (!axis) return fail(axis.error());
  found_.emplace_back(key.source().begin, *std::move(axis));
  return {};
}

Result<void> Reader::set(const toml::node& node, const Place& place) {
  const auto* settings = node.as_table();
  if (settings == nullptr) return place.of(node).wrong("\"set\" must be a table: [set]");
  for (const auto& [option, value] : *settings) {
    // `etcd.x = 1` without quotes is a table in a table in TOML; take it as the option etcd.x.
    const std::string outer(option.str());
    const auto* inner = value.as_table();
    if (inner == nullptr) {
      if (auto done = add(option, axis(place.of(option).of(value), outer, value, true)); !done) return done;
      continue;
    }
    for (const auto& [rest, nested] : *inner) {
      const std::string name = outer + "." + std::string(rest.str());
      if (auto done = add(rest, axis(place.of(rest).of(nested), name, nested, true)); !done) return done;
    }
  }
  return {};
}

// The table [nemesis]: `faults` is what the key nemesis would be without a table, `timeline` an array of tables, and
// everything else an option nemesis.….
Result<void> Reader::nemesis(const toml::table& table) {
  for (const auto& [key, node] : table) {
    const std::string text(key.str());
    const Place place = Place{file_, {}}.of(key).of(node);
    if (text == "timeline") {
      const auto* list = node.as_array();
      if (list == nullptr || !list->is_array_of_tables()) {
        return place.wrong("nemesis.timeline must be an array of tables: [[nemesis.timeline]]");
      }
      auto timeline = json_of(place, node);
      if (!timeline) return fail(timeline.error());
      const Place begin = node.source().begin.line != 0 ? place : place.of(list->front());
      const Given given{timeline->to_json(), begin.line(), begin.column()};
      if (auto done = add(key, Axis{"nemesis.timeline", true, {given}}); !done) return done;
    } else {
      const bool faults = text == "faults";
      if (auto done = add(key, axis(place, faults ? "nemesis" : "nemesis." + text, node, !faults)); !done) return done;
    }
  }
  return {};
}

Result<void> Reader::campaign_setting(const CampaignSetting& setting, const toml::node& node, const Place& place) {
  if (node.is_array())
    return place.wrong(fmt::format("\"{}\" is of the whole campaign and takes one value", setting.name));
  const auto given = scalar(place, setting.name, node);
  if (!given) return fail(given.error());
  if (auto set = setting.set(out_.settings, given->text); !set) {
    return fail(set.error().during(fmt::format("{}: \"{}\"", given->place, setting.name)));
  }
  out_.more_than_runs = true;
  return {};
}

Result<void> Reader::condition(const std::string& name, const toml::node& node, const Place& place, const Place& key,
                               const char* rule, Selection& out) const {
  if (const auto* table = node.as_table()) {
    for (const auto& [rest, nested] : *table) {
      std::string inner = (name == "set" ? "" : name + ".") + std::string(rest.str());
      if (inner == "nemesis.faults") inner = "nemesis";
      const Place at = key.of(rest);
      if (auto done = condition(inner, nested, at.of(nested), at, rule, out); !done) return done;
    }
    return {};
  }
  const bool setting = name.find('.') != std::string::npos;
  const auto in_file =
      std::find_if(out_.axes.begin(), out_.axes.end(), [&](const Axis& one) { return one.key == name; });
  if (in_file == out_.axes.end()) {
    std::vector<std::string> known;
    for (const PlanSetting& one : plan_settings()) known.emplace_back(one.name);
    for (const Axis& one : out_.axes) {
      if (one.setting) known.push_back(one.key);
    }
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(unknown_name(fmt::format("key of \"{}\"", rule), name, known).during(key.column()));
    }
  }
  auto values = axis(place, name, node, setting);
  if (!values) return fail(values.error());
  std::vector<std::string> choices;
  if (in_file != out_.axes.end()) {
    for (const Given& one : in_file->choices) choices.push_back(one.text);
  }
  for (const Given& value : values->choices) {
    if (choices.empty() || std::find(choices.begin(), choices.end(), value.text) != choices.end()) continue;
    const std::string near = nearest(value.text, choices);
    std::string message = fmt::format("no run has {} = \"{}\"", name, value.text);
    if (!near.empty()) message += fmt::format("; did you mean \"{}\"?", near);
    if (choices.size() <= kMaxTold) message += " There are: \"" + join(choices, "\", \"") + "\"";
    return fail(ErrorCode::usage, value.place + ": " + message);
  }
  out.conditions.push_back(*std::move(values));
  return {};
}

Result<Selection> Reader::selection(const toml::table& table, const Place& place, const char* rule) const {
  Selection out;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (name == "verdict" && std::string_view(rule) == "expect") continue;
    const Place at = place.of(key);
    if (auto done = condition(name, node, at.of(node), at, rule, out); !done) return fail(done.error());
  }
  return out;
}

Result<void> Reader::exclude(const toml::node& node, const Place& place) {
  const auto* list = node.as_array();
  if (list == nullptr || list->empty() || !list->is_array_of_tables()) {
    return place.of(node).wrong("\"exclude\" must be an array of tables: [[exclude]]");
  }
  for (const auto& one : *list) {
    const Place at = place.of(one);
    auto picked = selection(*one.as_table(), at, "exclude");
    if (!picked) return fail(picked.error());
    if (picked->conditions.empty()) return at.wrong("an empty [[exclude]] would leave nothing to run; name a key");
    out_.exclude.push_back(*std::move(picked));
  }
  out_.more_than_runs = true;
  return {};
}

Result<Expectation> Reader::expectation(const toml::node& node, const Place& place) const {
  const auto* text = node.as_string();
  if (text == nullptr) return place.of(node).wrong(R"(a text such as "invalid: stale-read" was expected)");
  auto parsed = parse_expectation(text->get());
  if (!parsed) return fail(parsed.error().during(place.of(node).column()));
  return parsed;
}

Result<void> Reader::expect(const toml::node& node, const Place& place) {
  out_.more_than_runs = true;
  const auto* list = node.as_array();
  if (list == nullptr) {
    auto all = expectation(node, place);
    if (!all) return fail(all.error());
    out_.expect.push_back({{}, *std::move(all)});
    return {};
  }
  if (list->empty() || !list->is_array_of_tables()) {
    return place.of(node).wrong("\"expect\" must be a text or an array of tables: [[expect]]");
  }
  for (const auto& one : *list) {
    const Place at = place.of(one);
    const toml::node* verdict = one.as_table()->get("verdict");
    if (verdict == nullptr) return at.wrong(R"([[expect]] lacks "verdict", such as "invalid: stale-read")");
    auto expected = expectation(*verdict, at);
    if (!expected) return fail(expected.error());
    auto picked = selection(*one.as_table(), at, "expect");
    if (!picked) return fail(picked.error());
    out_.expect.push_back({*std::move(picked), *std::move(expected)});
  }
  return {};
}

Result<void> Reader::key(const toml::key& key, const toml::node& node) {
  const std::string text(key.str());
  const Place place = Place{file_, {}}.of(key);
  if (text == "set") return set(node, place);
  if (const auto* table = text == "nemesis" ? node.as_table() : nullptr) return nemesis(*table);
  if (const CampaignSetting* setting = find_campaign_setting(text)) {
    return campaign_setting(*setting, node, place.of(node));
  }
  if (text == "exclude" || text == "expect") return {};  // when all axes are known
  const auto& known = campaign_keys();
  if (std::find(known.begin(), known.end(), text) == known.end()) {
    return fail(unknown_name("key", text, known).during(place.column()));
  }
  if (text == "store" && node.is_array()) {
    return place.of(node).wrong("\"store\" takes one value: a campaign is kept in one place");
  }
  return add(key, axis(place.of(node), text, node, false));
}

void Reader::sort_axes() {
  std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
    return a.first.line != b.first.line ? a.first.line < b.first.line : a.first.column < b.first.column;
  });
  for (auto& [position, one] : found_) out_.axes.push_back(std::move(one));
}

Result<CampaignFile> Reader::read(const toml::table& table) {
  out_.name = std::filesystem::path(file_).stem().string();
  for (const auto& [name, node] : table) {
    if (auto done = key(name, node); !done) return fail(done.error());
  }
  // In the order in which they stand in the file; a TOML table iterates by name.
  sort_axes();
  for (const auto& [name, node] : table) {
    const Place place = Place{file_, {}}.of(name);
    auto done = name.str() == "exclude"  ? exclude(node, place)
                : name.str() == "expect" ? expect(node, place)
                                         : Result<void>{};
    if (!done) return fail(done.error());
  }
  return std::move(out_);
}

// Adds an axis to every run so far. Errors: usage, when they are too many.
Result<std::vector<RunRequest>> multiplied(const std::vector<RunRequest>& runs, const Axis& by) {
  if (runs.size() * by.choices.size() > kMaxRuns) {
    return fail(ErrorCode::usage, fmt::format("{}: the matrix has more than {} runs; leave some of \"{}\" out",
                                              by.choices.front().where(), kMaxRuns, by.key));
  }
  std::vector<RunRequest> out;
  out.reserve(runs.size() * by.choices.size());
  for (const RunRequest& run : runs) {
    for (const Given& choice : by.choices) {
      out.push_back(run);
      (by.setting ? out.back().settings : out.back().flags)[by.key] = choice;
    }
  }
  return out;
}

}  // namespace

bool Selection::picks(const RunRequest& run) const {
  return std::all_of(conditions.begin(), conditions.end(), [&](const Axis& one) {
    const auto& given = one.setting ? run.settings : run.flags;
    const auto found = given.find(one.key);
    const std::string text = found == given.end() ? "" : found->second.text;
    return std::any_of(one.choices.begin(), one.choices.end(), [&](const Given& value) { return value.text == text; });
  });
}

Result<void> CampaignFile::override_flag(const std::string& flag, const std::string& text) {
  const auto found =
      std::find_if(axes.begin(), axes.end(), [&](const Axis& one) { return !one.setting && one.key == flag; });
  const Given given{text, "--" + flag};
  if (found == axes.end()) {
    axes.push_back({flag, false, {given}});
    return {};
  }
  if (flag == "seed" && found->choices.size() > 1) {
    return fail(
        ErrorCode::usage,
        fmt::format("--seed {}: {} names {} seeds, and one would make as many equal runs of them; leave out one "
                    "of the two",
                    text, found->choices.front().where(), found->choices.size()));
  }
  found->choices = {given};
  return {};
}

void CampaignFile::override_setting(const std::string& key, const std::string& text) {
  const auto found =
      std::find_if(axes.begin(), axes.end(), [&](const Axis& one) { return one.setting && one.key == key; });
  if (found == axes.end()) {
    axes.push_back({key, true, {{text, "--set"}}});
  } else {
    found->choices = {{text, "--set"}};
  }
}

const std::vector<std::string>& campaign_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    for (const PlanSetting& setting : plan_settings()) names.emplace_back(setting.name);
    names.emplace_back("set");
    for (const CampaignSetting& setting : campaign_settings()) names.emplace_back(setting.name);
    for (const char* rule : kCampaignRules) names.emplace_back(rule);
    return names;
  }();
  return keys;
}

Result<CampaignFile> parse_campaign(const std::string& text, const std::string& name) {
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return fail(ErrorCode::usage,
                fmt::format("{}:{}:{}: {}", name, e.source().begin.line, e.source().begin.column, e.description()));
  }
  return Reader(name).read(table);
}

Result<CampaignFile> read_campaign(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return fail(ErrorCode::usage, "campaign file: " + text.error().message);
  return parse_campaign(*text, path);
}

namespace {

// A condition on what no run says anything of is a slip: mostly a key that stands below the heading of a table and was
// meant for the file.
Result<void> conditions_mean_something(const CampaignFile& file, const Selection& selection) {
  for (const Axis& one : selection.conditions) {
    const bool said =
        std::any_of(file.axes.begin(), file.axes.end(), [&](const Axis& axis) { return axis.key == one.key; });
    const bool absent =
        std::any_of(one.choices.begin(), one.choices.end(), [](const Given& g) { return g.text.empty(); });
    if (said || absent) continue;
    return fail(
        ErrorCode::usage,
        fmt::format("{}: no run says anything of \"{}\", so this picks none. A key below the heading of a table "
                    "belongs to that table: keys of the file come before it",
                    one.choices.front().place, one.key));
  }
  return {};
}

}  // namespace

Result<std::vector<RequestedRun>> runs_of(const CampaignFile& file) {
  for (const Selection& one : file.exclude) {
    if (auto good = conditions_mean_something(file, one); !good) return fail(good.error());
  }
  for (const ExpectationRule& one : file.expect) {
    if (auto good = conditions_mean_something(file, one.of); !good) return fail(good.error());
  }
  std::vector<RunRequest> runs(1);
  for (const Axis& one : file.axes) {
    auto more = multiplied(runs, one);
    if (!more) return fail(more.error());
    runs = *std::move(more);
  }
  std::vector<RequestedRun> out;
  for (RunRequest& run : runs) {
    if (std::any_of(file.exclude.begin(), file.exclude.end(), [&](const auto& one) { return one.picks(run); }))
      continue;
    const auto rule =
        std::find_if(file.expect.begin(), file.expect.end(), [&](const auto& one) { return one.of.picks(run); });
    out.push_back({std::move(run), rule == file.expect.end() ? Expectation{} : rule->expect});
  }
  if (out.empty()) return fail(ErrorCode::usage, file.name + ": every run is excluded, so there is nothing to run");
  return out;
}

}  // namespace ordeal
