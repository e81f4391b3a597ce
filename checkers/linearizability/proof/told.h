#pragma once
// Told: how operations, moments and spans of time are named in the sentences of a counterexample. Thread-safety: pure.

#include <string>

#include "checkers/linearizability/interfaces/key_history.h"

namespace ordeal::lin {

class Told {
 public:
  explicit Told(const KeyHistory& key) : h_(*key.history), model_(*key.model) {}

  // "process 6 on n4"
  [[nodiscard]] std::string who(const Call& call) const { return h_.client(h_.process(call.inv)); }
  // "event 9"
  [[nodiscard]] std::string event(EventIndex e) const { return "event " + std::to_string(h_.index(e)); }
  // "event 9 (0.005700 s)"
  [[nodiscard]] std::string moment(EventIndex e) const;
  // "read 1"
  [[nodiscard]] std::string what(const Call& call) const { return model_.describe(call.op); }
  [[nodiscard]] std::string value(std::int64_t id) const { return h_.values().to_json(static_cast<ValueId>(id)); }
  // "5.7 ms after" when both moments are known, else "after".
  [[nodiscard]] std::string after(EventIndex from, EventIndex to) const;

 private:
  const History& h_;
  const Model& model_;
};

// "340 ns", "5.7 ms", "1.25 s".
[[nodiscard]] std::string span_text(std::int64_t ns);

}  // namespace ordeal::lin
