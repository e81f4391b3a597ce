#pragma once
// Derived: a data type that is another one but for what is said otherwise, for proofs (any_state.h). Thread-safety: as
// Model.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkers/linearizability/models/model.h"

namespace ordeal::lin {

// Whatever is not said otherwise is as in the model itself.
class Derived : public Model {
 public:
  explicit Derived(const Model& model) : model_(model) {}
  std::string_view name() const override { return model_.name(); }
  bool per_key() const override { return model_.per_key(); }
  Result<std::optional<Operation>> parse(OperationEvents op) const override { return model_.parse(op); }
  void step(const State& state, const Operation& op, std::vector<State>& successors) const override {
    model_.step(state, op, successors);
  }
  unsigned traits(const Operation& op) const override { return model_.traits(op); }
  bool covers(const Operation& strong, const Operation& weak) const override { return model_.covers(strong, weak); }
  std::string describe(const State& state) const override { return model_.describe(state); }
  std::string describe(const Operation& op) const override { return model_.describe(op); }

 protected:
  const Model& model_;
};

}  // namespace ordeal::lin
