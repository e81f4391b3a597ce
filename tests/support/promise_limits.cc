// Promises of limits: permits that are held, tokens that grow.

#include <algorithm>
#include <tuple>

#include "support/promise_oracle.h"
#include "support/some_order.h"

namespace ordeal::testing_support {
namespace {

bool is_denial(const Call& call) {
  return call.outcome == EventType::fail && (call.error.empty() || call.error == "limited");
}

// Places in the history, both ends included, at which a permit is held for certain, and at which it may be.
struct Held {
  std::int64_t certain_from = Call::kForever, certain_until = Call::kForever;
  std::int64_t from = 0, until = Call::kForever;
};

// The permits of one process. Each release is of the oldest; what crashed has given all back when it has settled.
std::vector<Held> permits_of(const std::vector<const Call*>& own, const std::vector<std::int64_t>& times_ns,
                             std::int64_t settle_ns) {
  std::vector<Held> out;
  std::size_t oldest = 0;
  for (const Call* call : own) {
    const bool crashed = call->outcome == EventType::info;
    if (call->f == "acquire-permit" && call->outcome != EventType::fail)
      out.push_back({crashed ? Call::kForever : call->until, Call::kForever, call->from, Call::kForever});
    if (call->f == "release-permit" && oldest < out.size()) {
      out[oldest].certain_until = std::min(out[oldest].certain_until, call->from);
      if (call->ok()) out[oldest++].until = call->until;
    }
    for (; crashed && oldest < out.size(); ++oldest) {
      out[oldest].certain_until = std::min(out[oldest].certain_until, call->from);
      if (call->told_ns == Call::kForever || call->told_ns < 0) continue;
      for (std::size_t e = times_ns.size(); e-- > 0;) {
        if (times_ns[e] > call->told_ns + settle_ns) out[oldest].until = static_cast<std::int64_t>(e) - 1;
      }
    }
  }
  return out;
}

// Whether some order of the beginnings and ends of holds has all permits held at each denial, for some choice of those
// acquisitions of unknown outcome that happened. Instants include the events themselves: each has two places.
bool denials_explained(const std::vector<Call>& calls, const std::vector<Held>& all, std::size_t limit,
                       std::int64_t last_invocation) {
  const auto after = [](std::int64_t place) { return place == Call::kForever ? place : 2 * place + 1; };
  const auto step = [&](std::size_t held, const Call& call, const auto& next) {
    if (call.f == "take" && held < limit) next(held + 1);
    if (call.f == "give") next(held - 1);
    if (call.f == "denial" && held == limit) next(held);
  };
  std::vector<Held> unknown;
  std::vector<Call> steps;
  const auto add = [&](std::vector<Call>& to, const Held& one) {
    const bool certain = one.certain_from != Call::kForever;
    Call take, give;
    take.f = "take";
    take.outcome = EventType::ok;
    take.from = 2 * one.from;
    take.until = after(one.certain_from);
    give.f = "give";
    give.from = certain ? std::max(2 * std::min(one.certain_until, last_invocation), take.until + 1) : take.from;
    give.until = after(one.until);
    give.outcome = one.until == Call::kForever ? EventType::info : EventType::ok;
    give.after = to.size();
    to.push_back(take);
    to.push_back(give);
  };
  for (const Held& one : all) {
    if (one.certain_from == Call::kForever)
      unknown.push_back(one);
    else
      add(steps, one);
  }
  for (const Call& call : calls) {
    if (call.f != "acquire-permit" || !is_denial(call)) continue;
    Call denial = call;
    denial.f = "denial";
    denial.outcome = EventType::ok;
    denial.from = 2 * call.from;
    denial.until = after(call.until);
    steps.push_back(denial);
  }
  for (std::uint64_t some = 0; some < (std::uint64_t{1} << unknown.size()); ++some) {
    std::vector<Call> these = steps;
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      if ((some >> i & 1) != 0) add(these, unknown[i]);
    }
    if (some_order(these, std::size_t{0}, step)) return true;
  }
  return false;
}

bool keeps_semaphore(const std::vector<Call>& calls, std::size_t limit, std::int64_t settle_ns,
                     const std::vector<std::int64_t>& times_ns) {
  std::map<std::int64_t, std::vector<const Call*>> by_process;
  std::int64_t last_invocation = 0;
  for (const Call& call : calls) {
    by_process[call.process].push_back(&call);
    last_invocation = std::max(last_invocation, call.from);
  }
  std::vector<Held> all;
  for (const auto& [process, own] : by_process) {
    const auto held = permits_of(own, times_ns, settle_ns);
    all.insert(all.end(), held.begin(), held.end());
  }
  // Clients may be gone after the last invocation.
  for (std::int64_t at = 0; at <= last_invocation; ++at) {
    const auto certain = std::count_if(
        all.begin(), all.end(), [&](const Held& one) { return one.certain_from <= at && at <= one.certain_until; });
    if (static_cast<std::size_t>(certain) > limit) return false;
  }
  return denials_explained(calls, all, limit, last_invocation);
}

}  // namespace

