#include "session/environment.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/version.h"
#include "checkers/history/placement.h"
#include "nemesis/catalogue.h"

namespace ordeal {
namespace {

Environment::Host this_host() {
  utsname system{};
  uname(&system);
  Environment::Host host;
  host.kernel = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  host.processors = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  host.memory_mib = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) / 1024 * sysconf(_SC_PAGESIZE) / 1024;
  return host;
}

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

std::int64_t integer_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_integer() ? found->integer() : 0;
}

// An unknown word is that of another version: something went wrong, whatever it was.
ErrorCode error_code(const std::string& word) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    if (name(static_cast<ErrorCode>(i)) == word) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::internal;
}

// Whether even a sound target may give up under a fault of that name.
bool may_crash_under(const std::string& name) {
  const auto fault = find_fault(name);
  return fault && (*fault)->crashes;
}

}  // namespace

std::vector<std::string> Environment::worker_nodes(int workers) const {
  std::vector<std::string> out;
  for (int worker = 0; worker < workers && !nodes.empty(); ++worker) {
    out.push_back(nodes[node_of(static_cast<std::size_t>(worker), nodes.size())]);
  }
  return out;
}

Value Environment::facts() const {
  Value out = Value::map();
  if (!ordeal_version.empty()) out.set("ordeal", ordeal_version);
  if (host) {
    Value one = Value::map();
    one.set("kernel", host->kernel);
    one.set("processors", host->processors);
    one.set("memory_mib", host->memory_mib);
    out.set("host", std::move(one));
  }
  if (target) out.set("target", *target);
  return out;
}

Value Environment::to_value() const {
  Value out = Value::map();
  out.set("started", started_utc);
  out.set("command", command);
  out.set("log_pattern", log_pattern);
  Value names = Value::list();
  for (const auto& node : nodes) names.items().emplace_back(node);
  out.set("nodes", std::move(names));
  out.set("environment", facts());
  if (outcome) out.set("outcome", *outcome);
  if (failure) {
    Value one = Value::map();
    one.set("code", name(failure->code));
    one.set("message", failure->message);
    out.set("failure", std::move(one));
  }
  return out;
}

Environment Environment::from_value(const Value& value) {
  Environment out;
  out.started_utc = text_of(value, "started");
  out.command = text_of(value, "command");
  out.log_pattern = text_of(value, "log_pattern");
  if (const Value* names = value.find("nodes"); names != nullptr && names->is_list()) {
    for (const auto& node : names->items()) {
      if (node.is_string()) out.nodes.push_back(node.string());
    }
  }
  if (const Value* facts = value.find("environment")) {
    out.ordeal_version = text_of(*facts, "ordeal");
    if (const Value* host = facts->find("host")) {
      out.host = Host{text_of(*host, "kernel"), integer_of(*host, "processors"), integer_of(*host, "memory_mib")};
    }
    if (const Value* target = facts->find("target")) out.target = *target;
  }
  if (const Value* outcome = value.find("outcome")) out.outcome = *outcome;
  if (const Value* failure = value.find("failure")) {
    out.failure = Error{error_code(text_of(*failure, "code")), text_of(*failure, "message")};
  }
  return out;
}

Environment environment_of(const Plan& plan, const Target& target, const Cluster& cluster) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Environment out;
  out.started_utc = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", now);
  out.command = repeat_command(plan);
  const bool may_crash = std::any_of(plan.nemesis.begin(), plan.nemesis.end(), may_crash_under);
  out.log_pattern = may_crash ? "" : ordeal::log_pattern(target);
  for (const auto& node : cluster.nodes) out.nodes.push_back(node->name());
  out.ordeal_version = kVersion;
  out.host = this_host();
  return out;
}

}  // namespace ordeal
