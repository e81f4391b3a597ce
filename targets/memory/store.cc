#include "targets/memory/store.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "harness/interfaces/bad_operation.h"

namespace ordeal::memory {
namespace {

// The name of a key within the store. Strings mostly; others by their JSON, which no string key can equal because of
// the byte in front.
std::string key_text(const Value& key) { return key.is_string() ? key.string() : '\x01' + key.to_json(); }

Completion unsupported(std::string_view data_type, const Operation& operation) {
  return Completion::failed("unsupported",
                            "the memory target has no operation " + operation.f + " on a " + std::string(data_type));
}

}  // namespace

MemoryStore::MemoryStore(Settings settings, std::function<std::chrono::nanoseconds()> now)
    : settings_(settings),
      now_(std::move(now)),
      services_(settings.faults, now_),
      limits_(settings.faults, now_),
      ledgers_(settings.faults, settings.key_ttl, now_),
      queues_(settings.faults),
      broker_(settings.faults),
      event_ledger_(settings.faults, now_),
      event_log_(settings.faults, now_),
      replicas_(settings.faults, now_),
      ordered_ids_(settings.faults, now_),
      versioned_(settings.faults),
      transparent_log_(settings.faults),
      balances_(static_cast<std::size_t>(settings.bank_accounts), settings.bank_balance),
      balances_before_(balances_) {
  if (settings.replication == Replication::causal)
    causal_ = std::make_unique<CausalReplicas>(settings.faults, settings.lag, now_);
  else if (settings.replication != Replication::none)
    lagging_ = std::make_unique<LaggingReads>(settings.replication, settings.lag, now_);
}

std::size_t MemoryStore::stripe_of(const std::string& key) const { return std::hash<std::string>{}(key) % kStripes; }

// The number of the partition in force, -1 when there is none.
std::int64_t MemoryStore::partition_now() const {
  const auto period = settings_.partitions.every + settings_.partitions.lasting;
  const auto now = now_();
  return now % period < settings_.partitions.every ? -1 : now / period;
}

MemoryStore::Cell& MemoryStore::cell(const std::string& key) {
  Cell& cell = stripes_[stripe_of(key)].cells[key];
  if (settings_.faults.bug == Bug::lost_update && cell.partition >= 0 && cell.partition != partition_now()) {
    // The partition has healed, and the side that had the last change lost.
    cell.partition = -1;
    cell.value = std::move(cell.before);
    cell.number = cell.number_before;
    if (cell.items.size() > cell.items_before) {
      const auto lost = cell.items.begin() + static_cast<std::ptrdiff_t>(cell.items_before);
      cell.members.erase(*lost);
      cell.items.erase(lost);
    }
  }
  if (cell.replay && cell.version > cell.replay_after) {
    cell.previous = std::exchange(cell.value, std::move(*cell.replay));
    cell.replay.reset();
  }
  return cell;
}

void MemoryStore::changing(Cell& cell) const {
  if (settings_.faults.bug != Bug::lost_update) return;
  const std::int64_t partition = partition_now();
  if (partition < 0) return;
  cell.partition = partition;
  cell.before = cell.value;
  cell.number_before = cell.number;
  cell.items_before = cell.items.size();
}

std::optional<Completion> MemoryStore::of_its_own(std::string_view data_type, const Operation& operation,
                                                  std::uint64_t client, Rng& rng) {
  if (data_type == "kafka") return broker_.apply(operation, client, rng);
  if (data_type == "ledger") return event_ledger_.apply(operation, rng);
  if (data_type == "event-log") return event_log_.apply(operation, rng);
  if (data_type == "lww-map") return replicas_.map(operation, client, rng);
  if (data_type == "or-set") return replicas_.set(operation, client, rng);
  if (data_type == "ordered-ids") return ordered_ids_.apply(client, rng);
  if (data_type == "versioned") return versioned_.apply(operation, rng);
  if (data_type == "transparency-log") return transparent_log_.apply(operation, client, rng);
  for (auto done : {limits_.apply(data_type, operation, client, rng), ledgers_.apply(data_type, operation, rng),
                    queues_.apply(data_type, operation, client, rng)}) {
    if (done) return done;
  }
  return services_.apply(data_type, operation, client, rng);
}

Completion MemoryStore::apply(std::string_view data_type, const Operation& operation, std::uint64_t client, Rng& rng) {
  if (auto done = of_its_own(data_type, operation, client, rng)) return *std::move(done);
  if (operation.f == "txn") return transaction(operation, rng);
  if (operation.f == "generate") return generate_id(rng);
  if (operation.f == "transfer" || data_type == "bank") return bank_op(operation, rng);
  const std::string key = operation.key ? key_text(*operation.key) : std::string("\x02");
  if (causal_ != nullptr) return causal_->apply(key, operation, client, rng);
  const std::lock_guard lock(stripes_[stripe_of(key)].mutex);
  Cell& found = cell(key);
  Completion done = on_cell(data_type, found, operation, client, rng);
  return lagging_ == nullptr ? done : replicated(data_type, key, found, operation, std::move(done), client, rng);
}

Completion MemoryStore::on_cell(std::string_view data_type, Cell& found, const Operation& operation,
                                std::uint64_t client, Rng& rng) {
  if (operation.f == "write" || operation.f == "cas") return register_op(found, operation, rng);
  if (operation.f == "enqueue" || operation.f == "dequeue" || operation.f == "drain") {
    return queue_op(found, operation, rng);
  }
  if (operation.f == "acquire" || operation.f == "release") return lock_op(found, operation, client, rng);
  if (data_type == "register") return register_op(found, operation, rng);
  if (data_type == "set") return set_op(found, operation, rng);
  if (data_type == "counter") return counter_op(found, operation, rng);
  if (data_type == "log" || operation.f == "append") return log_op(found, operation, rng);
  if (data_type.empty()) {
    return operation.f == "read" && operation.key ? register_op(found, operation, rng) : set_op(found, operation, rng);
  }
  return unsupported(data_type, operation);
}

Completion MemoryStore::replicated(std::string_view data_type, const std::string& key, Cell& cell,
                                   const Operation& operation, Completion done, std::uint64_t client, Rng& rng) {
  if (done.type != EventType::ok) return done;
  const bool grows = data_type == "set" || data_type == "log";  // known by its length
  if (operation.f != "read") {
    lagging_->changed(key,
                      grows                    ? Value(static_cast<std::int64_t>(cell.items.size()))
                      : data_type == "counter" ? Value(cell.number)
                                               : cell.value,
                      client);
    return done;
  }
  Value state = lagging_->seen(key, data_type == "register" ? Value() : Value(0), client, rng);
  if (!grows) return Completion::ok(std::move(state));
  const auto from = static_cast<std::ptrdiff_t>(cell.items.size() - done.value->items().size());
  const std::ptrdiff_t until = std::max<std::ptrdiff_t>(from, state.integer());
  return Completion::ok(Value(Value::List(cell.items.begin() + from, cell.items.begin() + until)));
}

void MemoryStore::write(Cell& cell, const Value& value, Rng& rng) {
  if (strikes(Bug::lost_write, rng)) return;
  changing(cell);
  cell.previous = std::exchange(cell.value, value);
  ++cell.version;
  if (strikes(Bug::duplicate, rng)) {
    cell.replay = value;
    cell.replay_after = cell.version;
  }
}

Completion MemoryStore::register_op(Cell& cell, const Operation& operation, Rng& rng) {
  if (operation.f == "read") return Completion::ok(strikes(Bug::stale_read, rng) ? cell.previous : cell.value);
  if (operation.f == "write") {
    write(cell, operation.value, rng);
    return Completion::ok();
  }
  if (operation.f == "cas") {
    if (!operation.value.is_list() || operation.value.items().size() != 2)
      return bad_operation(operation, "[old, new]");
    if (!(cell.value == operation.value.items()[0])) {
      return Completion::failed("conflict", "another value was found: " + cell.value.to_json());
    }
    write(cell, operation.value.items()[1], rng);
    return Completion::ok();
  }
  return unsupported("register", operation);
}

Completion MemoryStore::set_op(Cell& cell, const Operation& operation, Rng& rng) {
  if (operation.f == "add") {
    if (strikes(Bug::lost_write, rng)) return Completion::ok();
    if (!cell.members.insert(operation.value).second) return Completion::ok();
    changing(cell);
    cell.items.push_back(operation.value);
    if (strikes(Bug::duplicate, rng)) cell.items.push_back(operation.value);
    return Completion::ok();
  }
  if (operation.f == "read") {
    Value::List seen = cell.items;
    if (!seen.empty() && strikes(Bug::stale_read, rng)) {
      seen.resize(seen.size() - 1 - rng.below(std::min<std::size_t>(seen.size(), 5)));
    }
    return Completion::ok(Value(std::move(seen)));
  }
  return unsupported("set", operation);
}

Completion MemoryStore::counter_op(Cell& cell, const Operation& operation, Rng& rng) {
  if (operation.f == "read") {
    return Completion::ok(Value(strikes(Bug::stale_read, rng) ? cell.previous_number : cell.number));
  }
  if (operation.f == "add") {
    if (!operation.value.is_integer()) return bad_operation(operation, "an integer");
    if (strikes(Bug::lost_write, rng)) return Completion::ok();
    changing(cell);
    cell.previous_number = cell.number;
    cell.number += operation.value.integer() * (strikes(Bug::duplicate, rng) ? 2 : 1);
    return Completion::ok();
  }
  return unsupported("counter", operation);
}

Completion MemoryStore::queue_op(Cell& cell, const Operation& operation, Rng& rng) {
  if (operation.f == "enqueue") {
    if (strikes(Bug::lost_write, rng)) return Completion::ok();
    if (strikes(Bug::reorder, rng))
      cell.queue.push_front(operation.value);
    else
      cell.queue.push_back(operation.value);
    if (strikes(Bug::duplicate, rng)) cell.queue.push_back(operation.value);
    return Completion::ok();
  }
  if (operation.f == "dequeue") {
    if (cell.queue.empty()) return Completion::ok(Value());
    Value first = cell.queue.front();
    if (!strikes(Bug::stale_read, rng)) cell.queue.pop_front();
    return Completion::ok(std::move(first));
  }
  Value::List all(cell.queue.begin(), cell.queue.end());  // drain
  cell.queue.clear();
  return Completion::ok(Value(std::move(all)));
}

Completion MemoryStore::lock_op(Cell& cell, const Operation& operation, std::uint64_t client, Rng& rng) {
  if (operation.f == "acquire") {
    const bool free = !cell.holder || strikes(Bug::stale_read, rng) || strikes(Bug::duplicate, rng);
    if (!free) return Completion::failed("held", "somebody holds the lock");
    if (!strikes(Bug::lost_write, rng)) cell.holder = client;
    ++cell.token;
    return Completion::ok(Value(strikes(Bug::reorder, rng) ? cell.token / 2 : cell.token));
  }
  if (cell.holder != client) return Completion::failed("not-held", "this client does not hold the lock");
  if (!strikes(Bug::lost_write, rng)) cell.holder.reset();
  return Completion::ok();
}

void MemoryStore::append(Cell& cell, const Value& value, Rng& rng) {
  if (strikes(Bug::lost_write, rng)) return;
  changing(cell);
  cell.items.push_back(value);
  if (strikes(Bug::duplicate, rng)) cell.items.push_back(value);
}

Completion MemoryStore::log_op(Cell& cell, const Operation& operation, Rng& rng) {
  if (operation.f == "append") {
    append(cell, operation.value, rng);
    return Completion::ok();
  }
  if (operation.f != "read") return unsupported("log", operation);
  if (!operation.value.is_nil() && !operation.value.is_integer())
    return bad_operation(operation, "an offset or nothing");
  const auto size = static_cast<std::int64_t>(cell.items.size());
  const std::int64_t end = size > 0 && strikes(Bug::stale_read, rng) ? size - 1 : size;
  const std::int64_t from = operation.value.is_nil() ? 0 : std::clamp<std::int64_t>(operation.value.integer(), 0, end);
  return Completion::ok(Value(Value::List(cell.items.begin() + from, cell.items.begin() + end)));
}

void MemoryStore::step(Value& micro, Rng& rng) {
  const std::string& f = micro.items()[0].string();
  Cell& found = cell(key_text(micro.items()[1]));
  Value& value = micro.items()[2];
  if (f == "w") {
    write(found, value, rng);
  } else if (f == "append") {
    append(found, value, rng);
  } else if (!found.items.empty()) {
    const bool stale = strikes(Bug::stale_read, rng);
    value = Value(Value::List(found.items.begin(), found.items.end() - (stale ? 1 : 0)));
  } else {
    value = strikes(Bug::stale_read, rng) ? found.previous : found.value;
  }
}

std::vector<std::unique_lock<std::mutex>> MemoryStore::lock_all(const Value& micros) {
  std::set<std::size_t> stripes;
  for (const Value& micro : micros.items()) stripes.insert(stripe_of(key_text(micro.items()[1])));
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const std::size_t stripe : stripes) locks.emplace_back(stripes_[stripe].mutex);
  return locks;
}

