#include "targets/memory/ledgers.h"

#include <thread>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
std::optional<Completion> Ledgers::apply(std::string_view data_type, const Operation& operation, Rng& rng) {
  if (data_type == "accounts") return account(operation, rng);
  if (data_type == "idempotency-keys") return execute(operation, rng);
  return std::nullopt;
}

void Ledgers::move(Customer& customer, std::size_t account, std::int64_t amount, Rng& rng) {
  if (faults_.strikes(Bug::lost_write, rng)) return;
  customer.before = customer.money;
  customer.money[account] += faults_.strikes(Bug::duplicate, rng) ? 2 * amount : amount;
  ++customer.version[account];
}

Completion Ledgers::account(const Operation& operation, Rng& rng) {
  if (!operation.key) return bad_operation(operation, "a customer as key");
  std::unique_lock lock(mutex_);
  Customer& customer = customers_[*operation.key];
  if (operation.f == "read") {
    const bool stale = faults_.strikes(Bug::stale_read, rng);
    const auto& money = stale ? customer.before : customer.money;
    return Completion::ok(Value::list({Value(money[0]), Value(money[1])}));
  }
  const Value* which = operation.value.find("account");
  const Value* amount = operation.value.find("amount");
  if (which == nullptr || amount == nullptr || !which->is_integer() || !amount->is_integer() ||
      (which->integer() != 0 && which->integer() != 1) || amount->integer() <= 0)
    return bad_operation(operation, R"({"account": 0 or 1, "amount": integer above 0})");
  const auto account = static_cast<std::size_t>(which->integer());
  if (operation.f == "deposit") {
    move(customer, account, amount->integer(), rng);
    return Completion::ok();
  }
  if (customer.money[0] + customer.money[1] < amount->integer())
    return Completion::failed("insufficient", "both accounts together hold too little");
  if (faults_.strikes(Bug::write_skew, rng)) {
    const std::uint64_t version = customer.version[account];
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    lock.lock();
    if (customer.version[account] != version) return Completion::failed("conflict", "the account has changed");
  }
  move(customer, account, -amount->integer(), rng);
  return Completion::ok();
}

Completion Ledgers::execute(const Operation& operation, Rng& rng) {
  const std::lock_guard lock(mutex_);
  if (operation.f == "read") {
    const bool stale = !executed_.empty() && faults_.strikes(Bug::stale_read, rng);
    return Completion::ok(Value(Value::List(executed_.begin(), executed_.end() - (stale ? 1 : 0))));
  }
  const Value* id = operation.value.find("id");
  const Value* body = operation.value.find("body");
  if (id == nullptr || body == nullptr) return bad_operation(operation, R"({"id": …, "body": …})");
  const auto found = keys_.find(*id);
  const bool taken = found != keys_.end() && (key_ttl_.count() == 0 || now_() - found->second.since < key_ttl_);
  if (taken && !(found->second.body == *body) && !faults_.strikes(Bug::write_skew, rng))
    return Completion::failed("conflict", "the key is taken by another body");
  if (taken && !faults_.strikes(Bug::duplicate, rng)) return Completion::ok(found->second.answer);
  Value answer = Value::map();
  answer.set("executed-before", static_cast<std::int64_t>(executed_.size()));
  if (!taken) keys_.insert_or_assign(*id, Key{*body, answer, now_()});
  if (taken || !faults_.strikes(Bug::lost_write, rng)) executed_.push_back(Value::list({*id, *body}));
  return Completion::ok(taken ? found->second.answer : answer);
}

}  // namespace ordeal::memory
