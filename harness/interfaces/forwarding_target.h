#pragma once
// ForwardingTarget: a target that passes everything on to another: the base of those that change a part of it, such as
// a guard, or other clients for the same system. Thread-safety: that of the target it passes on to.

#include "harness/interfaces/target.h"

namespace ordeal {

class ForwardingTarget : public Target {
 public:
  // Borrows it.
  explicit ForwardingTarget(Target& to) : to_(to) {}

  std::string_view name() const override { return to_.name(); }
  Result<std::unique_ptr<Client>> client(std::size_t node) override { return to_.client(node); }
  Result<void> start(Node& node) override { return to_.start(node); }
  Result<void> stop(Node& node) override { return to_.stop(node); }
  Result<void> await_ready(Deadline deadline) override { return to_.await_ready(deadline); }
  Result<void> await_node(Node& node, Deadline deadline) override { return to_.await_node(node, deadline); }
  ClientSetup* client_setup() override { return to_.client_setup(); }
  Installation* installation() override { return to_.installation(); }
  const Files* files() const override { return to_.files(); }
  Processes* processes() override { return to_.processes(); }
  Roles* roles() override { return to_.roles(); }
  Membership* membership() override { return to_.membership(); }
  Versions* versions() override { return to_.versions(); }

 protected:
  Target& to_;
};

}  // namespace ordeal
