#include "nemesis/engine/trigger.h"

#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/names.h"
#include "base/text.h"
#include "nemesis/engine/wait.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/selector.h"

namespace ordeal {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kLeaderPause = milliseconds(250);
constexpr auto kLogWatch = std::chrono::seconds(1);  // how long a script on a node watches before it reports
constexpr std::size_t kLongestLine = 300;

constexpr std::string_view kPhases[] = {"main", "recovery", "final"};  // in the order of RunPhase

// What is wrong with a regular expression; empty: nothing.
std::string regex_problem(const std::string& text) {
  regex_t compiled;
  const int code = ::regcomp(&compiled, text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code == 0) {
    ::regfree(&compiled);
    return text.empty() ? "it is empty" : "";
  }
  char message[200] = {};
  ::regerror(code, &compiled, message, sizeof message);
  return message;
}

std::string names_of(const Cluster& cluster, const std::vector<std::size_t>& nodes) {
  return nodes.empty() ? "nobody" : joined(node_names(cluster, nodes));
}

Result<std::optional<std::string>> await_leader(const FaultContext& context, Deadline deadline,
                                                const std::stop_token& stop) {
  std::vector<std::size_t> before = known_primaries(context);
  while (pause_until(deadline.within(kLeaderPause), stop) && Clock::now() < deadline) {
    const auto now = known_primaries(context);
    if (now.empty()) continue;  // between two leaders
    if (!before.empty() && now != before) {
      return fmt::format("{} led, now {}", names_of(context.cluster, before), names_of(context.cluster, now));
    }
    before = now;
  }
  return std::nullopt;
}

// Watches one file for a second: prints "match" and the line, or "none", and where to go on. The last line is looked at
// again the next time, since it may not have been whole.
std::string watch_script(const std::string& file, const std::string& pattern, std::int64_t from) {
  return fmt::format(
      "f={}; at={}; i=0\n"
      "while [ $i -lt {} ]; do\n"
      "  i=$((i + 1))\n"
      "  size=$(wc -c <\"$f\" 2>/dev/null || echo 0)\n"
      "  [ $at -lt 0 ] && at=$size\n"
      "  [ \"$size\" -lt $at ] && at=0\n"
      "  if [ \"$size\" -gt $at ]; then\n"
      "    line=$(tail -c +$((at + 1)) \"$f\" | head -c $((size - at)) | LC_ALL=C grep -a -m 1 -E -e {}) && {{\n"
      "      echo \"match $size\"; printf '%s\\n' \"$line\"; exit 0; }}\n"
      "    at=$((size - $(tail -c +$((at + 1)) \"$f\" | head -c $((size - at)) | tail -n 1 | wc -c)))\n"
      "  fi\n"
      "  sleep 0.1\n"
      "done\n"
      "echo \"none $at\"\n",
      shell_quote(file), from, kLogWatch / milliseconds(100), shell_quote(pattern));
}

struct WatchedLog {
  std::size_t node = 0;
  std::string file;
  std::int64_t at = -1;  // -1: its end, when it is first looked at
};

// One look of a second at all logs. What was found; errors: when not one could be read.
Result<std::optional<std::string>> look_at(std::vector<WatchedLog>& logs, const std::string& pattern,
                                           const FaultContext& context) {
  std::vector<std::size_t> numbers(logs.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  const auto said = on_each(numbers, [&](std::size_t i) {
    Command command =
        root_script(watch_script(logs[i].file, pattern, logs[i].at), Clock::now() + std::chrono::seconds(10));
    return run_ok(context.cluster.at(logs[i].node), command);
  });
  std::size_t read = 0;
  for (std::size_t i = 0; i < said.size(); ++i) {
    if (!said[i]) continue;  // the node is cut off or overloaded at the moment
    ++read;
    const std::string& text = *said[i];
    const std::size_t space = text.find(' ');
    const std::size_t newline = text.find('\n');
    if (space == std::string::npos || newline == std::string::npos || space > newline) continue;
    std::from_chars(text.data() + space + 1, text.data() + newline, logs[i].at);
    if (!text.starts_with("match")) continue;
    std::string line = text.substr(newline + 1);
    while (!line.empty() && line.back() == '\n') line.pop_back();
    if (line.size() > kLongestLine) line = line.substr(0, kLongestLine) + "…";
    return fmt::format("{} wrote to {}: {}", context.cluster.at(logs[i].node).name(), logs[i].file, line);
  }
  if (read == 0) {
    for (const auto& one : said) {
      if (!one) return fail(one.error().during("watching logs"));
    }
  }
  return std::nullopt;
}

Result<std::optional<std::string>> await_line(const Trigger& trigger, const FaultContext& context, Deadline deadline,
                                              const std::stop_token& stop) {
  std::vector<WatchedLog> logs;
  for (std::size_t i = 0; i < context.cluster.size(); ++i) {
    if (!trigger.node.empty() && context.cluster.at(i).name() != trigger.node) continue;
    for (auto& file : log_files(context.target, context.cluster.at(i))) logs.push_back({i, std::move(file)});
  }
  if (logs.empty()) return fail(ErrorCode::unsupported, "there is no log to watch");
  int failures = 0;
  while (!stop.stop_requested() && Clock::now() < deadline) {
    auto seen = look_at(logs, trigger.what, context);
    if (seen && *seen) return seen;
    failures = seen ? 0 : failures + 1;
    if (failures == 5) return seen;
    if (!seen && !pause_until(Clock::now() + kLogWatch, stop)) break;
  }
  return std::nullopt;
}

}  // namespace

Result<Trigger> parse_trigger(std::string_view given) {
  const std::string_view text = trimmed(given);
  Trigger out;
  out.text = text;
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::usage, fmt::format("trigger \"{}\": {}", text, what));
  };
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (colon != std::string_view::npos) out.what = text.substr(colon + 1);
  if (kind == "leader-change" && colon == std::string_view::npos) {
    out.kind = Trigger::Kind::leader_change;
  } else if (kind == "log" || kind.starts_with("log@")) {
    out.kind = Trigger::Kind::log;
    if (kind != "log") out.node = kind.substr(4);
    if (const std::string problem = regex_problem(out.what); !problem.empty()) {
      return wrong("a POSIX extended regular expression was expected: " + problem);
    }
  } else if (kind == "operation" && !out.what.empty()) {
    out.kind = Trigger::Kind::operation;
  } else if (kind == "phase" && std::find(std::begin(kPhases), std::end(kPhases), out.what) != std::end(kPhases)) {
    out.kind = Trigger::Kind::phase;
  } else {
    return wrong(
        "leader-change, log:REGEX, log@NODE:REGEX, operation:F, phase:main, phase:recovery or phase:final was "
        "expected");
  }
  return out;
}

