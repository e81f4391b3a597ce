#include "targets/sql/outcome.h"

#include <array>

namespace ordeal {
namespace {

// What both answer alike.
#define ORDEAL_COMMON_STATES                                                                                    \
  {"22", true, "bad-data"}, {"23", true, "constraint"}, {"23505", true, "unique-violation"},                    \
      {"25", true, "transaction-state"}, {"25006", true, "read-only"}, {"25P03", false, "transaction-timeout"}, \
      {"25P04", false, "transaction-timeout"}, {"42", true, "bad-statement"}, {"42P01", true, "no-table"},      \
      {"0A", true, "not-supported"}, {"08", false, "connection-closed"}, {"53", false, "resources"},            \
      {"57", false, "shutdown"}, {"57014", false, "canceled"}, {"40001", true, "serialization-failure"},        \
      {"40003", false, "ambiguous"}, {"40P01", true, "deadlock"}, {"55P03", true, "lock-not-available"},        \
      {"XX001", false, "data-corrupted"}, {                                                                     \
    "XX002", false, "index-corrupted"                                                                           \
  }

constexpr std::array kPostgres = std::to_array<SqlStateRule>({
    ORDEAL_COMMON_STATES, {"40002", true, "constraint"},  // a deferred constraint
});

constexpr std::array kCockroachdb = std::to_array<SqlStateRule>({
    ORDEAL_COMMON_STATES,
    {"58C00", false, "range-unavailable"},
    {"58C01", false, "connection-closed"},
    {"XXC02", true, "license"},
    {"XCUBS", true, "staleness-bound"},
    {"XCEXF", true, "expected-failure"},
    // The rows are committed and a change of the schema is not: no workload makes one, so nobody knows what happened.
    {"XXA00", false, "schema-change"},
});
#undef ORDEAL_COMMON_STATES

const SqlStateRule* rule_for(std::span<const SqlStateRule> states, std::string_view state) {
  const SqlStateRule* found = nullptr;
  for (const auto& rule : states) {
    if (state.starts_with(rule.prefix) && (found == nullptr || rule.prefix.size() > found->prefix.size()))
      found = &rule;
  }
  return found;
}

// CockroachDB names the reason for a retry after "restart transaction: Transaction…Error: ".
std::string_view retry_reason(std::string_view message) {
  for (const std::string_view word : {"RETRY_", "ABORT_REASON_", "ReadWithinUncertaintyInterval"}) {
    const auto at = message.find(word);
    if (at == std::string_view::npos) continue;
    return message.substr(at, message.find_first_of(" :,()", at) - at);
  }
  return {};
}

}  // namespace

std::span<const SqlStateRule> postgres_states() { return kPostgres; }
std::span<const SqlStateRule> cockroachdb_states() { return kCockroachdb; }

Completion unanswered(std::span<const SqlStateRule> states, const SqlProblem& problem, SqlPhase phase, bool changes) {
  const SqlStateRule* rule = problem.state.empty() ? nullptr : rule_for(states, problem.state);
  std::string kind = problem.late            ? "timeout"
                     : problem.state.empty() ? "connection-closed"
                     : rule != nullptr       ? std::string(rule->kind)
                                             : "sqlstate-" + problem.state;
  if (const auto reason = retry_reason(problem.message); problem.state == "40001" && !reason.empty()) kind = reason;
  const std::string message = problem.state.empty() ? problem.message : problem.state + ": " + problem.message;
  // Whatever the code: the server itself says that it does not know.
  const bool ambiguous = problem.state == "40003" || problem.message.find("result is ambiguous") != std::string::npos;
  const bool certain = !ambiguous && (phase == SqlPhase::before_commit || (rule != nullptr && rule->certain));
  if (certain || !changes) return Completion::failed(std::move(kind), message);
  return Completion::unknown(std::move(kind), message);
}

}  // namespace ordeal
