#include "nemesis/engine/timeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/options.h"
#include "base/value.h"

namespace ordeal {
namespace {

constexpr std::size_t kMaxEntries = 200;  // each has a thread

class EntryReader {
 public:
  explicit EntryReader(std::size_t number) : number_(number) {}

  Result<TimelineEntry> read(const Value& table) {
    if (!table.is_map()) return wrong("a table was expected, found " + table.to_json());
    const Value* fault = table.find("fault");
    if (fault == nullptr || !fault->is_string() || fault->string().empty()) return wrong("it names no fault");
    out_.fault = fault->string();
    bool times_given = false;
    for (const auto& [key, value] : table.entries()) {
      const std::string name = key.is_string() ? key.string() : key.to_json();
      Result<void> done;
      if (name == "fault") continue;
      if (name == "at")
        done = seconds(name, value, out_.at_s);
      else if (name == "duration")
        done = seconds(name, value, out_.duration_s);
      else if (name == "every")
        done = seconds(name, value, out_.every_s);
      else if (name == "after")
        done = seconds(name, value, out_.after_s);
      else if (name == "when")
        done = text(name, value, out_.when);
      else if (name == "times")
        done = count(value, times_given);
      else
        done = option(name, value);
      if (!done) return fail(done.error());
    }
    if (!times_given && out_.every_s > 0) out_.times = 0;
    if (times_given && out_.times != 1 && out_.every_s <= 0 && out_.when.empty()) {
      return wrong("`times` needs `every`, or a trigger (`when`)");
    }
    if (out_.after_s > 0 && out_.when.empty()) return wrong("`after` needs a trigger (`when`)");
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> wrong(const std::string& what) const {
    return fail(ErrorCode::usage, fmt::format("nemesis.timeline, entry {}{}: {}", number_,
                                              out_.fault.empty() ? "" : " (" + out_.fault + ")", what));
  }
  Result<void> seconds(const std::string& name, const Value& value, double& out) const {
    if (value.is_integer() || value.is_real()) {
      out = value.real();
    } else if (value.is_string()) {
      const auto parsed = parse_duration(value.string());
      if (!parsed) return wrong(fmt::format("`{}`: {}", name, parsed.error().message));
      out = *parsed;
    } else {
      return wrong(
          fmt::format("`{}` must be seconds or a duration such as \"500ms\", found {}", name, value.to_json()));
    }
    if (!(out >= 0) || out > 1e7) return wrong(fmt::format("`{}` = {} is out of range", name, value.to_json()));
    return {};
  }
  Result<void> text(const std::string& name, const Value& value, std::string& out) const {
    if (!value.is_string()) return wrong(fmt::format("`{}` must be a text, found {}", name, value.to_json()));
    out = value.string();
    return {};
  }
  Result<void> count(const Value& value, bool& given) {
    if (!value.is_integer() || value.integer() < 0 || value.integer() > 1'000'000) {
      return wrong("`times` must be a whole number, 0 for as long as the run goes on; found " + value.to_json());
    }
    out_.times = static_cast<int>(value.integer());
    given = true;
    return {};
  }
  Result<void> option(const std::string& name, const Value& value) {
    if (value.is_map() && name == out_.fault) {  // partition.shape without quotes is a table in TOML
      for (const auto& [inner, one] : value.entries()) {
        if (auto done = option(inner.is_string() ? inner.string() : inner.to_json(), one); !done) return done;
      }
      return {};
    }
    if (value.is_map() || value.is_list() || value.is_nil()) {
      return wrong(fmt::format("`{}` must be a text, a number, true or false, found {}", name, value.to_json()));
    }
    const std::string key = name.find('.') == std::string::npos ? out_.fault + "." + name : name;
    if (!key.starts_with(out_.fault + ".")) return wrong(fmt::format("`{}` is no option of {}", name, out_.fault));
    out_.options.emplace_back(key, value.is_string() ? value.string() : value.to_json());
    return {};
  }

  std::size_t number_;
  TimelineEntry out_;
};

}  // namespace

Result<std::vector<TimelineEntry>> parse_timeline(std::string_view text) {
  std::vector<TimelineEntry> out;
  if (text.empty()) return out;
  const auto document = Value::from_json(text);
  if (!document) return fail(ErrorCode::usage, "nemesis.timeline: " + document.error().message);
  if (!document->is_list()) return fail(ErrorCode::usage, "nemesis.timeline: a list of entries was expected");
  if (document->items().size() > kMaxEntries) {
    return fail(ErrorCode::usage,
                fmt::format("nemesis.timeline: {} entries are too many; {} are possible (an entry may "
                            "be repeated by `every`)",
                            document->items().size(), kMaxEntries));
  }
  for (const Value& table : document->items()) {
    auto entry = EntryReader(out.size() + 1).read(table);
    if (!entry) return fail(entry.error());
    out.push_back(*std::move(entry));
  }
  return out;
}

std::vector<std::string> timeline_faults(const std::vector<TimelineEntry>& timeline) {
  std::vector<std::string> out;
  for (const TimelineEntry& entry : timeline) {
    if (std::find(out.begin(), out.end(), entry.fault) == out.end()) out.push_back(entry.fault);
  }
  return out;
}

}  // namespace ordeal
