#include "targets/etcd/api.h"

#include <charconv>

#include "targets/etcd/gateway_json.h"

namespace ordeal {
namespace {

// Status codes of gRPC (google.golang.org/grpc/codes) that matter here.
enum GrpcCode : std::int64_t {
  kInvalidArgument = 3,
  kNotFound = 5,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

// etcd's errors whose meaning for the request is known from its sources (etcdserver/api/v3rpc/rpctypes/error.go).
// `certain` ones are raised before the request is proposed to Raft, or by an apply that changes nothing.
struct KnownError {
  std::string_view text;
  std::string_view kind;
  bool certain;
};
constexpr KnownError kKnownErrors[] = {
    {"too many requests", "too-many-requests", true},     // checked before proposing
    {"request is too large", "request-too-large", true},  // checked before proposing
    {"duplicate key given", "duplicate-key", true},       // checked before proposing
    {"key is not provided", "bad-request", true},
    {"too many operations in txn", "bad-request", true},
    {"has been compacted", "compacted", true},
    {"is a future revision", "future-revision", true},
    {"requested lease not found", "lease-not-found", true},
    {"lease already exists", "lease-exists", true},
    {"unhealthy cluster", "unhealthy-cluster", true},  // only membership changes are refused so
    {"permission denied", "permission-denied", true},
    {"leader changed", "leader-changed", false},  // the proposal may still be committed
    {"no leader", "no-leader", false},
    {"not leader", "not-leader", false},
    {"raft proposal dropped", "proposal-dropped", false},
    {"request timed out", "timeout", false},  // also "… possibly due to previous leader failure"
    {"server stopped", "stopped", false},
    {"raft: stopped", "stopped", false},  // a stopping member may have proposed it
    // quotaApplierV3 (etcdserver/apply.go) applies the put first and returns this error afterwards.
    {"database space exceeded", "no-space", false},
    {"context deadline exceeded", "timeout", false},
    {"context canceled", "cancelled", false},
};

std::string number(std::int64_t n) { return std::to_string(n); }

// Numbers of 64 bits come as strings; absent means zero.
template <class Integer = std::int64_t>
Integer integer_in(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  if (found == nullptr) return 0;
  if (found->is_integer()) return static_cast<Integer>(found->integer());
  Integer n = 0;
  if (found->is_string()) {
    const std::string& text = found->string();
    std::from_chars(text.data(), text.data() + text.size(), n);
  }
  return n;
}

std::string text_in(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

EtcdProblem garbled(const std::string& what) {
  return EtcdProblem{false, "garbled-reply", "the reply is not what etcd's gateway sends: " + what};
}

}  // namespace

EtcdProblem etcd_problem(std::int64_t grpc_code, const std::string& message) {
  for (const auto& known : kKnownErrors) {
    if (message.find(known.text) != std::string::npos) return {known.certain, std::string(known.kind), message};
  }
  switch (grpc_code) {
    case kInvalidArgument:
      return {true, "bad-request", message};
    case kUnimplemented:
      return {true, "unimplemented", message};
    case kUnauthenticated:
      return {true, "unauthenticated", message};
    case kPermissionDenied:
      return {true, "permission-denied", message};
    case kUnavailable:
      return {false, "unavailable", message};
    default:
      return {false, "etcd-error", message + " (gRPC code " + number(grpc_code) + ")"};
  }
}

bool EtcdTxn::read_only() const {
  const auto only_ranges = [](const std::vector<EtcdRequestOp>& ops) {
    for (const auto& op : ops) {
      if (!std::holds_alternative<EtcdRange>(op)) return false;
    }
    return true;
  };
  return only_ranges(success) && only_ranges(failure);
}

namespace {

// Why a reply is no answer: the gateway's error document, or nothing that it sends.
EtcdProblem refusal(const HttpReply& reply, const std::string& url) {
  const auto document = Value::from_json(reply.body);
  if (reply.status == 404 && !document) {
    return EtcdProblem{true, "unimplemented", url + ": this server has no such call"};
  }
  if (!document) return garbled(document.error().message);
  std::string message = text_in(*document, "message");
  if (message.empty()) message = text_in(*document, "error");
  if (message.empty()) message = "HTTP status " + std::to_string(reply.status);
  return etcd_problem(integer_in(*document, "code"), message);
}

}  // namespace

EtcdAnswer<HttpReply> EtcdApi::post(const char* path, std::string body, bool idempotent, Deadline deadline) {
  auto reply = session_.perform({endpoint_ + path, std::move(body), false, idempotent}, deadline);
  if (!reply) return tl::unexpected(EtcdProblem{!reply.error().sent, reply.error().kind, reply.error().message});
  if (reply->status != 200) return tl::unexpected(refusal(*reply, endpoint_ + path));
  return std::move(*reply);
}

EtcdAnswer<Value> EtcdApi::call(const char* path, const Value& body, bool idempotent, Deadline deadline) {
  auto reply = post(path, body.to_json(), idempotent, deadline);
  if (!reply) return tl::unexpected(reply.error());
  auto document = Value::from_json(reply->body);
  if (!document) return tl::unexpected(garbled(document.error().message));
  if (document->find("error") != nullptr) return tl::unexpected(refusal(*reply, endpoint_ + path));
  if (!document->is_map()) return tl::unexpected(garbled("no JSON object"));
  return std::move(*document);
}

EtcdAnswer<GatewayReply> EtcdApi::ask(const char* path, std::string body, bool idempotent, Deadline deadline) {
  auto reply = post(path, std::move(body), idempotent, deadline);
  if (!reply) return tl::unexpected(reply.error());
  auto read = gateway_reply(reply->body);
  if (!read) return tl::unexpected(garbled(read.error().message));
  if (read->error) return tl::unexpected(refusal(*reply, endpoint_ + path));
  return std::move(*read);
}

EtcdAnswer<std::vector<EtcdKeyValue>> EtcdApi::range(const EtcdRange& range, Deadline deadline) {
  auto reply = ask("/v3/kv/range", gateway_request(range), true, deadline);
  if (!reply) return tl::unexpected(reply.error());
  return std::move(reply->kvs);
}

EtcdAnswer<std::int64_t> EtcdApi::put(const EtcdPut& put, Deadline deadline) {
  const auto reply = ask("/v3/kv/put", gateway_request(put), false, deadline);
  if (!reply) return tl::unexpected(reply.error());
  return reply->revision;
}

EtcdAnswer<EtcdTxnReply> EtcdApi::txn(const EtcdTxn& txn, Deadline deadline) {
  auto found = ask("/v3/kv/txn", gateway_request(txn), txn.read_only(), deadline);
  if (!found) return tl::unexpected(found.error());
  EtcdTxnReply reply{found->revision, found->succeeded, {}};
  const auto& branch = reply.succeeded ? txn.success : txn.failure;
  if (found->responses.size() != branch.size())
    return tl::unexpected(garbled("a transaction with the wrong number of responses"));
  for (std::size_t i = 0; i < branch.size(); ++i) {
    auto& response = found->responses[i];
    if (!response && std::holds_alternative<EtcdRange>(branch[i]))
      return tl::unexpected(garbled("no response to a range"));
    reply.responses.push_back(response ? std::move(*response) : std::vector<EtcdKeyValue>());
  }
  return reply;
}

EtcdAnswer<std::int64_t> EtcdApi::grant_lease(std::int64_t ttl_s, Deadline deadline) {
  return call("/v3/lease/grant", Value::map({{"TTL", number(ttl_s)}}), false, deadline).map([](const Value& reply) {
    return integer_in(reply, "ID");
  });
}

EtcdAnswer<void> EtcdApi::revoke_lease(std::int64_t lease, Deadline deadline) {
  return call("/v3/lease/revoke", Value::map({{"ID", number(lease)}}), false, deadline).map([](const Value&) {});
}

EtcdAnswer<std::int64_t> EtcdApi::keep_alive(std::int64_t lease, Deadline deadline) {
  return call("/v3/lease/keepalive", Value::map({{"ID", number(lease)}}), true, deadline)
      .map([](const Value& reply) -> std::int64_t {
        const Value* result = reply.find("result");
        return result == nullptr ? 0 : integer_in(*result, "TTL");
      });
}

EtcdAnswer<EtcdStatus> EtcdApi::status(Deadline deadline) {
  return call("/v3/maintenance/status", Value::map(), true, deadline).map([](const Value& reply) {
    EtcdStatus status;
    if (const Value* header = reply.find("header")) status.member = integer_in<std::uint64_t>(*header, "member_id");
    status.leader = integer_in<std::uint64_t>(reply, "leader");
    status.term = integer_in(reply, "raftTerm");
    status.version = text_in(reply, "version");
    return status;
  });
}

EtcdAnswer<std::vector<EtcdMemberEntry>> EtcdApi::members(Deadline deadline) {
  return call("/v3/cluster/member/list", Value::map(), true, deadline)
      .and_then([](const Value& reply) -> EtcdAnswer<std::vector<EtcdMemberEntry>> {
        const Value* list = reply.find("members");
        if (list == nullptr || !list->is_list()) return tl::unexpected(garbled("no list of members"));
        std::vector<EtcdMemberEntry> out;
        for (const Value& one : list->items()) {
          EtcdMemberEntry entry{integer_in<std::uint64_t>(one, "ID"), text_in(one, "name"), {}};
          if (const Value* urls = one.find("peerURLs"); urls != nullptr && urls->is_list()) {
            for (const Value& url : urls->items()) {
              if (url.is_string()) entry.peer_urls.push_back(url.string());
            }
          }
          out.push_back(std::move(entry));
        }
        return out;
      });
}

EtcdAnswer<void> EtcdApi::add_member(const std::string& peer_url, Deadline deadline) {
  return call("/v3/cluster/member/add", Value::map({{"peerURLs", Value::list({peer_url})}}), false, deadline)
      .map([](const Value&) {});
}

EtcdAnswer<void> EtcdApi::remove_member(std::uint64_t id, Deadline deadline) {
  return call("/v3/cluster/member/remove", Value::map({{"ID", std::to_string(id)}}), false, deadline)
      .map([](const Value&) {});
}

EtcdAnswer<Value> EtcdApi::page(const std::string& path, Deadline deadline) {
  auto reply = session_.perform({endpoint_ + path, "", true, true}, deadline);
  if (!reply) return tl::unexpected(EtcdProblem{!reply.error().sent, reply.error().kind, reply.error().message});
  auto document = Value::from_json(reply->body);
  if (!document) return tl::unexpected(garbled(endpoint_ + path + ": " + document.error().message));
  return std::move(*document);
}

std::string etcd_prefix_end(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<unsigned char>(prefix.back()) != 0xFF) {
      prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');  // etcd's way to say "to the end"
}

}  // namespace ordeal
