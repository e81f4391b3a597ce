// Promises of one order of all that was asked of an object: registers with versions, the accounts of a customer,
// operations with keys that expire.

#include <algorithm>
#include <set>
#include <tuple>

#include "support/promise_oracle.h"
#include "support/some_order.h"

namespace ordeal::testing_support {
namespace {

// The version, exactly or only what it is above, and the value.
using Cell = std::tuple<bool, std::int64_t, Value>;

bool keeps_one_register(const std::vector<Call>& calls) {
  const auto step = [](const Cell& cell, const Call& call, const auto& next) {
    const auto& [known, version, value] = cell;
    const bool reads = call.f == "read";
    if (reads && !call.ok()) return;
    const Value& named = reads ? call.seen : call.asked;
    const std::int64_t expected = named.items()[0].integer();
    if (known ? version != expected : version >= expected) return;
    if (reads) {
      if (value == call.seen.items()[1]) next(Cell{true, expected, value});
      return;
    }
    const Value& written = call.asked.items()[1];
    const bool told = call.ok() && call.seen.is_list() && call.seen != call.asked && !call.seen.items()[0].is_nil();
    if (!told) return next(Cell{false, expected, written});
    const std::int64_t made = call.seen.items()[0].integer();
    if (made > expected) next(Cell{true, made, written});
  };
  return some_order(calls, Cell{true, 0, Value()}, step);
}

// A refusal for that reason says something of the state, so it has its place in the order.
std::vector<Call> with_refusals(const std::vector<Call>& calls, const std::string& f, const std::string& error) {
  std::vector<Call> out = calls;
  for (Call& call : out) {
    if (call.f != f || call.outcome != EventType::fail || call.error != error) continue;
    call.f = "refused";
    call.outcome = EventType::ok;
  }
  return out;
}

using Balances = std::pair<std::int64_t, std::int64_t>;

bool keeps_customer(const std::vector<Call>& calls) {
  const auto step = [](const Balances& now, const Call& call, const auto& next) {
    if (call.f == "read") {
      const bool fits =
          call.ok() && call.seen.items()[0] == Value(now.first) && call.seen.items()[1] == Value(now.second);
      if (fits) next(now);
      return;
    }
    Balances after = now;
    std::int64_t& account = *call.asked.find("account") == Value(0) ? after.first : after.second;
    account += (call.f == "deposit" ? 1 : -1) * call.asked.find("amount")->integer();
    const bool broken = after.first + after.second < 0;
    if (call.f == "refused") {
      if (broken) next(now);
    } else if (call.f == "deposit" || !broken) {
      next(after);
    }
  };
  return some_order(with_refusals(calls, "withdraw", "insufficient"), Balances{0, 0}, step);
}

// What a key has been through: the bodies executed, whether it is taken, by which body and with which answer (nil: not
// known), since when, and what time it is.
using Life = std::tuple<std::multiset<Value>, bool, Value, Value, std::int64_t, std::int64_t>;

bool keeps_key(const std::vector<Call>& calls, std::int64_t ttl_ns, std::int64_t unit_ns) {
  const auto at = [&](const Life& life, const Call& call, std::int64_t now, const auto& next) {
    const auto& [executed, taken, body, answer, since, before] = life;
    if (call.f == "read") {
      if (!call.ok()) return;
      const auto& shown = call.seen.items();
      if (std::multiset<Value>(shown.begin(), shown.end()) == executed)
        next(Life{executed, taken, body, answer, since, now});
      return;
    }
    const Value& asked = *call.asked.find("body");
    if (call.f == "refused") {
      if (taken && body != asked) next(Life{executed, taken, body, answer, since, now});
      return;
    }
    const Value told = call.ok() && call.seen != call.asked ? call.seen : Value();
    if (taken && body == asked && (told.is_nil() || answer.is_nil() || told == answer))
      next(Life{executed, taken, body, answer.is_nil() ? told : answer, since, now});
    if (taken && (ttl_ns == 0 || now - since < ttl_ns)) return;
    auto more = executed;
    more.insert(asked);
    next(Life{more, true, asked, told, now, now});
  };
  std::int64_t end_ns = 0;
  for (const Call& call : calls)
    end_ns = std::max(end_ns, call.told_ns == Call::kForever ? call.from_ns : call.told_ns);
  const auto step = [&](const Life& life, const Call& call, const auto& next) {
    if (ttl_ns == 0) return at(life, call, 0, next);
    const std::int64_t last = std::min(call.until_ns, end_ns);
    for (std::int64_t now = std::max(call.from_ns, std::get<5>(life)); now <= last; now += unit_ns)
      at(life, call, now, next);
  };
  return some_order(calls, Life{{}, false, {}, {}, 0, 0}, step);
}

// The events of an account so far: id and amount.
using Stream = std::vector<std::pair<Value, std::int64_t>>;

std::int64_t sum_of(const Stream& stream, std::size_t count) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < count; ++i) out += stream[i].second;
  return out;
}

// What is asked of the read model, when the stream is `all`: it shows the first events, as a call that reads it knows
// them, never less than it showed before, and after `settle_ns` without appends all that was known for so long.
class ReadModel {
 public:
  ReadModel(const std::vector<Call>& calls, const Stream& all, std::int64_t last_ns, const LedgerTimes& times)
      : calls_(calls), all_(all), last_ns_(last_ns), times_(times) {}
  [[nodiscard]] bool kept() const {
    return std::all_of(calls_.begin(), calls_.end(), [&](const Call& call) {
      return !call.ok() || (call.f != "model" && call.f != "replay") || shows_the_first(call);
    });
  }

