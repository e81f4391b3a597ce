#pragma once
// EtcdApi: etcd's v3 API over its JSON gateway (POST /v3/…, etcd 3.4 and later), as one client of one member.
//
// The gateway is plain HTTP/1.1: keys and values in base64, 64-bit numbers as strings, zeros left out. What makes
// this client fit for testing is its view of errors: every problem says whether the request certainly had no effect.
//
// Thread-safety: one thread at a time.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/value.h"
#include "targets/http/http_session.h"

namespace ordeal {

// Why there is no answer.
struct EtcdProblem {
  bool certain = false;  // the request certainly had no effect and never will
  std::string kind;      // "timeout", "connection-refused", "leader-changed", "too-many-requests", …
  std::string message;
};
template <class T>
using EtcdAnswer = tl::expected<T, EtcdProblem>;

// Judges an error document of the gateway: the gRPC status code and etcd's text. Exposed for its tests.
[[nodiscard]] EtcdProblem etcd_problem(std::int64_t grpc_code, const std::string& message);

struct EtcdKeyValue {
  std::string key;
  std::string value;
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  std::int64_t lease = 0;
};

struct EtcdRange {
  std::string key;
  std::string range_end = {};  // empty: this key only
  bool serializable = false;
  bool count_only = false;
};
struct EtcdPut {
  std::string key;
  std::string value;
  std::int64_t lease = 0;
};
struct EtcdDelete {
  std::string key;
};
using EtcdRequestOp = std::variant<EtcdRange, EtcdPut, EtcdDelete>;

// `target(key) == operand`, for one key.
struct EtcdCompare {
  enum class Target { value, mod_revision, create_revision };
  std::string key;
  Target target = Target::value;
  std::string value = {};     // for Target::value
  std::int64_t revision = 0;  // for the others; 0: the key does not exist
};

struct EtcdTxn {
  std::vector<EtcdCompare> compare = {};
  std::vector<EtcdRequestOp> success = {};
  std::vector<EtcdRequestOp> failure = {};
  // True when neither branch changes anything.
  [[nodiscard]] bool read_only() const;
};

struct EtcdTxnReply {
  std::int64_t revision = 0;
  bool succeeded = false;
  // For each op of the branch taken: what a range returned, empty for puts and deletions.
  std::vector<std::vector<EtcdKeyValue>> responses;
};

struct EtcdStatus {
  std::uint64_t member = 0;
  std::uint64_t leader = 0;  // 0: none known
  std::int64_t term = 0;
  std::string version;
};

struct EtcdMemberEntry {
  std::uint64_t id = 0;
  std::string name;  // empty until it has joined
  std::vector<std::string> peer_urls;
};

struct GatewayReply;

class EtcdApi {
 public:
  // `endpoint`: "http://10.0.0.1:2379".
  explicit EtcdApi(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  [[nodiscard]] EtcdAnswer<std::vector<EtcdKeyValue>> range(const EtcdRange& range, Deadline deadline);
  // The revision at which the value was stored.
  [[nodiscard]] EtcdAnswer<std::int64_t> put(const EtcdPut& put, Deadline deadline);
  [[nodiscard]] EtcdAnswer<EtcdTxnReply> txn(const EtcdTxn& txn, Deadline deadline);
  // The lease's id.
  [[nodiscard]] EtcdAnswer<std::int64_t> grant_lease(std::int64_t ttl_s, Deadline deadline);
  [[nodiscard]] EtcdAnswer<void> revoke_lease(std::int64_t lease, Deadline deadline);
  // The time to live after the renewal, in seconds; 0: the lease does not exist any more.
  [[nodiscard]] EtcdAnswer<std::int64_t> keep_alive(std::int64_t lease, Deadline deadline);
  [[nodiscard]] EtcdAnswer<EtcdStatus> status(Deadline deadline);
  // The members as this one knows them: up to date only after a linearizable read of the same client.
  [[nodiscard]] EtcdAnswer<std::vector<EtcdMemberEntry>> members(Deadline deadline);
  [[nodiscard]] EtcdAnswer<void> add_member(const std::string& peer_url, Deadline deadline);
  [[nodiscard]] EtcdAnswer<void> remove_member(std::uint64_t id, Deadline deadline);
  // GET of a plain HTTP page of the member: "/version", "/health".
  [[nodiscard]] EtcdAnswer<Value> page(const std::string& path, Deadline deadline);

  void close() { session_.close(); }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  // The reply to a request, of status 200.
  [[nodiscard]] EtcdAnswer<HttpReply> post(const char* path, std::string body, bool idempotent, Deadline deadline);
  [[nodiscard]] EtcdAnswer<Value> call(const char* path, const Value& body, bool idempotent, Deadline deadline);
  // The same for what clients do all the time.
  [[nodiscard]] EtcdAnswer<GatewayReply> ask(const char* path, std::string body, bool idempotent, Deadline deadline);
  std::string endpoint_;
  HttpSession session_;
};

// The end of the range of all keys that begin with `prefix`.
[[nodiscard]] std::string etcd_prefix_end(std::string prefix);

}  // namespace ordeal
