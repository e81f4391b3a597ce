#include "checkers/run/log_pattern.h"

#include <regex.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "checkers/history/input.h"

namespace ordeal {
namespace {

constexpr const char* kDefaultPattern =
    "(^|[^[:alnum:]_])panic(:|\\()|^fatal "
    "error:|\"level\":\"(panic|dpanic|fatal)\"|(^|[^[:alnum:]_])FATAL([^[:alnum:]_]|$)|"
    "[Ss]egmentation fault|SIGSEGV|SIGABRT|AddressSanitizer|ThreadSanitizer: |runtime error: |"
    "terminate called|[Aa]ssertion .*failed|core dumped";
constexpr std::size_t kMaxAnomalies = 50;
constexpr std::size_t kMaxShown = 400;

// A compiled POSIX extended regular expression; unlike std::regex it needs no stack that grows with the line.
class Pattern {
 public:
  Pattern() = default;
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    if (compiled_) ::regfree(&regex_);
  }
  // Returns what is wrong with the expression, empty when nothing is.
  std::string compile(const std::string& text) {
    const int code = ::regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
      char message[256] = {};
      ::regerror(code, &regex_, message, sizeof message);
      return std::string("the pattern \"") + text + "\" is no POSIX extended regular expression: " + message;
    }
    compiled_ = true;
    return {};
  }
  [[nodiscard]] bool matches(std::string_view line) const {
    if (!compiled_) return false;
    regmatch_t range{};
    range.rm_so = 0;
    range.rm_eo = static_cast<regoff_t>(line.size());
    return ::regexec(&regex_, line.data(), 1, &range, REG_STARTEND) == 0;
  }

 private:
  regex_t regex_{};
  bool compiled_ = false;
};

struct Settings {
  std::vector<std::string> files;
  Pattern pattern;
  Pattern ignore;
};

// Returns what is wrong with the options, empty when nothing is.
std::string read_settings(const Value& extra, Settings& settings) {
  if (const Value* files = extra.find("log-pattern.files"); files != nullptr && files->is_list()) {
    for (const Value& file : files->items()) {
      if (!file.is_string()) return "log-pattern.files must hold paths, found " + file.to_json();
      settings.files.push_back(file.string());
    }
  }
  if (settings.files.empty()) return "no log was given to look at (log-pattern.files)";
  std::sort(settings.files.begin(), settings.files.end());
  const Value* pattern = extra.find("log-pattern.pattern");
  const bool given = pattern != nullptr && pattern->is_string() && !pattern->string().empty();
  if (std::string wrong = settings.pattern.compile(given ? pattern->string() : kDefaultPattern); !wrong.empty())
    return wrong;
  if (const Value* ignore = extra.find("log-pattern.ignore");
      ignore != nullptr && ignore->is_string() && !ignore->string().empty()) {
    return settings.ignore.compile(ignore->string());
  }
  return {};
}

class LogPatternChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "log-pattern"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    CheckResult result;
    result.checker = "log-pattern";
    result.algorithm = "regular expression";
    result.operations = history.operations().size();
    Settings settings;
    result.reason = read_settings(options.extra, settings);
    if (!result.reason.empty()) return result;

    std::int64_t matches = 0;
    std::int64_t lines = 0;
    std::vector<std::string> unread;
    for (const std::string& path : settings.files) {
      if (options.stop.stop_requested()) {
        result.reason = "stopped on request";
        break;
      }
      const auto input = Input::open(path);
      if (!input)
        unread.push_back(input.error().message);
      else
        matches += scan(path, input->text(), settings, lines, result.anomalies);
    }
    result.details.set("files", static_cast<std::int64_t>(settings.files.size()));
    result.details.set("lines", lines);
    result.details.set("matches", matches);
    if (!unread.empty()) result.reason = "a log could not be read: " + unread.front();
    if (matches > 0) {
      result.verdict = Verdict::invalid;
      result.reason.clear();
    } else if (result.reason.empty()) {
      result.verdict = Verdict::valid;
    }
    return result;
  }

 private:
  // Returns how many lines matched; the first of all files become anomalies.
  static std::int64_t scan(const std::string& path, std::string_view text, const Settings& settings,
                           std::int64_t& lines, std::vector<Anomaly>& anomalies) {
    std::int64_t matches = 0;
    std::int64_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t newline = std::min(text.find('\n', at), text.size());
      const std::string_view line = text.substr(at, newline - at);
      at = newline + 1;
      ++number;
      if (!settings.pattern.matches(line) || settings.ignore.matches(line)) continue;
      ++matches;
      if (anomalies.size() >= kMaxAnomalies) continue;
      Anomaly anomaly;
      anomaly.type = "crash-in-log";
      std::string shown(line.substr(0, kMaxShown));
      if (line.size() > kMaxShown) shown += "…";
      anomaly.explanation = path + ":" + std::to_string(number) + ": " + shown;
      anomaly.sentences.push_back("Line " + std::to_string(number) + " of " + path + " tells of a crash: " + shown);
      anomalies.push_back(std::move(anomaly));
    }
    lines += number;
    return matches;
  }
};

}  // namespace

std::shared_ptr<const Checker> log_pattern_checker() { return std::make_shared<LogPatternChecker>(); }

std::vector<AnomalyEntry> log_pattern_anomalies() {
  return {
      {"crash-in-log", "a line in the target's log says that it panicked or gave up"},
  };
}

}  // namespace ordeal