bool keeps_concurrency_limit(const std::vector<Call>& calls, std::size_t limit, std::int64_t settle_ns) {
  std::map<std::int64_t, std::int64_t> known;  // times by place
  for (const Call& call : calls) {
    known[call.from] = call.from_ns;
    if (call.told != Call::kForever) known[call.told] = call.told_ns;
  }
  std::vector<std::int64_t> times_ns;
  for (const auto& [place, time] : known) {
    times_ns.resize(static_cast<std::size_t>(place), times_ns.empty() ? 0 : times_ns.back());
    times_ns.push_back(time);
  }
  const auto objects = by_key(calls);
  return std::all_of(objects.begin(), objects.end(),
                     [&](const auto& one) { return keeps_semaphore(one.second, limit, settle_ns, times_ns); });
}

// Whether some order, each at the earliest instant at which the bucket has a token, grants all that were.
bool grantable(const std::vector<Call>& calls, const Bucket& bucket) {
  std::vector<Call> grants;
  std::copy_if(calls.begin(), calls.end(), std::back_inserter(grants), [](const Call& call) { return call.ok(); });
  const std::int64_t token = bucket.shortest_ns, full = bucket.burst * token;
  using State = std::pair<std::int64_t, std::int64_t>;  // the time, and how far the bucket was filled, in ns of growth
  const auto step = [&](const State& state, const Call& call, const auto& next) {
    const std::int64_t earliest = std::max(state.first, call.from_ns);
    const std::int64_t filled = std::min(full, state.second + (earliest - state.first));
    const std::int64_t wait = std::max<std::int64_t>(0, token - filled);
    if (earliest + wait <= call.until_ns) next(State{earliest + wait, filled + wait - token});
  };
  return some_order(grants, State{-1, full}, step);
}

// Whether at some instant of the denial the bucket may not have had a token: with all others as late as they can be,
// but not after that instant. Those that excuse it need not respect the limit.
bool deniable(const std::vector<Call>& calls, const Call& denial, const Bucket& bucket) {
  constexpr std::int64_t kLongAgo = INT64_MIN / 4;
  const std::int64_t token = bucket.longest_ns, full = bucket.burst * token;
  std::set<std::int64_t> instants = {denial.from_ns, denial.until_ns};
  for (const Call& call : calls) {
    if (call.from_ns > denial.from_ns && call.from_ns < denial.until_ns) instants.insert(call.from_ns);
  }
  for (const std::int64_t instant : instants) {
    std::vector<std::int64_t> taken;
    for (const Call& call : calls) {
      if (call.outcome == EventType::fail || call.from_ns > instant) continue;
      std::int64_t end = call.until_ns;
      if (!call.ok() && call.told_ns != Call::kForever) end = call.told_ns + bucket.settle_ns;
      taken.push_back(std::min(end, instant));
    }
    std::sort(taken.begin(), taken.end());
    std::int64_t filled = full, at = kLongAgo;
    for (const std::int64_t one : taken) {
      filled = std::min(full, filled + (one - at)) - token;
      at = one;
    }
    // A whole token that has grown just now is not held against the limiter.
    if (filled + (instant - at) <= token) return true;
  }
  return false;
}

namespace {

// Instants with least differences between them, [0] being the beginning of time; possible unless some cycle of
// differences makes an instant later than itself.
struct Instants {
  std::vector<std::tuple<std::size_t, std::size_t, std::int64_t>> least;  // from, to, how much later at least
  std::size_t count = 1;

  std::size_t add(std::int64_t begin, std::int64_t end) {
    least.emplace_back(0, count, begin);
    least.emplace_back(count, 0, -end);
    return count++;
  }
  [[nodiscard]] bool possible() const {
    std::vector<std::int64_t> at(count, 0);
    for (std::size_t pass = 0; pass <= count; ++pass) {
      bool changed = false;
      for (const auto& [from, to, difference] : least) {
        if (at[from] + difference <= at[to]) continue;
        at[to] = at[from] + difference;
        changed = true;
      }
      if (!changed) return true;
    }
    return false;
  }
};

// Requests between two times at which the bucket is full: whether there are instants of all, in some order, at which
// grants find a token and denials do not.
class BucketOrder {
 public:
  BucketOrder(const std::vector<Call>& calls, const Bucket& bucket) : bucket_(bucket) {
    for (const Call& call : calls) (is_denial(call) ? denials_ : grants_).push_back(call);
    done_.resize(grants_.size());
  }
  // nullopt: too many ways to try.
  [[nodiscard]] std::optional<bool> explained() {
    const bool found = from(Instants());
    return found || tries_ > 0 ? std::optional(found) : std::nullopt;
  }

