#pragma once
// ProcessClient: one adapter program as a Client. Every client starts a program of its own.
//
// Thread-safety: as Client; opened, used and closed on one thread (adapter.h says why).

#include <memory>

#include "harness/interfaces/target.h"
#include "targets/process/adapter.h"

namespace ordeal {

inline constexpr int kAdapterProtocol = 1;

class ProcessClient : public Client {
 public:
  // `greeting`: what `open` tells the adapter (node, nodes, endpoint, data_type).
  ProcessClient(AdapterSetup setup, Value greeting) : setup_(std::move(setup)), greeting_(std::move(greeting)) {}
  ~ProcessClient() override { close(); }

  Result<void> open(Deadline deadline) override;
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

 private:
  AdapterSetup setup_;
  Value greeting_;
  std::unique_ptr<Adapter> adapter_;
  bool told_unknown_members_ = false;
};

// What `describe` brought: the operations that the adapter knows. Errors: target.
[[nodiscard]] Result<std::vector<std::string>> adapter_operations(const AdapterSetup& setup, Deadline deadline);

// Whether an `ok` of the operation says nothing without a value, by doc/formats.md: a read, a dequeue, a generated id.
[[nodiscard]] bool must_return_a_value(const Operation& operation);

// Reads the reply to the `invoke` of that operation. Errors: what is wrong with it, also an `ok` without the value that
// the operation must return, which is never taken for nil.
[[nodiscard]] Result<Completion> completion_from(const Value& reply, const Operation& operation);

// The members of a reply that the protocol does not know, by commas; empty: none.
[[nodiscard]] std::string unknown_members(const Value& reply);

}  // namespace ordeal
