#include "checkers/explain/example_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <map>
#include <vector>

#include "base/options.h"
#include "base/text.h"
#include "base/value.h"

namespace ordeal {
namespace {

constexpr std::int64_t kStep_ns = 1'000'000;

// What was asked and is not answered yet.
struct Asked {
  std::string f;
  Value key;
  bool has_key = false;
  Value value;
};

class Lines {
 public:
  Result<void> add(const std::string& line) {
    std::vector<std::string> words = split(line, ' ');
    if (words.empty()) return {};
    if (words.front().front() == '{') return raw(line);
    if (words.front().back() == 's') {
      const auto at = parse_duration(words.front());
      if (!at) return fail(at.error());
      now_ns_ = static_cast<std::int64_t>(*at * 1e9) - kStep_ns;
      words.erase(words.begin());
    }
    int process = 0;
    const auto number = words.empty() ? std::errc::invalid_argument
                                      : std::from_chars(words[0].data(), words[0].data() + words[0].size(), process).ec;
    if (number != std::errc() || words.size() < 2)
      return fail(ErrorCode::input, "a process and what it does were expected");
    if (words[1] == "ends") return ends(process, {words.begin() + 2, words.end()});
    return begins(process, words);
  }

  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  Result<void> raw(const std::string& line) {
    auto event = Value::from_json(line);
    if (!event) return fail(event.error());
    return put(*std::move(event));
  }

  Result<void> put(Value event) {
    now_ns_ += kStep_ns;
    event.set("time", now_ns_);
    event.set("index", index_++);
    out_ += event.to_json() + "\n";
    return {};
  }

  Result<void> event(int process, std::string_view type, const Asked& of, const Value& value, const std::string& kind) {
    Value out = Value::map();
    out.set("process", process);
    out.set("type", type);
    out.set("f", of.f);
    if (of.has_key) out.set("key", of.key);
    out.set("value", value);
    if (!kind.empty()) out.set("error", Value::map({{"kind", kind}}));
    return put(std::move(out));
  }

  Result<void> begins(int process, const std::vector<std::string>& words) {
    Asked asked{words[1], {}, false, {}};
    std::size_t next = 2;
    if (next < words.size() && words[next].back() == ':') {
      asked.key = words[next].substr(0, words[next].size() - 1);
      asked.has_key = true;
      ++next;
    }
    const auto is_outcome = [](const std::string& word) {
      return word == "->" || word == "?" || word.front() == '!' || word == "begins";
    };
    if (next < words.size() && !is_outcome(words[next])) {
      auto value = Value::from_json(words[next++]);
      if (!value) return fail(value.error());
      asked.value = *std::move(value);
    }
    if (open_.contains(process)) return fail(ErrorCode::input, "the process has an operation under way");
    if (auto put = event(process, "invoke", asked, asked.value, ""); !put) return put;
    open_[process] = asked;
    if (next < words.size() && words[next] == "begins") return {};
    return ends(process, {words.begin() + static_cast<std::ptrdiff_t>(next), words.end()});
  }

  Result<void> ends(int process, const std::vector<std::string>& words) {
    const auto asked = open_.find(process);
    if (asked == open_.end()) return fail(ErrorCode::input, "the process has no operation under way");
    const Asked of = asked->second;
    open_.erase(asked);
    if (words.empty()) return event(process, "ok", of, of.value, "");
    if (words[0] == "?") return event(process, "info", of, of.value, "");
    if (words[0].front() == '!') return event(process, "fail", of, of.value, words[0].substr(1));
    if (words[0] != "->" || words.size() != 2)
      return fail(ErrorCode::input, "an outcome was expected: -> VALUE, ! or ?");
    const auto seen = Value::from_json(words[1]);
    if (!seen) return fail(seen.error());
    return event(process, "ok", of, *seen, "");
  }

  std::map<int, Asked> open_;
  std::int64_t now_ns_ = 0;
  std::int64_t index_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> example_history(std::string_view text) {
  Lines out;
  std::size_t number = 0;
  for (const std::string& line : lines(text)) {
    ++number;
    if (auto added = out.add(line); !added) {
      return fail(ErrorCode::input, fmt::format("line {} \"{}\": {}", number, line, added.error().message));
    }
  }
  return out.text();
}

}  // namespace ordeal