 private:
  std::int64_t end(const Call& call) const {
    if (call.ok()) return call.until_ns;
    return call.told_ns == Call::kForever ? call.told_ns : call.told_ns + bucket_.settle_ns;
  }
  // Of two grants of which one begins and ends no later than the other that one may be taken to come first, for each
  // could have had the other's instant.
  bool first(const Call& a, const Call& b) const {
    return a.from_ns <= b.from_ns && end(a) <= end(b) && std::pair(a.from, a.until) < std::pair(b.from, b.until);
  }

  bool from(const Instants& so_far) {
    bool all = true;
    for (std::size_t i = 0; i < grants_.size(); ++i) all = all && (done_[i] || !grants_[i].ok());
    if (all && denied(so_far, 0)) return true;
    for (std::size_t i = 0; i < grants_.size(); ++i) {
      bool next = !done_[i];
      for (std::size_t j = 0; j < grants_.size() && next; ++j) {
        if (done_[j])
          next = !first(grants_[i], grants_[j]);
        else if (grants_[j].ok())
          next = !first(grants_[j], grants_[i]);
      }
      if (!next) continue;
      Instants more = so_far;
      const std::size_t k = more.add(grants_[i].from_ns, end(grants_[i]));
      if (k > 1) more.least.emplace_back(k - 1, k, 0);
      for (std::size_t q = 1; q < k; ++q) {
        const auto beyond = static_cast<std::int64_t>(k - q + 1) - bucket_.burst;
        if (beyond > 0) more.least.emplace_back(q, k, beyond * bucket_.shortest_ns);
      }
      if (tries_ == 0) return false;
      --tries_;
      if (!more.possible()) continue;
      done_[i] = true;
      placed_ = k;
      const bool found = from(more);
      done_[i] = false;
      placed_ = k - 1;
      if (found) return true;
    }
    return false;
  }

  // With k grants before the denial, those since the q-th left at most one token.
  bool denied(const Instants& so_far, std::size_t number) {
    if (number == denials_.size()) return true;
    for (std::size_t k = 1; k <= placed_; ++k) {
      for (std::size_t q = 1; q <= k; ++q) {
        const auto tokens = static_cast<std::int64_t>(k - q + 2) - bucket_.burst;
        if (tokens < 0) continue;
        Instants more = so_far;
        const std::size_t x = more.add(denials_[number].from_ns, denials_[number].until_ns);
        more.least.emplace_back(k, x, 0);
        if (k < placed_) more.least.emplace_back(x, k + 1, 0);
        more.least.emplace_back(x, q, -tokens * bucket_.longest_ns);
        if (tries_ == 0) return false;
        --tries_;
        if (more.possible() && denied(more, number + 1)) return true;
      }
    }
    return false;
  }

  const Bucket bucket_;
  std::vector<Call> grants_, denials_;
  std::vector<bool> done_;
  std::size_t placed_ = 0;
  int tries_ = 50'000;
};

}  // namespace

std::optional<bool> keeps_token_bucket(const std::vector<Call>& calls, const Bucket& bucket) {
  bool all = true;
  for (const auto& [key, own] : by_key(calls)) {
    if (!grantable(own, bucket)) return false;
    for (const Call& call : own) {
      if (is_denial(call) && !deniable(own, call, bucket)) return false;
    }
    // Calls are in the order of their beginnings; the bucket is full where it had so long to be filled.
    std::vector<Call> busy;
    std::int64_t full_ns = 0;
    for (const Call& call : own) {
      if (call.outcome == EventType::fail && !is_denial(call)) continue;
      if (!busy.empty() && call.from_ns > full_ns) {
        const auto explained = BucketOrder(busy, bucket).explained();
        if (explained && !*explained) return false;
        all = all && explained;
        busy.clear();
      }
      busy.push_back(call);
      std::int64_t end = call.ok() || is_denial(call) ? call.until_ns : call.told_ns;
      if (call.outcome == EventType::info && end != Call::kForever) end += bucket.settle_ns;
      full_ns = std::max(full_ns, end == Call::kForever ? end : end + bucket.burst * bucket.longest_ns);
    }
    const auto explained = BucketOrder(busy, bucket).explained();
    if (explained && !*explained) return false;
    all = all && explained;
  }
  return all ? std::optional(true) : std::nullopt;
}

}  // namespace ordeal::testing_support
