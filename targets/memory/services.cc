#include "targets/memory/services.h"

#include <algorithm>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

constexpr std::size_t kSubkeys = 5;
constexpr std::size_t kGrants = 10;
constexpr std::chrono::milliseconds kWindow(100);
constexpr std::int64_t kInitialBalance = 20;

}  // namespace

std::optional<Completion> Services::apply(std::string_view data_type, const Operation& operation, std::uint64_t client,
                                          Rng& rng) {
  const std::lock_guard lock(mutex_);
  if (data_type == "g2") return insert(operation, rng);
  if (data_type == "monotonic") return stamped(operation, rng);
  if (data_type == "sequential") return chain(operation, rng);
  if (data_type == "election") return election(operation, client, rng);
  if (data_type == "idempotency") return idempotent(operation, rng);
  if (data_type == "rate-limit") return request(rng);
  if (data_type == "saga") return ledger(operation, rng);
  return std::nullopt;
}

void Services::forget(std::uint64_t client) {
  const std::lock_guard lock(mutex_);
  if (leader_ == client) leader_.reset();
}

Completion Services::insert(const Operation& operation, Rng& rng) {
  if (!operation.key) return bad_operation(operation, "a key");
  if (rows_.contains(*operation.key) && !faults_.strikes(Bug::write_skew, rng)) {
    return Completion::failed("exists", "the key has a row");
  }
  if (!faults_.strikes(Bug::lost_write, rng)) rows_.insert(*operation.key);
  return Completion::ok();
}

Completion Services::stamped(const Operation& operation, Rng& rng) {
  if (operation.f == "read") {
    Value::List rows = stamped_;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Value& a, const Value& b) { return *a.find("sts") < *b.find("sts"); });
    return Completion::ok(Value(std::move(rows)));
  }
  last_stamp_ = std::max(last_stamp_ + 1, std::int64_t{now_().count()});
  const std::int64_t stamp =
      faults_.strikes(Bug::stale_read, rng) ? std::max<std::int64_t>(0, last_stamp_ - 10'000'000) : last_stamp_;
  Value row = Value::map();
  row.set("val", static_cast<std::int64_t>(stamped_.size()));
  row.set("sts", stamp);
  if (!faults_.strikes(Bug::lost_write, rng)) stamped_.push_back(row);
  if (faults_.strikes(Bug::duplicate, rng)) stamped_.push_back(row);
  return Completion::ok(std::move(row));
}

Completion Services::chain(const Operation& operation, Rng& rng) {
  Value::List& subkeys = chains_.try_emplace(operation.value, kSubkeys).first->second;
  if (operation.f == "write-chain") {
    const std::size_t left_out = faults_.strikes(Bug::lost_write, rng) ? rng.below(kSubkeys) : kSubkeys;
    for (std::size_t i = 0; i < kSubkeys; ++i) {
      if (i != left_out) subkeys[i] = operation.value.to_json() + "_" + std::to_string(i);
    }
    return Completion::ok();
  }
  if (faults_.strikes(Bug::stale_read, rng))
    return Completion::ok(Value::list({operation.value, Value(Value::List(kSubkeys))}));
  return Completion::ok(Value::list({operation.value, Value(Value::List(subkeys.rbegin(), subkeys.rend()))}));
}

Completion Services::election(const Operation& operation, std::uint64_t client, Rng& rng) {
  if (operation.f == "leader") {
    const bool stale = faults_.strikes(Bug::stale_read, rng);
    Value seen = Value::map();
    seen.set("term", stale ? former_term_ : term_);
    seen.set("leader", stale ? former_name_ : leader_name_);
    return Completion::ok(std::move(seen));
  }
  if (operation.f == "resign") {
    if (leader_ != client) return Completion::failed("not-leader", "this client does not lead");
    leader_.reset();
    return Completion::ok();
  }
  const bool same_term = leader_ && faults_.strikes(Bug::write_skew, rng);
  if (leader_ && !same_term && !faults_.strikes(Bug::duplicate, rng))
    return Completion::failed("led", "there is a leader");
  former_term_ = term_;
  former_name_ = leader_name_;
  if (!same_term) ++term_;
  leader_ = client;
  leader_name_ = operation.value;
  return Completion::ok(Value(term_));
}

Completion Services::idempotent(const Operation& operation, Rng& rng) {
  if (operation.f == "read") {
    const bool stale = !applied_.empty() && faults_.strikes(Bug::stale_read, rng);
    return Completion::ok(Value(Value::List(applied_.begin(), applied_.end() - (stale ? 1 : 0))));
  }
  const auto [known, fresh] = results_.try_emplace(operation.value, static_cast<std::int64_t>(applied_.size()));
  if ((fresh && !faults_.strikes(Bug::lost_write, rng)) || (!fresh && faults_.strikes(Bug::duplicate, rng))) {
    applied_.push_back(operation.value);
  }
  Value result = Value::map();
  result.set("applied-before", known->second);
  return Completion::ok(std::move(result));
}

Completion Services::request(Rng& rng) {
  const auto now = now_();
  const bool stale = faults_.bug == Bug::stale_read && !grants_.empty();
  const auto window = stale ? 2 * kWindow : kWindow;
  while (!grants_.empty() && now - grants_.front() >= window) grants_.pop_front();
  if (grants_.size() >= kGrants) return Completion::failed("limited", "too many requests");
  if (!faults_.strikes(Bug::lost_write, rng)) grants_.push_back(now);
  return Completion::ok();
}

void Services::post(const Value& id, std::int64_t account, std::int64_t amount) {
  events_.push_back(Value::list({id, account, amount}));
  balances_.try_emplace(account, kInitialBalance).first->second += amount;
}

Completion Services::ledger(const Operation& operation, Rng& rng) {
  if (operation.f == "read") {
    Value balances = Value::map();
    const bool stale = faults_.strikes(Bug::stale_read, rng);
    for (const auto& [account, balance] : stale ? former_balances_ : balances_) balances.set(account, balance);
    Value seen = Value::map();
    seen.set("balances", std::move(balances));
    seen.set("events", Value(events_));
    return Completion::ok(std::move(seen));
  }
  const Value* id = operation.value.find("id");
  const Value* from = operation.value.find("from");
  const Value* to = operation.value.find("to");
  const Value* amount = operation.value.find("amount");
  const auto integer = [](const Value* value) { return value != nullptr && value->is_integer(); };
  if (id == nullptr || !integer(from) || !integer(to) || !integer(amount)) {
    return bad_operation(operation, R"({"id": …, "from": account, "to": account, "amount": integer})");
  }
  former_balances_ = balances_;
  post(*id, from->integer(), -amount->integer());
  if (balances_[from->integer()] < 0) {
    if (!faults_.strikes(Bug::write_skew, rng)) post(*id, from->integer(), amount->integer());
    return Completion::failed("insufficient", "the account holds too little; compensated");
  }
  const bool again = faults_.strikes(Bug::duplicate, rng);
  if (!faults_.strikes(Bug::lost_write, rng)) post(*id, to->integer(), amount->integer());
  if (again) post(*id, to->integer(), amount->integer());
  return Completion::ok();
}

}  // namespace ordeal::memory
