#pragma once
// What a worker asks a client to do, and what came of it. Thread-safety: value types.

#include <optional>
#include <string>
#include <utility>

#include "base/deadline.h"
#include "base/value.h"
#include "checkers/history/history.h"

namespace ordeal {

struct Operation {
  std::string f;             // "read", "write", "cas", "txn", … (doc/formats.md)
  std::optional<Value> key;  // when the operation concerns one key
  Value value;               // its argument; nil for a read
};

struct Completion {
  EventType type = EventType::info;  // ok, fail or info
  std::optional<Value> value;        // what was observed; absent: that of the operation
  std::optional<EventError> error;   // on fail and info: why; on ok: what was odd about it

  static Completion ok() { return {EventType::ok, std::nullopt, std::nullopt}; }
  static Completion ok(Value seen) { return {EventType::ok, std::move(seen), std::nullopt}; }
  // It certainly did not happen.
  static Completion failed(std::string kind, std::string message) {
    return {EventType::fail, std::nullopt, EventError{std::move(kind), std::move(message)}};
  }
  // A failure of these two kinds says that the client found nobody to talk to: "no-connection" (nothing was tried) and
  // "connection-refused". The worker then rests for a moment, so that a dead node, which answers faster than any live
  // one, does not draw most of the operations to itself.
  [[nodiscard]] bool found_nobody() const {
    return type == EventType::fail && error && (error->kind == "no-connection" || error->kind == "connection-refused");
  }

  // Nobody knows whether it happened.
  static Completion unknown(std::string kind, std::string message) {
    return {EventType::info, std::nullopt, EventError{std::move(kind), std::move(message)}};
  }
};

}  // namespace ordeal