Completion MemoryStore::skewed_transaction(Value micros, Rng& rng) {
  std::map<std::string, std::pair<std::uint64_t, std::size_t>> versions;  // of the keys that are written
  {
    const auto locks = lock_all(micros);
    for (Value& micro : micros.items()) {
      const std::string key = key_text(micro.items()[1]);
      if (micro.items()[0].string() == "r")
        step(micro, rng);
      else
        versions[key] = {cell(key).version, cell(key).items.size()};
    }
  }
  std::this_thread::sleep_for(std::chrono::microseconds(300));
  const auto locks = lock_all(micros);
  for (const auto& [key, version] : versions) {
    if (version != std::pair(cell(key).version, cell(key).items.size())) {
      return Completion::failed("conflict", "another transaction wrote " + key);
    }
  }
  for (Value& micro : micros.items()) {
    if (micro.items()[0].string() != "r") step(micro, rng);
  }
  return Completion::ok(std::move(micros));
}

Completion MemoryStore::transaction(const Operation& operation, Rng& rng) {
  constexpr const char* kExpected = R"(a list of ["r", key, null], ["w", key, value] and ["append", key, value])";
  if (!operation.value.is_list()) return bad_operation(operation, kExpected);
  std::set<Value> written;
  bool reads_come_first = true;  // no key is read after it was written
  for (const auto& micro : operation.value.items()) {
    if (!micro.is_list() || micro.items().size() != 3 || !micro.items()[0].is_string())
      return bad_operation(operation, kExpected);
    const std::string& f = micro.items()[0].string();
    if (f != "r" && f != "w" && f != "append") return bad_operation(operation, kExpected);
    if (f != "r")
      written.insert(micro.items()[1]);
    else if (written.contains(micro.items()[1]))
      reads_come_first = false;
  }
  if (reads_come_first && !written.empty() && strikes(Bug::write_skew, rng))
    return skewed_transaction(operation.value, rng);
  Value done = operation.value;
  const auto locks = lock_all(done);
  for (Value& micro : done.items()) step(micro, rng);
  return Completion::ok(std::move(done));
}

