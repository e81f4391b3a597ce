#pragma once
// The JSON of etcd's gateway for what clients do all the time: requests written straight into a string, replies read in
// one pass. Most of a reply is a header that nobody asks for, and a tree of it would cost more than all else that a
// client does for an operation (tests/bench/overhead.md). Thread-safety: pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "targets/etcd/api.h"

namespace ordeal {

[[nodiscard]] std::string gateway_request(const EtcdRange& range);
[[nodiscard]] std::string gateway_request(const EtcdPut& put);
[[nodiscard]] std::string gateway_request(const EtcdTxn& txn);

struct GatewayReply {
  bool error = false;  // it is an error document, and nothing else was read
  std::int64_t revision = 0;
  std::vector<EtcdKeyValue> kvs;  // of a range
  bool succeeded = false;         // of a transaction, as what follows:
  // for each operation of the branch taken what a range returned; nothing of any other operation.
  std::vector<std::optional<std::vector<EtcdKeyValue>>> responses;
};
// Absent numbers are zero. Errors: input, when this is no JSON object, or one of another shape.
[[nodiscard]] Result<GatewayReply> gateway_reply(std::string_view text);

}  // namespace ordeal