 private:
  static std::int64_t version_shown(const Call& call) {
    if (call.f == "deposit" || call.f == "withdraw") return call.seen.integer();
    if (call.f == "events") return static_cast<std::int64_t>(call.seen.items().size());
    return call.seen.items()[0].integer();
  }
  [[nodiscard]] bool shows_the_first(const Call& look) const {
    const std::int64_t version = version_shown(look);
    if (version < 0 || version > static_cast<std::int64_t>(all_.size())) return false;
    if (look.seen.items()[1] != Value(sum_of(all_, static_cast<std::size_t>(version)))) return false;
    for (const Call& call : calls_) {
      const Value* id = call.asked.is_map() ? call.asked.find("id") : nullptr;
      for (std::int64_t v = 1; id != nullptr && v <= version; ++v) {
        if (all_[static_cast<std::size_t>(v) - 1].first == *id && call.from > look.until) return false;
      }
      if (!call.ok() || version_shown(call) <= version) continue;
      if (call.f == look.f && call.until < look.from) return false;
      if (call.f == "model" || call.f == "replay" || call.until > look.from) continue;
      if (times_.lag_ns > 0 && call.until_ns + times_.lag_ns < look.from_ns) return false;
      const bool rest = look.from_ns - last_ns_ >= times_.settle_ns;
      if (rest && look.from_ns - call.until_ns >= times_.settle_ns) return false;
    }
    return true;
  }

  const std::vector<Call>& calls_;
  const Stream& all_;
  const std::int64_t last_ns_;
  const LedgerTimes times_;
};

bool keeps_account(const std::vector<Call>& calls, std::int64_t last_ns, const LedgerTimes& times) {
  std::vector<Call> ordered;
  for (const Call& call : with_refusals(calls, "withdraw", "insufficient")) {
    if (call.f != "model" && call.f != "replay") ordered.push_back(call);
  }
  Call end;
  end.f = "end";
  end.outcome = EventType::ok;
  end.from = Call::kForever - 1;
  ordered.push_back(end);
  const auto step = [&](const Stream& stream, const Call& call, const auto& next) {
    if (call.f == "end") {
      if (ReadModel(calls, stream, last_ns, times).kept()) next(stream);
      return;
    }
    const auto version = static_cast<std::int64_t>(stream.size());
    const std::int64_t money = sum_of(stream, stream.size());
    if (call.f == "balance" || call.f == "events") {
      if (!call.ok()) return;
      Value::List shown;
      for (std::size_t i = 0; i < stream.size(); ++i)
        shown.push_back(Value::list({static_cast<std::int64_t>(i) + 1, stream[i].first, stream[i].second}));
      if (call.seen == (call.f == "events" ? Value(std::move(shown)) : Value::list({version, money}))) next(stream);
      return;
    }
    const std::int64_t amount = call.asked.find("amount")->integer();
    if (call.f == "refused") {
      if (money < amount) next(stream);
      return;
    }
    if (call.ok() && call.seen != Value(version + 1)) return;
    if (call.f == "withdraw" && money < amount) return;
    Stream more = stream;
    more.emplace_back(*call.asked.find("id"), call.f == "deposit" ? amount : -amount);
    next(more);
  };
  return some_order(ordered, Stream{}, step);
}

bool each_of(const std::vector<Call>& calls, bool (*keeps)(const std::vector<Call>&)) {
  const auto objects = by_key(calls);
  return std::all_of(objects.begin(), objects.end(), [&](const auto& one) { return keeps(one.second); });
}

}  // namespace

bool keeps_cas_by_version(const std::vector<Call>& calls) { return each_of(calls, keeps_one_register); }
bool keeps_overdraft(const std::vector<Call>& calls) { return each_of(calls, keeps_customer); }

bool keeps_ledger(const std::vector<Call>& calls, const LedgerTimes& times) {
  std::int64_t last_ns = 0;  // the last that was heard of an append
  for (const Call& call : calls) {
    if (call.f != "deposit" && call.f != "withdraw") continue;
    last_ns = std::max(last_ns, call.told_ns == Call::kForever ? call.from_ns : call.told_ns);
  }
  const auto accounts = by_key(calls);
  return std::all_of(accounts.begin(), accounts.end(),
                     [&](const auto& one) { return keeps_account(one.second, last_ns, times); });
}

bool keeps_idempotency_keys(const std::vector<Call>& calls, std::int64_t ttl_ns, std::int64_t unit_ns) {
  for (const auto& [ledger, of_ledger] : by_key(calls)) {
    std::set<Value> ids;
    for (const Call& call : of_ledger) {
      if (call.f == "apply") ids.insert(*call.asked.find("id"));
      if (call.f != "read" || !call.ok()) continue;
      for (const Value& entry : call.seen.items()) ids.insert(entry.items()[0]);
    }
    // Keys are apart: each read shows each of them.
    for (const Value& id : ids) {
      std::vector<Call> own;
      for (Call call : with_refusals(of_ledger, "apply", "conflict")) {
        if (call.f != "read" && *call.asked.find("id") != id) continue;
        if (call.f == "read" && call.ok()) {
          Value::List bodies;
          for (const Value& entry : call.seen.items()) {
            if (entry.items()[0] == id) bodies.push_back(entry.items()[1]);
          }
          call.seen = Value(std::move(bodies));
        }
        own.push_back(std::move(call));
      }
      if (!keeps_key(own, ttl_ns, unit_ns)) return false;
    }
  }
  return true;
}

}  // namespace ordeal::testing_support
