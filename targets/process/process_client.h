#pragma once
// ProcessClient: an adapter program as a Client: one of its own, or a place in one that serves many.
//
// Thread-safety: as Client; opened, used and closed on one thread (adapter.h says why).

#include <memory>

#include "harness/interfaces/target.h"
#include "targets/process/adapter.h"
#include "targets/process/shared_adapter.h"

namespace ordeal {

inline constexpr int kAdapterProtocol = 1;

class ProcessClient : public Client {
 public:
  // `greeting`: what `open` tells the adapter (node, nodes, endpoint, data_type). `shared`: nullptr when each client
  // has a program of its own.
  ProcessClient(AdapterSetup setup, Value greeting, std::shared_ptr<SharedAdapters> shared = nullptr)
      : setup_(std::move(setup)), greeting_(std::move(greeting)), shared_(std::move(shared)) {}
  ~ProcessClient() override { close(); }

  Result<void> open(Deadline deadline) override;
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

 private:
  AdapterSetup setup_;
  Value greeting_;
  std::shared_ptr<SharedAdapters> shared_;
  std::unique_ptr<Conversation> adapter_;
  bool told_unknown_members_ = false;
};

struct AdapterDescription {
  std::vector<std::string> operations;
  std::size_t clients = 1;  // that one program serves at once
};
// What `describe` brought. Errors: target.
[[nodiscard]] Result<AdapterDescription> describe_adapter(const AdapterSetup& setup, Deadline deadline);

// Whether an `ok` of the operation says nothing without a value, by doc/formats.md: a read, a dequeue, a generated id.
[[nodiscard]] bool must_return_a_value(const Operation& operation);

// Reads the reply to the `invoke` of that operation. Errors: what is wrong with it, also an `ok` without the value that
// the operation must return, which is never taken for nil.
[[nodiscard]] Result<Completion> completion_from(const Value& reply, const Operation& operation);

// The members of a reply that the protocol does not know, by commas; empty: none.
[[nodiscard]] std::string unknown_members(const Value& reply);

}  // namespace ordeal
