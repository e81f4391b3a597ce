// The promise of logs that anybody can verify. Roots and proofs are those of RFC 6962's own recursions, section 2.1,
// written down as they stand there.

#include "support/promise_transparency.h"

#include <openssl/sha.h>

#include <algorithm>

#include "base/base64.h"
#include "support/some_order.h"

namespace ordeal::testing_support {
namespace {

using Bytes = std::string;
using Entries = std::vector<Value>;

Bytes sha256(const Bytes& bytes) {
  Bytes out(32, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), reinterpret_cast<unsigned char*>(&out[0]));
  return out;
}
Bytes leaf(const Value& entry) { return sha256(Bytes(1, '\0') + entry.to_json()); }

std::size_t half(std::size_t n) {  // the largest power of two below n
  std::size_t k = 1;
  while (2 * k < n) k *= 2;
  return k;
}
// MTH(D[from:to]).
Bytes root(const Entries& d, std::size_t from, std::size_t to) {
  if (from == to) return sha256("");
  if (to - from == 1) return leaf(d[from]);
  const std::size_t k = half(to - from);
  return sha256("\x01" + root(d, from, from + k) + root(d, from + k, to));
}
// PATH(m, D[from:to]).
std::vector<Bytes> path(const Entries& d, std::size_t m, std::size_t from, std::size_t to) {
  if (to - from == 1) return {};
  const std::size_t k = half(to - from);
  auto out = m < k ? path(d, m, from, from + k) : path(d, m - k, from + k, to);
  out.push_back(m < k ? root(d, from + k, to) : root(d, from, from + k));
  return out;
}
// SUBPROOF(m, D[from:to], whole).
std::vector<Bytes> subproof(const Entries& d, std::size_t m, std::size_t from, std::size_t to, bool whole) {
  if (m == to - from) return whole ? std::vector<Bytes>{} : std::vector<Bytes>{root(d, from, to)};
  const std::size_t k = half(to - from);
  auto out = m <= k ? subproof(d, m, from, from + k, whole) : subproof(d, m - k, from + k, to, false);
  out.push_back(m <= k ? root(d, from + k, to) : root(d, from, from + k));
  return out;
}

Value listed(const std::vector<Bytes>& hashes) {
  Value out = Value::list();
  for (const Bytes& hash : hashes) out.items().emplace_back(base64_encode(hash));
  return out;
}

// Whether the call may have seen that of a log that is now `d`.
bool seen_of(const Entries& d, const Call& call) {
  const auto number = [](const Value& from, std::size_t i) {
    return static_cast<std::size_t>(from.items()[i].integer());
  };
  if (call.f == "head") {
    const std::int64_t size = call.seen.find("size")->integer();
    const Value* by = call.seen.find("signed");
    return size >= 0 && static_cast<std::size_t>(size) <= d.size() && (by == nullptr || by->boolean()) &&
           Value(base64_encode(root(d, 0, static_cast<std::size_t>(size)))) == *call.seen.find("root");
  }
  const std::size_t first = number(call.asked, 0), second = number(call.asked, 1);
  if (call.f == "inclusion") {
    return first < second && second <= d.size() && *call.seen.find("leaf") == Value(base64_encode(leaf(d[first]))) &&
           *call.seen.find("proof") == listed(path(d, first, 0, second));
  }
  if (call.f == "consistency") {
    if (first > second || second > d.size()) return false;
    return *call.seen.find("proof") == listed(first == 0 ? std::vector<Bytes>{} : subproof(d, first, 0, second, true));
  }
  Value shown = Value::list();
  for (std::size_t i = first; i < std::min(d.size(), first + second); ++i) shown.items().push_back(d[i]);
  return call.seen == Value::map({{"from", static_cast<std::int64_t>(first)},
                                  {"entries", std::move(shown)},
                                  {"size", static_cast<std::int64_t>(d.size())}});
}

}  // namespace

bool keeps_transparency_log(const std::vector<Call>& calls) {
  // Heads and proofs may be old: it is enough that they were right before they ended. As the log only grows, they may
  // be taken to see the whole of it then, of which they show a beginning.
  const auto step = [](const Entries& d, const Call& call, const auto& next) {
    if (call.f != "append") {
      if (!call.ok() || seen_of(d, call)) next(d);
      return;
    }
    Entries after = d;
    auto at = std::find(after.begin(), after.end(), call.asked);
    if (at == after.end()) at = after.insert(after.end(), call.asked);
    if (call.ok() && call.seen != Value::list({at - after.begin(), call.asked})) return;
    next(after);
  };
  return some_order(calls, Entries(), step);
}

}  // namespace ordeal::testing_support
