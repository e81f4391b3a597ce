#pragma once
// A node that writes down the scripts it is given and answers as told; for tests of logic that never looks at a
// machine.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"

namespace ordeal::testing_support {

class RecordingNode final : public Node {
 public:
  using Answer = std::function<Result<CommandOutput>(const std::string& script)>;
  RecordingNode(std::string name, std::string address, Answer answer)
      : name_(std::move(name)), address_(std::move(address)), answer_(std::move(answer)) {}

  const std::string& name() const override { return name_; }
  const std::string& address() const override { return address_; }
  Result<CommandOutput> run(const Command& command) override {
    {
      const std::lock_guard lock(mutex_);
      scripts_.push_back(command.script);
    }
    return answer_(command.script);
  }
  Result<void> upload(const std::string&, const std::string&, const TransferProgress&) override {
    return fail(ErrorCode::unsupported, "not in this test");
  }
  Result<void> download(const std::string&, const std::string&, const TransferProgress&) override {
    return fail(ErrorCode::unsupported, "not in this test");
  }
  std::vector<std::string> scripts() const {
    const std::lock_guard lock(mutex_);
    return scripts_;
  }

 private:
  std::string name_;
  std::string address_;
  Answer answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> scripts_;
};

}  // namespace ordeal::testing_support
