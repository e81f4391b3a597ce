#pragma once
// EtcdClient: the operations of doc/formats.md, in terms of etcd's API; one client of one member.
//
// How outcomes are judged: an operation that changes nothing is `fail` whatever went wrong; one that may change
// something is `fail` only when etcd or the network certainly did nothing, else `info`. Nothing that changes data is
// ever sent twice. Where an operation takes several requests (add to a set by compare-and-set, transactions with
// append) at most one of them changes data, guarded by the revisions that were read, and it is repeated with new
// guards only after etcd said that the guard did not hold. A slow transaction (txn.slow-share) reads first, waits, and
// commits what it makes of that if nothing that it read has changed.
//
// Where things are: keys of registers and transactions under "ordeal/kv/", elements of the set under "ordeal/set/";
// values are JSON text. nil is the absence of the key.
//
// Thread-safety: one thread at a time.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/interfaces/slow_transactions.h"
#include "harness/interfaces/target.h"
#include "targets/etcd/api.h"

namespace ordeal {

struct EtcdClientOptions {
  bool serializable_reads = false;
  bool set_by_cas = false;  // the set is one key, changed by compare-and-set; else one key for each element
  bool counter = false;     // `add` and a read without a key mean a counter, not a set
  std::int64_t lock_ttl_s = 10;
};

class EtcdLease;

class EtcdClient : public Client {
 public:
  EtcdClient(std::string endpoint, EtcdClientOptions options, SlowTransactions slow = {});
  ~EtcdClient() override;

  // Connects with the first operation: a member that is down makes operations fail, not clients.
  Result<void> open(Deadline) override { return {}; }
  Completion invoke(const Operation& operation, Deadline deadline) override;
  void close() override;

  // The f's it understands.
  [[nodiscard]] static std::vector<std::string> operations();

 private:
  struct Verb;
  static const std::vector<Verb>& verbs();

  // client.cc: registers and unique ids.
  Completion read(const Operation& operation, Deadline deadline);
  Completion write(const Operation& operation, Deadline deadline);
  Completion cas(const Operation& operation, Deadline deadline);
  Completion generate(const Operation& operation, Deadline deadline);
  // structures.cc: set, counter, lock.
  Completion add(const Operation& operation, Deadline deadline);
  Completion update(const std::string& key, Deadline deadline, const std::function<Value(const Value&)>& change);
  Completion read_all(Deadline deadline);
  Completion acquire(const Operation& operation, Deadline deadline);
  Completion release(const Operation& operation, Deadline deadline);
  // transaction.cc
  Completion transact(const Operation& operation, Deadline deadline);

  EtcdApi api_;
  EtcdClientOptions options_;
  SlowTransactions slow_;
  std::unique_ptr<EtcdLease> lease_;  // of the lock that this client holds
  std::int64_t token_ = 0;            // the revision at which it acquired it
};

// The completion of an operation for which etcd gave no answer. `changes`: it may have changed data.
[[nodiscard]] Completion unanswered(const EtcdProblem& problem, bool changes);
// "k7" → "ordeal/kv/k7".
[[nodiscard]] std::string etcd_key(const Value& key);

}  // namespace ordeal
