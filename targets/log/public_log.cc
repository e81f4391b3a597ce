// The log as anybody can verify it, by LogClient: appends with idempotency keys, ranges, tails, signed heads, proofs.

#include <algorithm>

#include "targets/log/client.h"
#include "targets/log/server/tree/key_ring.h"

namespace ordeal {
namespace {

constexpr std::int64_t kTailMs = 500;  // how long a tail waits for the next entry

const Value& member(const Value& map, const char* name) {
  static const Value nil;
  const Value* found = map.find(name);
  return found == nullptr ? nil : *found;
}

Completion strange(const Value& answer) { return Completion::failed("foreign-answer", answer.to_json()); }

// Two whole numbers from 0 on.
std::optional<std::pair<std::int64_t, std::int64_t>> two(const Value& asked) {
  if (!asked.is_list() || asked.items().size() != 2) return std::nullopt;
  const Value &first = asked.items()[0], &second = asked.items()[1];
  if (!first.is_integer() || !second.is_integer() || first.integer() < 0 || second.integer() < 0) return std::nullopt;
  return std::pair(first.integer(), second.integer());
}

Completion malformed(const Operation& operation) {
  return Completion::failed("bad-operation",
                            operation.f + ": two whole numbers were expected, found " + operation.value.to_json());
}

// Whether the note is a head of that size and root, signed by the node's key. The key is the one that the node names:
// that it is the log's is for audits to know, which follow its changes.
bool properly_signed(const Value& head) {
  const Value &note = member(head, "checkpoint"), &key = member(head, "key");
  if (!note.is_string() || !key.is_string()) return false;
  const auto verifier = log::tree::VerifierKey::parse(key.string());
  if (!verifier) return false;
  const auto signed_head = log::tree::KeyRing(verifier->name(), {*verifier}).open(note.string());
  return signed_head && Value(static_cast<std::int64_t>(signed_head->size)) == member(head, "size") &&
         Value(log::tree::base64(signed_head->root)) == member(head, "root");
}

}  // namespace

// The value is the idempotency key as well: sent again it is the same append, also after it was thought lost.
Completion LogClient::append_public(const Operation& operation, Deadline deadline) {
  Value body;
  body.set("entry", operation.value.to_json());
  body.set("idempotency_key", "append/" + operation.value.to_json());
  body.set("delivery", "at-most-once");  // whoever repeats is the workload
  const auto answer = api_.call("/v1/log/append", std::move(body), true, deadline);
  if (!answer) return unanswered(answer.error(), true);
  if (!member(*answer, "position").is_integer()) return Completion::unknown("foreign-answer", answer->to_json());
  return Completion::ok(Value::list({member(*answer, "position"), operation.value}));
}

// `read` and `tail`. A range of several pages is that of the first page's moment: the log only grows.
Completion LogClient::read_public(const Operation& operation, Deadline deadline) {
  const auto asked = two(operation.value);
  if (!asked) return malformed(operation);
  const auto [from, limit] = *asked;
  Value shown = Value::list();
  std::optional<std::int64_t> size;
  while (true) {
    const auto have = static_cast<std::int64_t>(shown.items().size());
    Value body = request();
    body.set("from", from + have);
    body.set("limit", std::clamp<std::int64_t>(limit - have, 1, 10'000));
    if (operation.f == "tail" && !size)
      body.set("wait_ms", std::clamp<std::int64_t>(deadline.remaining().count() / 2, 1, kTailMs));
    const auto answer = api_.call("/v1/log/read", std::move(body), false, deadline);
    if (!answer) return unanswered(answer.error(), false);
    const Value& entries = member(*answer, "entries");
    if (!entries.is_list() || !member(*answer, "size").is_integer()) return strange(*answer);
    if (!size) size = member(*answer, "size").integer();
    const std::int64_t wanted = std::min(limit, *size - from);
    for (const Value& entry : entries.items()) {
      if (static_cast<std::int64_t>(shown.items().size()) >= wanted) break;
      auto value = Value::from_json(entry.is_string() ? entry.string() : "");
      // Whatever it is, it was shown at that index.
      shown.items().push_back(value ? *std::move(value) : entry);
    }
    const bool stuck = static_cast<std::int64_t>(shown.items().size()) == have;
    if (stuck || static_cast<std::int64_t>(shown.items().size()) >= wanted) break;
  }
  return Completion::ok(Value::map({{"from", from}, {"entries", std::move(shown)}, {"size", *size}}));
}

Completion LogClient::head(const Operation&, Deadline deadline) {
  const auto answer = api_.get("/v1/log/head", deadline);
  if (!answer) return unanswered(answer.error(), false);
  return Completion::ok(Value::map(
      {{"size", member(*answer, "size")}, {"root", member(*answer, "root")}, {"signed", properly_signed(*answer)}}));
}

// `inclusion` and `consistency`.
Completion LogClient::prove(const Operation& operation, Deadline deadline) {
  const auto asked = two(operation.value);
  if (!asked) return malformed(operation);
  const bool inclusion = operation.f == "inclusion";
  const std::string first = std::to_string(asked->first), second = std::to_string(asked->second);
  const auto answer = api_.get(inclusion ? "/v1/log/proof/inclusion?index=" + first + "&size=" + second
                                         : "/v1/log/proof/consistency?first=" + first + "&second=" + second,
                               deadline);
  if (!answer) return unanswered(answer.error(), false);
  Value out = Value::map();
  if (inclusion) out.set("leaf", member(*answer, "leaf_hash"));
  out.set("proof", member(*answer, "proof"));
  return Completion::ok(std::move(out));
}

}  // namespace ordeal
