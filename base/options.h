#pragma once
// The options of targets, workloads and faults: one table each, which drives parsing, help, `ordeal list` and the
// range checks of `--set KEY=VALUE`.
//
// A key is "<owner>.<name>": `etcd.serializable-reads`, `register.keys`, `partition.shape`. Thread-safety: built
// before a run, then read.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/value.h"

namespace ordeal {

struct OptionSpec {
  enum class Type { boolean, integer, real, string, duration };  // duration: "1.5s", "200ms", "2m"; kept in seconds
  std::string key;
  Type type = Type::string;
  Value default_value;
  std::string help;
  std::optional<double> min = std::nullopt;  // numbers and durations (seconds)
  std::optional<double> max = std::nullopt;
  std::vector<std::string> choices = {};  // strings; empty: any. Read by is_choice()
};

// Whether `text` is that choice; one that ends in "-T" stands for every duration in place of the T ("eventual-T":
// eventual-2s).
[[nodiscard]] bool is_choice(std::string_view choice, std::string_view text);

// The resolved values of a set of options, each with where it came from.
class Options {
 public:
  Options() = default;
  // Every option with its default.
  explicit Options(std::vector<OptionSpec> specs);

  // Adds further options with their defaults. Keys must be new (checked).
  void declare(const std::vector<OptionSpec>& specs);
  // Parses and sets one option. `origin` is for people: "--set", "campaign.toml:12". Errors: usage, naming the key,
  // what was found, the range or the choices; an unknown key lists the known ones of the same owner.
  [[nodiscard]] Result<void> set(std::string_view key, std::string_view text, std::string_view origin);

  // Requires: the key was declared with that type (checked).
  [[nodiscard]] bool boolean(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key) const;
  [[nodiscard]] double real(std::string_view key) const;
  [[nodiscard]] std::string string(std::string_view key) const;
  [[nodiscard]] double seconds(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const;

  [[nodiscard]] const std::vector<OptionSpec>& specs() const { return specs_; }
  [[nodiscard]] const Value& value(std::string_view key) const;
  [[nodiscard]] const std::string& origin(std::string_view key) const;  // "default" unless set

 private:
  struct Setting {
    std::size_t spec = 0;
    Value value;
    std::string origin = "default";
  };
  const Setting& setting(std::string_view key) const;
  std::vector<OptionSpec> specs_;
  std::map<std::string, Setting, std::less<>> settings_;
};

// "1.5s", "200ms", "2m", "1h", or a bare number of seconds. Errors: usage.
[[nodiscard]] Result<double> parse_duration(std::string_view text);

}  // namespace ordeal
