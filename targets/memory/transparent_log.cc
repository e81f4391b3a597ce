#include "targets/memory/transparent_log.h"

#include <algorithm>

namespace ordeal::memory {
namespace {

Value of_hashes(const merkle::Proof& proof) {
  Value out = Value::list();
  for (const merkle::Hash& hash : proof) out.items().emplace_back(merkle::base64(hash));
  return out;
}

}  // namespace

Completion TransparentLog::apply(const Operation& operation, std::uint64_t client, Rng& rng) {
  const std::lock_guard lock(mutex_);
  if (operation.f == "append") return append(operation.value, rng);
  if (operation.f == "head") return head(client, rng);
  const Value& asked = operation.value;
  if (!asked.is_list() || asked.items().size() != 2 || !asked.items()[0].is_integer() ||
      !asked.items()[1].is_integer() || asked.items()[0].integer() < 0 || asked.items()[1].integer() < 0)
    return Completion::failed("malformed", operation.f + " expects two whole numbers, found " + asked.to_json());
  const auto first = static_cast<std::size_t>(asked.items()[0].integer());
  const auto second = static_cast<std::size_t>(asked.items()[1].integer());
  if (operation.f == "read" || operation.f == "tail") return range(first, second, rng);
  if (operation.f == "inclusion" || operation.f == "consistency") return proof(operation, first, second);
  return Completion::failed("unsupported",
                            "the memory target has no operation " + operation.f + " on a transparency-log");
}

Completion TransparentLog::append(const Value& entry, Rng& rng) {
  const auto known = index_of_.find(entry);
  if (known != index_of_.end() && !faults_.strikes(Bug::duplicate, rng))
    return Completion::ok(Value::list({known->second, entry}));
  const auto index = static_cast<std::int64_t>(entries_.size());
  if (!faults_.strikes(Bug::lost_write, rng)) {
    index_of_[entry] = index;
    entries_.push_back(entry);
    (void)tree_.append(entry.to_json());
  }
  return Completion::ok(Value::list({index, entry}));
}

Completion TransparentLog::range(std::size_t from, std::size_t limit, Rng& rng) const {
  std::size_t size = entries_.size();
  if (size > 0 && faults_.strikes(Bug::stale_read, rng)) --size;
  const std::size_t count = size > from ? std::min(size - from, limit) : 0;
  Value::List shown;
  for (std::size_t i = from; i < from + count; ++i) shown.push_back(entries_[i]);
  if (count > 1 && faults_.strikes(Bug::reorder, rng)) std::swap(shown[count - 1], shown[count - 2]);
  return Completion::ok(Value::map({{"from", static_cast<std::int64_t>(from)},
                                    {"entries", Value(std::move(shown))},
                                    {"size", static_cast<std::int64_t>(size)}}));
}

Completion TransparentLog::head(std::uint64_t client, Rng& rng) const {
  merkle::Hash root = tree_.root();
  if (!entries_.empty() && faults_.strikes(Bug::forged_head, rng)) root = merkle::leaf_hash(merkle::base64(root));
  if (!entries_.empty() && client % 2 == 1 && faults_.strikes(Bug::fork, rng)) {
    merkle::Tree other(tree_.leaf_hashes().first(entries_.size() - 1));
    (void)other.append("another entry");
    root = other.root();
  }
  return Completion::ok(
      Value::map({{"size", static_cast<std::int64_t>(entries_.size())}, {"root", merkle::base64(root)}}));
}

Completion TransparentLog::proof(const Operation& operation, std::size_t first, std::size_t second) const {
  const bool inclusion = operation.f == "inclusion";
  if (second > entries_.size() || first > second || (inclusion && first == second))
    return Completion::failed("no-such-index", "the log has " + std::to_string(entries_.size()) + " entries");
  Value out = Value::map();
  if (inclusion) out.set("leaf", merkle::base64(tree_.node(0, first)));
  out.set("proof", of_hashes(inclusion ? tree_.inclusion(first, second) : tree_.consistency(first, second)));
  return Completion::ok(std::move(out));
}

}  // namespace ordeal::memory
