#pragma once
// LogClient: the operations of doc/formats.md in terms of the API of ordeal-log; one client of one node.
//
// How outcomes are judged: an operation that changes nothing is `fail` whatever went wrong; one that may change
// something is `fail` only when the node or the network says that it certainly did nothing, else `info`. Nothing that
// changes data is sent twice. Where an operation reads before it writes (bank), the write is guarded by the versions
// that were read.
//
// Where things are: each data type has a prefix ("register/", "txn/", …) in the key-value map, or an object of its own
// kind (sets, queues, locks). Thread-safety: one thread at a time.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"
#include "targets/log/log_api.h"

namespace ordeal {

struct LogClientOptions {
  std::string data_type;
  bool local_reads = false;   // answered by the node alone, however old
  bool set_in_log = false;    // the set's elements are the entries of the append-only log
  bool ids_from_log = false;  // unique ids are positions in the log
  std::int64_t lock_ttl_s = 20;
  std::int64_t visibility_ms = 5000;  // of a message that was received
  std::int64_t max_attempts = 3;      // deliveries of a message
  std::int64_t accounts = 8;          // of the bank
};

class LogLease;

class LogClient : public Client {
 public:
  LogClient(std::string endpoint, LogClientOptions options);
  ~LogClient() override;

  // Connects with the first operation: a node that is down makes operations fail, not clients.
  Result<void> open(Deadline) override { return {}; }
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

  // The f's it understands.
  [[nodiscard]] static std::vector<std::string> operations();

 private:
  struct Verb;
  static const std::vector<Verb>& verbs();

  // client.cc
  Completion read(const Operation& operation, Deadline deadline);
  Completion write(const Operation& operation, Deadline deadline);
  Completion cas(const Operation& operation, Deadline deadline);
  Completion cas_version(const Operation& operation, Deadline deadline);
  Completion generate(const Operation& operation, Deadline deadline);
  Completion transact(const Operation& operation, Deadline deadline);
  // structures.cc: sets, counters, queues, the log, locks and elections.
  Completion add(const Operation& operation, Deadline deadline);
  Completion remove(const Operation& operation, Deadline deadline);
  Completion read_set(Deadline deadline);
  Completion read_counter(Deadline deadline);
  Completion append(const Operation& operation, Deadline deadline);
  Completion enqueue(const Operation& operation, Deadline deadline);
  Completion dequeue(const Operation& operation, Deadline deadline);
  Completion drain(const Operation& operation, Deadline deadline);
  Completion acquire(const Operation& operation, Deadline deadline);
  Completion release(const Operation& operation, Deadline deadline);
  Completion leader(const Operation& operation, Deadline deadline);
  // services.cc: what is built of transactions and queues.
  Completion receive(const Operation& operation, Deadline deadline);
  Completion settle(const Operation& operation, Deadline deadline);
  Completion drain_dead(const Operation& operation, Deadline deadline);
  Completion apply(const Operation& operation, Deadline deadline);
  Completion read_applied(Deadline deadline);
  Completion transfer(const Operation& operation, Deadline deadline);
  Completion read_bank(Deadline deadline);
  Completion insert(const Operation& operation, Deadline deadline);
  Completion read_events(const Operation& operation, Deadline deadline);
  Completion append_event(const Operation& operation, Deadline deadline);
  // public_log.cc: what anybody can verify.
  Completion append_public(const Operation& operation, Deadline deadline);
  Completion read_public(const Operation& operation, Deadline deadline);
  Completion head(const Operation& operation, Deadline deadline);
  Completion prove(const Operation& operation, Deadline deadline);

  // A transaction's results, in the order of its steps.
  [[nodiscard]] LogAnswer<Value::List> steps(Value::List steps, bool changes, Deadline deadline,
                                             const std::string& idempotency_key = "");
  // All entries of the log, from one on.
  [[nodiscard]] LogAnswer<Value::List> log_entries(std::int64_t from, Deadline deadline);
  [[nodiscard]] Value request() const;  // with the consistency of reads

  LogApi api_;
  const LogClientOptions options_;
  std::unique_ptr<LogLease> lease_;           // of the lock or the office that this client holds
  std::map<Value, std::int64_t> deliveries_;  // tokens of the messages that this client has
};

// The completion of an operation for which there is no answer that it took effect. `changes`: it may change something.
[[nodiscard]] Completion unanswered(const LogProblem& problem, bool changes);

}  // namespace ordeal
