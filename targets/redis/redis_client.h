#pragma once
// RedisClient: one worker's connection to one Redis server, over libhiredis, which repeats nothing by itself.
//
// A register is a string key, the set a set, the counter a number. Compare-and-set is one script, which Redis runs
// atomically. What the server refused before it did anything (it is loading, read-only, or its disk is broken) has
// certainly failed; whatever happened after a request had left is unknown, unless it was a read. Thread-safety: as
// Client.

#include <memory>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"

struct redisContext;
struct redisReply;

namespace ordeal {

class RedisClient final : public Client {
 public:
  // `counter`: whether add and read without a key mean the counter rather than the set.
  RedisClient(std::string address, int port, bool counter)
      : address_(std::move(address)), port_(port), counter_(counter) {}
  ~RedisClient() override { close(); }

  [[nodiscard]] static std::vector<std::string> operations() { return {"read", "write", "cas", "add"}; }

  Result<void> open(Deadline deadline) override;
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

 private:
  struct FreeContext {
    void operator()(redisContext* context) const;
  };
  struct FreeReply {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  // The server's answer; or null, and then `problem` is what became of the operation.
  Reply ask(const std::vector<std::string>& words, bool changes, Deadline deadline, Completion& problem);
  Completion read(const Operation& operation, Deadline deadline);
  Completion read_all(Deadline deadline);
  Completion change(const std::vector<std::string>& words, Deadline deadline);
  Completion cas(const Operation& operation, Deadline deadline);

  const std::string address_;
  const int port_;
  const bool counter_;
  std::unique_ptr<redisContext, FreeContext> context_;
};

}  // namespace ordeal
