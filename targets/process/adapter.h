#pragma once
// Adapter: one running adapter program and the conversation with it: a request as one line of JSON on its standard
// input, its reply as one line on its standard output (PROTOCOL.md).
//
// The program is not trusted to behave. Whatever it does, every call returns in time, memory is bounded, and what it
// did is named: it ended (adapter-crash), said something that is no reply (adapter-protocol), said far too much
// (adapter-flood) or nothing (adapter-timeout). After any of these it is killed with its whole process group and the
// object answers nothing any more.
//
// Thread-safety: one thread, which must be the one that started it: the kernel kills the program when that thread
// ends, so that no adapter outlives a controller that was killed.

#include <memory>

#include "targets/process/conversation.h"

namespace ordeal {

class Adapter final : public Conversation {
 public:
  // Errors: not_found, permission, internal.
  [[nodiscard]] static Result<std::unique_ptr<Adapter>> start(const AdapterSetup& setup);
  // Kills the process group and waits for its end.
  ~Adapter() override;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  [[nodiscard]] tl::expected<Value, AdapterFailure> ask(Value request, Deadline deadline) override;
  // Closes its standard input, gives it `patience` to end by itself, then kills what is left of its group.
  void end(std::chrono::milliseconds patience) override;

 private:
  struct Impl;
  explicit Adapter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ordeal