Result<std::vector<std::pair<std::string, Trigger>>> parse_lane_triggers(std::string_view text) {
  std::vector<std::pair<std::string, Trigger>> out;
  while (!trimmed(text).empty()) {
    const std::size_t end = text.find(';');
    std::string_view one = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (one.empty()) continue;
    std::string fault;
    // A '=' before any ':' cannot belong to a regular expression.
    const std::size_t equals = one.find('=');
    if (equals != std::string_view::npos && equals < one.find(':')) {
      fault = trimmed(one.substr(0, equals));
      one = one.substr(equals + 1);
    }
    auto trigger = parse_trigger(one);
    if (!trigger) return fail(trigger.error().during("nemesis.trigger"));
    out.emplace_back(std::move(fault), *std::move(trigger));
  }
  return out;
}

std::string trigger_problem(const Trigger& trigger, const FaultContext& context) {
  const std::string target(context.target.name());
  if (trigger.kind == Trigger::Kind::leader_change && context.target.roles() == nullptr) {
    return fmt::format("trigger {}: target {} cannot say which of its nodes lead", trigger.text, target);
  }
  if (trigger.kind != Trigger::Kind::log) return "";
  bool any = false;
  for (const auto& node : context.cluster.nodes) {
    if (!trigger.node.empty() && node->name() != trigger.node) continue;
    any = true;
    if (log_files(context.target, *node).empty()) {
      return fmt::format("trigger {}: target {} has no log on {}", trigger.text, target, node->name());
    }
  }
  return any ? "" : fmt::format("trigger {}: there is no node {}", trigger.text, trigger.node);
}

RunPhase phase_of(const Trigger& trigger) {
  return static_cast<RunPhase>(std::find(std::begin(kPhases), std::end(kPhases), trigger.what) - std::begin(kPhases));
}

Result<std::optional<std::string>> await_trigger(const Trigger& trigger, const FaultContext& context, NemesisLog& log,
                                                 Deadline deadline, const std::stop_token& stop) {
  switch (trigger.kind) {
    case Trigger::Kind::leader_change:
      return await_leader(context, deadline, stop);
    case Trigger::Kind::log:
      return await_line(trigger, context, deadline, stop);
    case Trigger::Kind::operation:
      while (!stop.stop_requested() && Clock::now() < deadline) {
        if (log.await_operation(trigger.what, deadline.within(milliseconds(200)))) {
          return fmt::format("a client had an operation {} under way", trigger.what);
        }
        // A log that knows of no clients answers at once.
        if (!pause_until(deadline.within(milliseconds(1)), stop)) break;
      }
      return std::nullopt;
    case Trigger::Kind::phase:
      return fmt::format("the {} phase has begun", trigger.what);  // its lane is played in that phase only
  }
  return std::nullopt;
}

}  // namespace ordeal
