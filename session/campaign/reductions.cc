#include "session/campaign/reductions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/options.h"
#include "base/text.h"
#include "base/value.h"
#include "harness/interfaces/plan.h"

namespace ordeal {
namespace {

constexpr double kFactors[] = {0.125, 0.25, 0.5, 0.75};
constexpr double kBold[] = {0.125, 0.25, 1};  // of the main phase, with next to no faults
constexpr double kMinTime_s = 0.1;
constexpr double kFirstFault_s = 0.5;  // of a timeline of ours
constexpr double kPatience_s = 1;      // what an operation is given at least
constexpr const char* kTimeline = "nemesis.timeline";

std::string text_of(const RunRequest& request, const char* flag) {
  const auto given = request.flags.find(flag);
  return given == request.flags.end() ? plan_setting(flag).default_text() : given->second.text;
}

double seconds_of(const RunRequest& request, const char* flag) {
  return parse_duration(text_of(request, flag)).value_or(0);
}

// Three significant digits, as one would write it.
std::string shown(double number) { return fmt::format("{}", std::stod(fmt::format("{:.3g}", number))); }

RunRequest with(RunRequest request, const char* flag, const std::string& text) {
  request.flags[flag] = {text, "shrunk"};
  return request;
}

// Faults that come and go faster, so that as many of them fit into a main phase that is shorter.
RunRequest faster_faults(RunRequest request, double factor) {
  for (const char* flag : {"nemesis-interval", "nemesis-duration"}) {
    const double faster_s = std::max(0.1, seconds_of(request, flag) * factor);
    request = with(std::move(request), flag, shown(faster_s));
  }
  return request;
}

// Clients that give up sooner: one that waits out a node that was cut off has the same number of attempts in a main
// phase that is shorter.
RunRequest sooner_time_outs(RunRequest request, double factor) {
  const double now_s = seconds_of(request, "op-timeout");
  const double sooner_s = std::max(kPatience_s, now_s * factor);
  return sooner_s < now_s ? with(std::move(request), "op-timeout", shown(sooner_s)) : request;
}

bool has_faults(const RunRequest& request) { return !split(text_of(request, "nemesis"), ',').empty(); }

std::vector<Reduction> fewer_seconds(const RunRequest& request) {
  std::vector<Reduction> out;
  const double now = seconds_of(request, "time-limit");
  for (const double factor : kFactors) {
    const double wanted = std::max(kMinTime_s, now * factor);
    if (wanted >= now) continue;
    const std::string what = fmt::format("seconds {} → {}", shown(now), shown(wanted));
    const RunRequest shorter = with(request, "time-limit", shown(wanted));
    // A script says itself when its faults come.
    if (has_faults(request) && !request.settings.contains(kTimeline)) {
      const RunRequest faster = faster_faults(shorter, factor);
      out.push_back({what + ", faults and time-outs in step", sooner_time_outs(faster, factor)});
      out.push_back({what + ", faults in step", faster});
    }
    out.push_back({what, shorter});
  }
  return out;
}

// Without the options of faults that are no longer there. The schedule's are no matter to a run without faults.
RunRequest without_fault(RunRequest request, const std::vector<std::string>& left, const std::string& fault) {
  request.flags["nemesis"] = {join(left, ","), "shrunk"};
  std::erase_if(request.settings, [&](const auto& one) {
    return one.first.starts_with(fault + ".") || (left.empty() && one.first.starts_with("nemesis."));
  });
  if (left.empty()) {
    for (const char* flag : {"nemesis-interval", "nemesis-duration"}) request.flags.erase(flag);
  }
  return request;
}

RunRequest without_faults(RunRequest request, const std::vector<std::string>& faults) {
  for (const std::string& fault : faults) request = without_fault(std::move(request), {}, fault);
  return request;
}

// A script of those entries alone for which `stays` says so, by their place.
template <class Stays>
RunRequest shorter_script(const RunRequest& request, const Value& script, Stays stays) {
  Value left = Value::list();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < script.items().size(); ++i) {
    if (!stays(i)) continue;
    left.items().push_back(script.items()[i]);
    const Value* fault = script.items()[i].find("fault");
    if (fault == nullptr || !fault->is_string()) continue;
    if (std::find(names.begin(), names.end(), fault->string()) == names.end()) names.push_back(fault->string());
  }
  RunRequest smaller = request;
  for (const std::string& fault : split(text_of(request, "nemesis"), ',')) {
    if (std::find(names.begin(), names.end(), fault) == names.end()) {
      smaller = without_fault(std::move(smaller), names, fault);
    }
  }
  smaller.settings[kTimeline] = {left.to_json(), "shrunk"};
  return smaller;
}

// A script with one of its entries, with either half of them, and with each of them left out in turn.
std::vector<Reduction> shorter_scripts(const RunRequest& request) {
  std::vector<Reduction> out;
  const auto script = Value::from_json(request.settings.at(kTimeline).text);
  if (!script || !script->is_list() || script->items().size() < 2) return out;
  const std::size_t entries = script->items().size();
  const auto add = [&](std::string what, auto stays) {
    out.push_back({std::move(what), shorter_script(request, *script, stays)});
  };
  for (std::size_t one = 0; entries > 2 && one < entries; ++one) {
    add(fmt::format("entry {} of the timeline only", one + 1), [one](std::size_t i) { return i == one; });
  }
  if (const std::size_t half = entries / 2; half > 1) {
    add(fmt::format("entries 1 to {} of the timeline only", half), [half](std::size_t i) { return i < half; });
    add(fmt::format("entries {} to {} of the timeline only", half + 1, entries),
        [half](std::size_t i) { return i >= half; });
  }
  for (std::size_t gone = 0; gone < entries; ++gone) {
    add(fmt::format("entry {} of the timeline left out", gone + 1), [gone](std::size_t i) { return i != gone; });
  }
  return out;
}

double first_fault_s(const RunRequest& request) {
  return std::min(kFirstFault_s, seconds_of(request, "time-limit") / 4);
}

// One injection of a fault alone, at a time that is said, in force for so long.
Reduction one_injection(const RunRequest& request, const std::vector<std::string>& faults, const std::string& fault,
                        double duration_s) {
  RunRequest alone = request;
  for (const std::string& other : faults) {
    if (other != fault) alone = without_fault(std::move(alone), {fault}, other);
  }
  // How the faults come is now said by the script alone.
  for (const char* key : {"nemesis.schedule", "nemesis.trigger", "nemesis.swarm"}) alone.settings.erase(key);
  Value entry = Value::map({{"at", first_fault_s(request)}, {"fault", fault}, {"duration", duration_s}});
  alone.flags["nemesis"] = {fault, "shrunk"};
  alone.settings[kTimeline] = {Value::list({entry}).to_json(), "shrunk"};
  return {fmt::format("one {} only, for {} s", fault, shown(duration_s)), std::move(alone)};
}

// As long as the run's own faults, or for half of the main phase: one that replaces several may need longer.
std::vector<Reduction> one_injection(const RunRequest& request, const std::vector<std::string>& faults) {
  std::vector<Reduction> out;
  const double own_s = seconds_of(request, "nemesis-duration");
  const double half_s = std::stod(shown(seconds_of(request, "time-limit") / 2));
  for (const std::string& fault : faults) {
    out.push_back(one_injection(request, faults, fault, own_s));
    if (half_s > own_s) out.push_back(one_injection(request, faults, fault, half_s));
  }
  return out;
}

std::vector<Reduction> fewer_faults(const RunRequest& request) {
  std::vector<Reduction> out;
  const std::vector<std::string> faults = split(text_of(request, "nemesis"), ',');
  if (faults.empty() || faults.front() == "none") return out;
  out.push_back({"no faults", without_faults(request, faults)});
  if (request.settings.contains(kTimeline)) {
    auto scripts = shorter_scripts(request);
    out.insert(out.end(), scripts.begin(), scripts.end());
    return out;
  }
  const auto alone = one_injection(request, faults);
  out.insert(out.end(), alone.begin(), alone.end());
  for (const std::string& fault : faults) {
    std::vector<std::string> left;
    std::copy_if(faults.begin(), faults.end(), std::back_inserter(left),
                 [&fault](const std::string& one) { return one != fault; });
    if (!left.empty()) out.push_back({"without " + fault, without_fault(request, left, fault)});
  }
  return out;
}

std::vector<Reduction> few_faults(const RunRequest& request) {
  std::vector<Reduction> out;
  const std::vector<std::string> faults = split(text_of(request, "nemesis"), ',');
  if (faults.empty() || faults.front() == "none") return out;
  const double now = seconds_of(request, "time-limit");
  for (const double factor : kBold) {
    const double wanted = std::stod(shown(std::max(kMinTime_s, now * factor)));
    if (factor < 1 && wanted >= now) continue;
    const RunRequest shorter =
        factor < 1 ? sooner_time_outs(with(request, "time-limit", shown(wanted)), factor) : request;
    const std::string what =
        factor < 1 ? fmt::format("seconds {} → {}, time-outs in step, ", shown(now), shown(wanted)) : "";
    out.push_back({what + "no faults", without_faults(shorter, faults)});
    // A script says itself when its faults come.
    if (request.settings.contains(kTimeline)) continue;
    // To the end of the main phase: what shows while it is in force has the most time to show. Or for half of it: some
    // things show after the healing.
    for (const std::string& fault : faults) {
      for (const double duration_s : {wanted - first_fault_s(shorter), wanted / 2}) {
        Reduction one = one_injection(shorter, faults, fault, std::stod(shown(duration_s)));
        out.push_back({what + one.what, std::move(one.request)});
      }
    }
  }
  return out;
}

// Nodes that are made for the run can be fewer; which of somebody's own machines are left is not ours to say.
std::vector<Reduction> fewer_nodes(const RunRequest& request) {
  std::vector<Reduction> out;
  const std::string now = text_of(request, "nodes");
  for (const std::string kind : {"local:", "docker:"}) {
    int count = 0;
    if (!now.starts_with(kind)) continue;
    const char* begin = now.data() + kind.size();
    const char* end = now.data() + now.size();
    const auto parsed = std::from_chars(begin, end, count);
    if (parsed.ec != std::errc() || parsed.ptr != end) return out;
    int before = 0;
    for (const int fewer : {1, 2, 3, 5, count - 1}) {
      if (fewer >= count || fewer <= before) continue;
      before = fewer;
      out.push_back({fmt::format("nodes {} → {}", count, fewer), with(request, "nodes", kind + std::to_string(fewer))});
    }
  }
  return out;
}

std::vector<Reduction> fewer_clients(const RunRequest& request) {
  std::vector<Reduction> out;
  int now = 0;
  const std::string text = text_of(request, "concurrency");
  (void)std::from_chars(text.data(), text.data() + text.size(), now);
  int before = 0;
  for (const double factor : kFactors) {
    const int wanted = std::max(1, static_cast<int>(std::lround(now * factor)));
    if (wanted >= now || wanted == before) continue;
    before = wanted;
    out.push_back({fmt::format("clients {} → {}", now, wanted), with(request, "concurrency", std::to_string(wanted))});
  }
  return out;
}

std::vector<Reduction> fewer_operations(const RunRequest& request) {
  std::vector<Reduction> out;
  const std::string text = text_of(request, "rate");
  const double now = text == "unlimited" ? 0 : parse_duration(text).value_or(0);  // a bare number
  if (text == "unlimited" || text == "0") {
    for (const double wanted : {20.0, 200.0}) {
      out.push_back(
          {fmt::format("operations a second, unlimited → {}", shown(wanted)), with(request, "rate", shown(wanted))});
    }
    return out;
  }
  for (const double factor : kFactors) {
    const double wanted = std::max(1.0, now * factor);
    if (wanted >= now) continue;
    out.push_back(
        {fmt::format("operations a second, {} → {}", shown(now), shown(wanted)), with(request, "rate", shown(wanted))});
  }
  return out;
}

}  // namespace

std::vector<Reduction> reductions(const RunRequest& request, Respect respect) {
  switch (respect) {
    case Respect::few_faults:
      return few_faults(request);
    case Respect::seconds:
      return fewer_seconds(request);
    case Respect::faults:
      return fewer_faults(request);
    case Respect::nodes:
      return fewer_nodes(request);
    case Respect::clients:
      return fewer_clients(request);
    case Respect::rate:
      return fewer_operations(request);
  }
  return {};
}

}  // namespace ordeal
