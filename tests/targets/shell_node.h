#pragma once
// ShellNode: this machine as a node, for tests of database halves without a cluster. Only for targets whose files and
// processes are kept apart by options: nothing isolates the node from the machine.

#include <string>

#include "harness/control/node.h"

namespace ordeal::testing {

class ShellNode : public Node {
 public:
  ShellNode(std::string name, std::string address) : name_(std::move(name)), address_(std::move(address)) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::string& address() const override { return address_; }
  [[nodiscard]] Result<CommandOutput> run(const Command& command) override;
  [[nodiscard]] Result<void> upload(const std::string& local, const std::string& remote,
                                    const TransferProgress& progress) override;
  [[nodiscard]] Result<void> download(const std::string& remote, const std::string& local,
                                      const TransferProgress& progress) override;

 private:
  std::string name_;
  std::string address_;
};

// Runs a script when the test ends, however it ends: a shell in a session of its own waits for the end of its input.
class AtEnd {
 public:
  explicit AtEnd(const std::string& script);
  ~AtEnd();
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  FILE* pipe_ = nullptr;
};

}  // namespace ordeal::testing