Completion MemoryStore::generate_id(Rng& rng) {
  const std::lock_guard lock(ids_mutex_);
  const bool again = next_id_ > 0 && (strikes(Bug::duplicate, rng) || strikes(Bug::stale_read, rng));
  return Completion::ok(Value(again ? next_id_ - 1 : next_id_++));
}

Completion MemoryStore::bank_op(const Operation& operation, Rng& rng) {
  const std::lock_guard lock(bank_mutex_);
  if (operation.f == "read") {
    // A stale read mixes two snapshots: the first account as it was before the last transfer.
    const bool stale = strikes(Bug::stale_read, rng);
    Value seen = Value::map();
    for (std::size_t i = 0; i < balances_.size(); ++i) {
      seen.set(static_cast<std::int64_t>(i), stale && i < balances_.size() / 2 ? balances_before_[i] : balances_[i]);
    }
    return Completion::ok(std::move(seen));
  }
  if (operation.f != "transfer") return unsupported("bank", operation);
  const Value* from = operation.value.find("from");
  const Value* to = operation.value.find("to");
  const Value* amount = operation.value.find("amount");
  const auto account = [&](const Value* v) {
    return v != nullptr && v->is_integer() && v->integer() >= 0 && v->integer() < settings_.bank_accounts;
  };
  if (!account(from) || !account(to) || amount == nullptr || !amount->is_integer()) {
    return bad_operation(operation, R"({"from": account, "to": account, "amount": integer} with known accounts)");
  }
  auto& source = balances_[static_cast<std::size_t>(from->integer())];
  auto& destination = balances_[static_cast<std::size_t>(to->integer())];
  if (source < amount->integer()) return Completion::failed("insufficient", "the balance is too low");
  balances_before_ = balances_;
  source -= amount->integer();
  const bool half = strikes(Bug::lost_write, rng) || strikes(Bug::lost_update, rng);
  if (!half) destination += amount->integer() * (strikes(Bug::duplicate, rng) ? 2 : 1);
  return Completion::ok();
}

void MemoryStore::forget(std::uint64_t client) {
  services_.forget(client);
  limits_.forget(client);
  queues_.forget(client);
  for (auto& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    for (auto& [key, cell] : stripe.cells) {
      if (cell.holder == client) cell.holder.reset();
    }
  }
}

}  // namespace ordeal::memory
