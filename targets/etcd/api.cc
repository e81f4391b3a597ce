#include "targets/etcd/api.h"

#include <charconv>

#include "base/base64.h"

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

bool boolean_in(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_boolean() && found->boolean();
}

std::string text_in(const Value& map, std::string_view name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

EtcdProblem garbled(const std::string& what) {
  return EtcdProblem{false, "garbled-reply", "the reply is not what etcd's gateway sends: " + what};
}

EtcdAnswer<std::vector<EtcdKeyValue>> key_values(const Value& reply) {
  std::vector<EtcdKeyValue> out;
  const Value* kvs = reply.find("kvs");
  if (kvs == nullptr) return out;
  if (!kvs->is_list()) return tl::unexpected(garbled("\"kvs\" is no list"));
  for (const Value& one : kvs->items()) {
    auto key = base64_decode(text_in(one, "key"));
    auto value = base64_decode(text_in(one, "value"));
    if (!key || !value) return tl::unexpected(garbled("a key or value is not base64"));
    out.push_back(EtcdKeyValue{std::move(*key), std::move(*value), integer_in(one, "create_revision"),
                               integer_in(one, "mod_revision"), integer_in(one, "version"), integer_in(one, "lease")});
  }
  return out;
}

std::int64_t revision_of(const Value& reply) {
  const Value* header = reply.find("header");
  return header == nullptr ? 0 : integer_in(*header, "revision");
}

Value to_json(const EtcdRange& range) {
  Value out = Value::map({{"key", base64_encode(range.key)}});
  if (!range.range_end.empty()) out.set("range_end", base64_encode(range.range_end));
  if (range.serializable) out.set("serializable", true);
  if (range.count_only) out.set("count_only", true);
  return out;
}

Value to_json(const EtcdPut& put) {
  Value out = Value::map({{"key", base64_encode(put.key)}, {"value", base64_encode(put.value)}});
  if (put.lease != 0) out.set("lease", number(put.lease));
  return out;
}

Value to_json(const EtcdDelete& deletion) { return Value::map({{"key", base64_encode(deletion.key)}}); }

Value to_json(const EtcdRequestOp& op) {
  static constexpr const char* kNames[] = {"request_range", "request_put", "request_delete_range"};
  return Value::map({{kNames[op.index()], std::visit([](const auto& one) { return to_json(one); }, op)}});
}

Value to_json(const EtcdCompare& compare) {
  Value out = Value::map({{"result", "EQUAL"}, {"key", base64_encode(compare.key)}});
  switch (compare.target) {
    case EtcdCompare::Target::value:
      out.set("target", "VALUE");
      out.set("value", base64_encode(compare.value));
      break;
    case EtcdCompare::Target::mod_revision:
      out.set("target", "MOD");
      out.set("mod_revision", number(compare.revision));
      break;
    case EtcdCompare::Target::create_revision:
      out.set("target", "CREATE");
      out.set("create_revision", number(compare.revision));
      break;
  }
  return out;
}

Value to_json(const std::vector<EtcdRequestOp>& ops) {
  Value out = Value::list();
  for (const auto& op : ops) out.items().push_back(to_json(op));
  return out;
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

EtcdAnswer<Value> EtcdApi::call(const char* path, const Value& body, bool idempotent, Deadline deadline) {
  auto reply = session_.perform({endpoint_ + path, body.to_json(), false, idempotent}, deadline);
  if (!reply) return tl::unexpected(EtcdProblem{!reply.error().sent, reply.error().kind, reply.error().message});
  auto document = Value::from_json(reply->body);
  if (reply->status == 404 && !document) {
    return tl::unexpected(EtcdProblem{true, "unimplemented", endpoint_ + path + ": this server has no such call"});
  }
  if (!document) return tl::unexpected(garbled(document.error().message));
  if (reply->status != 200 || document->find("error") != nullptr) {
    std::string message = text_in(*document, "message");
    if (message.empty()) message = text_in(*document, "error");
    if (message.empty()) message = "HTTP status " + std::to_string(reply->status);
    return tl::unexpected(etcd_problem(integer_in(*document, "code"), message));
  }
  if (!document->is_map()) return tl::unexpected(garbled("no JSON object"));
  return std::move(*document);
}

EtcdAnswer<std::vector<EtcdKeyValue>> EtcdApi::range(const EtcdRange& range, Deadline deadline) {
  return call("/v3/kv/range", to_json(range), true, deadline).and_then(key_values);
}

EtcdAnswer<std::int64_t> EtcdApi::put(const EtcdPut& put, Deadline deadline) {
  return call("/v3/kv/put", to_json(put), false, deadline).map(revision_of);
}

EtcdAnswer<EtcdTxnReply> EtcdApi::txn(const EtcdTxn& txn, Deadline deadline) {
  Value compare = Value::list();
  for (const auto& one : txn.compare) compare.items().push_back(to_json(one));
  const Value body =
      Value::map({{"compare", compare}, {"success", to_json(txn.success)}, {"failure", to_json(txn.failure)}});
  auto document = call("/v3/kv/txn", body, txn.read_only(), deadline);
  if (!document) return tl::unexpected(document.error());
  EtcdTxnReply reply;
  reply.revision = revision_of(*document);
  reply.succeeded = boolean_in(*document, "succeeded");
  const auto& branch = reply.succeeded ? txn.success : txn.failure;
  const Value* responses = document->find("responses");
  const std::size_t given = responses != nullptr && responses->is_list() ? responses->items().size() : 0;
  if (given != branch.size()) return tl::unexpected(garbled("a transaction with the wrong number of responses"));
  for (std::size_t i = 0; i < given; ++i) {
    const Value* range = responses->items()[i].find("response_range");
    if (range == nullptr) {
      if (std::holds_alternative<EtcdRange>(branch[i])) return tl::unexpected(garbled("no response to a range"));
      reply.responses.emplace_back();
      continue;
    }
    auto kvs = key_values(*range);
    if (!kvs) return tl::unexpected(kvs.error());
    reply.responses.push_back(std::move(*kvs));
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
