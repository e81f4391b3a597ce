#pragma once
// The requests of the API as commands and queries: the table of all that clients can ask of the state. A request is a
// JSON object; doc: targets/log/doc/api.md. Thread-safety: pure.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/value.h"
#include "targets/log/server/state/machine.h"

namespace ordeal::log::node {

// How a request wants to be treated, whatever it is.
struct Manner {
  bool redirect = false;         // "on_follower": "proxy" or "redirect"
  bool repeat = false;           // "delivery" is at-least-once, or exactly-once (an idempotency key)
  bool local = false;            // "consistency": "local": what is here, however old
  std::uint64_t wait_ms = 0;     // of tail and watch: how long to wait for news
  std::uint64_t timeout_ms = 0;  // 0: the node's default
};
// Errors: usage, naming the member.
[[nodiscard]] Result<Manner> manner_of(const Value& request, bool redirect);

using Asked = std::variant<state::Command, state::Query>;
struct Verb {
  std::string_view path;
  Result<Asked> (*read)(const Value& request);
  bool one_result = false;  // the answer is that of the last step of a transaction
};
[[nodiscard]] const std::vector<Verb>& verbs();
// Nothing when there is no such path.
[[nodiscard]] const Verb* find_verb(std::string_view path);

// {"results":[null,X]} → X.
[[nodiscard]] std::string last_result(const std::string& body);

}  // namespace ordeal::log::node
