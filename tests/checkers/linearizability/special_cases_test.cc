// Every special case against plain enumeration on random small histories, crashed operations included, and its orders
// against the model.
//
// The histories come from a simulated object: operations take effect at random moments between invocation and return,
// and some results are spoilt afterwards, so that about half are invalid. The oracle is a memoised search over sets of
// performed calls that uses nothing but Model::step.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/special/special_cases.h"

namespace ordeal::lin {
namespace {

// ---- the oracle -----------------------------------------------------------------------------------------------------

bool explains(const KeyHistory& history, std::uint32_t performed, const State& state,
              std::set<std::pair<std::uint32_t, State>>& failed) {
  const auto& calls = history.calls;
  EventIndex first_return = kNever;
  bool left = false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if ((performed >> i & 1) != 0) continue;
    first_return = std::min(first_return, calls[i].ret);
    left = left || !calls[i].crashed();
  }
  if (!left) return true;
  if (failed.contains({performed, state})) return false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if ((performed >> i & 1) != 0 || calls[i].inv > first_return) continue;
    std::vector<State> next;
    history.model->step(state, calls[i].op, next);
    for (const State& s : next) {
      if (explains(history, performed | 1u << i, s, failed)) return true;
    }
  }
  failed.insert({performed, state});
  return false;
}

bool oracle(const KeyHistory& history) {
  std::set<std::pair<std::uint32_t, State>> failed;
  return explains(history, 0, history.model->initial(), failed);
}

// Whether the order respects real time, holds all calls that returned, and is legal.
bool order_is_right(const KeyHistory& history, const std::vector<CallIndex>& order) {
  std::vector<bool> there(history.calls.size());
  std::vector<State> states = {history.model->initial()};
  EventIndex latest = 0;
  for (const CallIndex i : order) {
    if (there[i] || history.calls[i].ret < latest) return false;
    there[i] = true;
    latest = std::max(latest, history.calls[i].inv);
    std::vector<State> next;
    for (const State& s : states) history.model->step(s, history.calls[i].op, next);
    states = next;
    if (states.empty()) return false;
  }
  for (std::size_t i = 0; i < there.size(); ++i) {
    if (!there[i] && !history.calls[i].crashed()) return false;
  }
  return true;
}

// ---- random histories -----------------------------------------------------------------------------------------------

using Random = std::mt19937;

int below(Random& random, int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

// A simulated object: proposes operations and performs them.
struct Object {
  virtual ~Object() = default;
  struct Request {
    std::string f;
    Value argument;
  };
  virtual Request propose(Random& random, int process) = 0;
  // False while the operation has to wait.
  virtual bool ready(const Request&, int) { return true; }
  // In a hundred, how often it goes on although it has to wait.
  [[nodiscard]] virtual int rashness() const { return 3; }
  // The value of the completion.
  virtual Value perform(const Request& request, int process) = 0;
  // Another result, perhaps wrong.
  virtual Value spoilt(Random& random, const Request& request, const Value& result) = 0;
};

History sample(Random& random, Object& object, int operations, int crash_percent, int spoil_percent, int workers = 4) {
  struct Open {
    Object::Request request;
    bool performed = false;
    Value result;
  };
  HistoryBuilder builder;
  std::map<int, Open> open;  // by worker
  std::vector<int> process(static_cast<std::size_t>(workers));
  int next_process = 0;
  for (int& one : process) one = next_process++;
  int left = operations;
  const auto event = [&](int worker, EventType type, const Object::Request& request, const Value& value) {
    Event e;
    e.process = process[static_cast<std::size_t>(worker)];
    e.type = type;
    e.f = *builder.function(request.f);
    e.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(e));
  };
  while (left > 0 || !open.empty()) {
    const int worker = below(random, workers);
    const auto found = open.find(worker);
    if (found == open.end()) {
      if (left == 0) continue;
      --left;
      Open fresh{object.propose(random, process[static_cast<std::size_t>(worker)]), false, {}};
      event(worker, EventType::invoke, fresh.request, fresh.request.argument);
      open.emplace(worker, std::move(fresh));
      continue;
    }
    Open& op = found->second;
    const int number = process[static_cast<std::size_t>(worker)];
    const bool waits = !op.performed && !object.ready(op.request, number);
    // Some give up waiting; some go on although they should wait, and so make the history invalid.
    if (below(random, 100) < (waits ? 10 : crash_percent)) {
      event(worker, EventType::info, op.request, op.request.argument);
      process[static_cast<std::size_t>(worker)] = next_process++;
      open.erase(found);
    } else if (!op.performed) {
      if (waits && below(random, 100) >= object.rashness()) continue;
      op.result = object.perform(op.request, number);
      op.performed = true;
    } else {
      if (below(random, 100) < spoil_percent) op.result = object.spoilt(random, op.request, op.result);
      event(worker, EventType::ok, op.request, op.result);
      open.erase(found);
    }
  }
  return builder.finish();
}

// Judges `rounds` histories. At least a share of both verdicts and of accepted histories is demanded, so that the test
// cannot pass by looking away.
void compare(const Strategy& strategy, const std::string& model,
             const std::function<std::unique_ptr<Object>(Random&)>& object, bool gives_order, int rounds = 6000) {
  Random random(20'261'121);
  // A longer run on request.
  if (const char* factor = std::getenv("ORDEAL_TEST_FACTOR")) rounds *= std::max(1, std::atoi(factor));
  int accepted = 0;
  int valid = 0;
  int with_crashes = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto simulated = object(random);
    const int crashes = below(random, 3) == 0 ? 0 : 12;
    const History history = sample(random, *simulated, 3 + below(random, 9), crashes, below(random, 2) * 15);
    CheckOptions options;
    options.model = model;
    auto made = make_model(history, options);
    ASSERT_TRUE(made) << made.error().message;
    const Partition parts = partition(history, **made);
    ASSERT_TRUE(parts.not_understood.empty()) << parts.not_understood[0].second.message;
    if (parts.keys.empty()) continue;
    const KeyHistory& key = parts.keys[0];
    if (!strategy.objection(key).empty()) continue;
    ++accepted;
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = strategy.decide(key, budget, true);
    const bool expected = oracle(key);
    ASSERT_EQ(strategy.decide(key, budget, false).verdict, decision.verdict) << strategy.name();
    const auto text = [&] {
      std::string out;
      for (EventIndex e = 0; e < history.size(); ++e) {
        out += history.process_name(history.process(e)) + " " + std::string(name(history.type(e))) + " " +
               std::string(history.f_name(e)) + " " + history.values().to_json(history.value(e)) + "\n";
      }
      return out;
    };
    ASSERT_EQ(name(decision.verdict), name(expected ? Verdict::valid : Verdict::invalid)) << strategy.name() << "\n"
                                                                                          << text();
    valid += expected ? 1 : 0;
    with_crashes += std::any_of(key.calls.begin(), key.calls.end(), [](const Call& c) { return c.crashed(); }) ? 1 : 0;
    if (expected && gives_order) {
      ASSERT_TRUE(order_is_right(key, decision.order)) << strategy.name() << "\n" << text();
    }
    if (!expected && !decision.culprits.empty()) {
      KeyHistory core = key;
      core.calls.clear();
      for (const CallIndex i : decision.culprits) core.calls.push_back(key.calls[i]);
      ASSERT_FALSE(oracle(core)) << strategy.name() << " names calls that explain nothing\n" << text();
    }
    if (!expected && decision.failed_at != kNever) {
      KeyHistory prefix = key;
      prefix.calls.clear();
      for (Call call : key.calls) {
        if (call.inv > decision.failed_at) continue;
        if (call.ret > decision.failed_at) {
          if (call.op.code == counter::kRead && model == "counter") continue;
          call.ret = kNever;
          call.op.crashed = true;
          if (model == "fetch-add") call.op.b = 0;
          if (model == "fenced-mutex") call.op.a = kUnknown;
        }
        prefix.calls.push_back(call);
      }
      ASSERT_FALSE(oracle(prefix)) << strategy.name() << ": valid up to " << decision.failed_at << "\n" << text();
    }
  }
  EXPECT_GT(accepted, rounds / 10) << strategy.name();
  EXPECT_GT(valid, accepted / 10) << strategy.name();
  EXPECT_LT(valid, accepted - accepted / 50) << strategy.name();
  testing::Test::RecordProperty("accepted", accepted);
  testing::Test::RecordProperty("valid", valid);
  testing::Test::RecordProperty("with crashes", with_crashes);
}

// ---- the objects ----------------------------------------------------------------------------------------------------

struct Log final : Object {
  Value::List list;
  int next = 1;
  Request propose(Random& random, int) override {
    if (below(random, 2) == 0) return {"append", next++};
    return {"read", Value()};
  }
  Value perform(const Request& r, int) override {
    if (r.f == "read") return list;
    list.push_back(r.argument);
    return r.argument;
  }
  Value spoilt(Random& random, const Request& r, const Value& result) override {
    if (r.f != "read" || result.items().empty()) return result;
    Value::List other = result.items();
    switch (below(random, 3)) {
      case 0:
        other.pop_back();
        break;
      case 1:
        std::swap(other.front(), other.back());
        break;
      default:
        other.push_back(below(random, next + 1));
    }
    return other;
  }
};

struct GrowingSet final : Object {
  std::set<int> elements;
  int next = 1;
  Request propose(Random& random, int) override {
    if (below(random, 2) == 0) return {"add", next++};
    return {"read", Value()};
  }
  Value perform(const Request& r, int) override {
    if (r.f == "add") {
      elements.insert(static_cast<int>(r.argument.integer()));
      return r.argument;
    }
    Value::List list;
    for (const int e : elements) list.emplace_back(e);
    return list;
  }
  Value spoilt(Random& random, const Request& r, const Value& result) override {
    if (r.f != "read") return result;
    Value::List other = result.items();
    if (!other.empty() && below(random, 2) == 0)
      other.erase(other.begin() + below(random, static_cast<int>(other.size())));
    else
      other.push_back(1 + below(random, next));
    return other;
  }
};

struct ElementSet final : Object {
  std::set<int> elements;
  std::set<std::string> used;
  bool again = false;  // elements are added and removed more than once
  explicit ElementSet(Random& random) : again(below(random, 2) == 0) {}
  Request propose(Random& random, int) override {
    const int e = below(random, 2);
    const std::string f =
        std::vector<std::string>{"add", "remove", "contains", "contains"}[static_cast<std::size_t>(below(random, 4))];
    if (f == "contains" || (!again && !used.insert(f + std::to_string(e)).second)) return {"contains", e};
    return {f, e};
  }
  Value perform(const Request& r, int) override {
    const int e = static_cast<int>(r.argument.integer());
    if (r.f == "add")
      elements.insert(e);
    else if (r.f == "remove")
      elements.erase(e);
    else
      return Value::list({e, elements.contains(e)});
    return r.argument;
  }
  Value spoilt(Random&, const Request& r, const Value& result) override {
    if (r.f != "contains") return result;
    return Value::list({result.items()[0], !result.items()[1].boolean()});
  }
};

// Queue, stack and priority queue, with or without takes of nothing.
struct Container final : Object {
  enum Kind { fifo, stack, priority, unordered };
  // `distinct`: after so many values they are repeated.
  Container(Kind k, Random& random, int distinct) : kind(k), order(8) {
    for (int i = 0; i < 8; ++i) order[static_cast<std::size_t>(i)] = i % distinct + 1;
    if (kind == priority) std::shuffle(order.begin(), order.end(), random);
    takes = 1 + below(random, 2);
  }
  Kind kind;
  std::vector<int> order;
  std::size_t next = 0;
  int takes;
  std::vector<int> inside;
  Request propose(Random& random, int) override {
    if (next < order.size() && below(random, 2 + takes / 2) == 0)
      return {kind == stack ? "push" : "enqueue", order[next++]};
    return {kind == stack ? "pop" : "dequeue", Value()};
  }
  Value perform(const Request& r, int) override {
    if (!r.argument.is_nil()) {
      inside.push_back(static_cast<int>(r.argument.integer()));
      return r.argument;
    }
    if (inside.empty()) return {};
    auto at = inside.begin();
    if (kind == stack) at = inside.end() - 1;
    if (kind == priority) at = std::min_element(inside.begin(), inside.end());
    if (kind == unordered) at += static_cast<std::ptrdiff_t>(next % inside.size());
    const int e = *at;
    inside.erase(at);
    return e;
  }
  Value spoilt(Random& random, const Request& r, const Value& result) override {
    if (!r.argument.is_nil()) return result;
    if (below(random, 3) == 0) return {};
    if (below(random, 2) == 0 && !inside.empty()) {  // an element that was to stay inside
      const auto at = inside.begin() + below(random, static_cast<int>(inside.size()));
      const int e = *at;
      inside.erase(at);
      return e;
    }
    return 1 + below(random, 8);
  }
};

struct Counter final : Object {
  int number = 0;
  int delta = 1;
  std::vector<int> factors = {1};  // what is added, in deltas
  bool fetch = false;
  Request propose(Random& random, int) override {
    if (fetch) return {"fetch-add", Value::list({delta, Value()})};
    if (below(random, 2) == 0) {
      return {"add", delta * factors[static_cast<std::size_t>(below(random, static_cast<int>(factors.size())))]};
    }
    return {"read", Value()};
  }
  Value perform(const Request& r, int) override {
    if (r.f == "read") return number;
    number += fetch ? delta : static_cast<int>(r.argument.integer());
    return fetch ? Value::list({delta, number - delta}) : r.argument;
  }
  Value spoilt(Random& random, const Request& r, const Value& result) override {
    const int shift = below(random, 3) - 1;
    if (fetch) return Value::list({delta, result.items()[1].integer() + shift * delta});
    return r.f == "read" ? Value(result.integer() + shift * delta) : result;
  }
};

// Of few values or many, and of a cas.
struct Register final : Object {
  explicit Register(int v) : values(v) {}
  int values;
  Value now;
  Request propose(Random& random, int) override {
    const auto any = [&] { return Value(below(random, values)); };
    const int kind = below(random, 6);
    if (kind < 3) return {"read", Value()};
    if (kind < 5) return {"write", any()};
    const int from = below(random, values);
    return {"cas", Value::list({from, (from + 1 + below(random, values - 1)) % values})};
  }
  bool ready(const Request& r, int) override { return r.f != "cas" || r.argument.items()[0] == now; }
  Value perform(const Request& r, int) override {
    if (r.f == "read") return now;
    now = r.f == "cas" ? r.argument.items()[1] : r.argument;
    return r.argument;
  }
  Value spoilt(Random& random, const Request& r, const Value& result) override {
    return r.f == "read" ? Value(below(random, values)) : result;
  }
};

struct Ids final : Object {
  int next = 0;
  Request propose(Random&, int) override { return {"generate", Value()}; }
  Value perform(const Request&, int) override { return next++; }
  Value spoilt(Random& random, const Request&, const Value&) override { return below(random, next + 1); }
};

struct Lock final : Object {
  Lock(std::string m, int p) : model(std::move(m)), permits(p) {}
  std::string model;
  int permits;
  std::int64_t token = 0;
  std::map<int, int> wanted;  // acquires less releases that a process was told to do
  std::map<int, int> holds;   // that it did
  Request propose(Random& random, int process) override {
    const int mine = wanted[model == "mutex" ? 0 : process];
    // Mostly what is possible; the rest makes histories invalid.
    const bool release =
        below(random, 20) == 0 ? below(random, 2) == 0 : mine > 0 && (mine > 1 || below(random, 4) != 0);
    wanted[model == "mutex" ? 0 : process] += release ? -1 : 1;
    return {release ? "release" : "acquire", Value()};
  }
  [[nodiscard]] int rashness() const override { return model == "mutex" ? 25 : 3; }
  bool ready(const Request& r, int process) override {
    int all = 0;
    for (const auto& [p, n] : holds) all += model == "reentrant-mutex" ? (n > 0 ? 1 : 0) : n;
    if (r.f == "release") return model == "mutex" ? all > 0 : holds[process] > 0;
    return all < permits || (model == "reentrant-mutex" && holds[process] > 0);
  }
  Value perform(const Request& r, int process) override {
    if (r.f == "release") {
      for (auto& [p, n] : holds) {
        if (n == 0 || (p != process && model != "mutex")) continue;
        --n;
        break;
      }
      return {};
    }
    ++holds[process];
    return model == "fenced-mutex" ? Value(++token) : Value();
  }
  Value spoilt(Random& random, const Request&, const Value& result) override {
    return result.is_integer() ? Value(result.integer() + below(random, 3) - 1) : result;
  }
};

template <class T, class... Args>
std::function<std::unique_ptr<Object>(Random&)> always(Args... args) {
  return [=](Random&) { return std::make_unique<T>(args...); };
}
std::function<std::unique_ptr<Object>(Random&)> container(Container::Kind kind, int distinct = 8) {
  return [=](Random& random) { return std::make_unique<Container>(kind, random, distinct); };
}

TEST(SpecialCases, LogPrefix) { compare(*log_prefix_strategy(), "log", always<Log>(), true); }
TEST(SpecialCases, SetChain) { compare(*set_chain_strategy(), "set", always<GrowingSet>(), true); }
TEST(SpecialCases, ByElement) {
  compare(
      *by_element_strategy(), "set", [](Random& random) { return std::make_unique<ElementSet>(random); }, true, 20'000);
}
TEST(SpecialCases, ZonesByWriter) {
  for (const int values : {2, 4, 9}) {
    compare(
        *zones_by_writer_strategy(), "cas-register", [&](Random&) { return std::make_unique<Register>(values); }, true,
        8000);
  }
}
TEST(SpecialCases, QueueOrder) { compare(*queue_order_strategy(), "queue", container(Container::fifo), false, 12'000); }
TEST(SpecialCases, StackGaps) { compare(*stack_gaps_strategy(), "stack", container(Container::stack), false, 12'000); }
TEST(SpecialCases, PriorityCover) {
  compare(*priority_cover_strategy(), "priority-queue", container(Container::priority), false, 12'000);
}
TEST(SpecialCases, Matching) {
  const std::vector<std::pair<std::string, Container::Kind>> kinds = {{"queue", Container::fifo},
                                                                      {"stack", Container::stack},
                                                                      {"priority-queue", Container::priority},
                                                                      {"unordered-queue", Container::unordered}};
  for (const auto& [model, kind] : kinds) {
    for (const int distinct : {1, 2, 3, 8})
      compare(*matching_strategy(), model, container(kind, distinct), false, 4000);
  }
}
// Too long for the oracle, and judged only when all is matched: what a container answered is never refuted.
TEST(SpecialCases, MatchingOfLongHistories) {
  Random random(3);
  for (const auto kind : {Container::fifo, Container::stack, Container::priority, Container::unordered}) {
    const char* model = kind == Container::fifo       ? "queue"
                        : kind == Container::stack    ? "stack"
                        : kind == Container::priority ? "priority-queue"
                                                      : "unordered-queue";
    int valid = 0;
    for (int round = 0; round < 20; ++round) {
      Container object(kind, random, 8);
      object.order.clear();
      for (int i = 0; i < 150; ++i)
        object.order.push_back(
            i > 5 && below(random, 100) < 10 * (round % 5) ? object.order.end()[-1 - below(random, 5)] : i);
      if (kind == Container::priority) std::shuffle(object.order.begin(), object.order.end(), random);
      const History history = sample(random, object, 300, round % 4 == 3 ? 1 : 0, 0, 6);
      CheckOptions options;
      options.model = model;
      const auto made = make_model(history, options);
      ASSERT_TRUE(made);
      const Partition parts = partition(history, **made);
      Budget budget(std::chrono::steady_clock::now() + std::chrono::seconds(5), std::size_t{1} << 30, {});
      const Decision decision = matching_strategy()->decide(parts.keys.at(0), budget, false);
      ASSERT_NE(decision.verdict, Verdict::invalid) << model << " " << round;
      valid += decision.verdict == Verdict::valid ? 1 : 0;
    }
    EXPECT_GT(valid, 5) << model;
  }
}
TEST(SpecialCases, CounterDeadlines) {
  for (const int delta : {1, -3}) {
    compare(
        *counter_deadlines_strategy(), "counter",
        [=](Random&) {
          auto object = std::make_unique<Counter>();
          object->delta = delta;
          return object;
        },
        true);
  }
}
TEST(SpecialCases, CounterSums) {
  const std::vector<std::vector<int>> kinds = {{1, 2, 3}, {1, 2, 4, 8, 0}, {1, 1, 1, 7}, {5, 6}};
  for (const std::vector<int>& factors : kinds) {
    for (const int delta : {1, -1}) {
      compare(
          *counter_sums_strategy(), "counter",
          [&](Random&) {
            auto object = std::make_unique<Counter>();
            object->delta = delta;
            object->factors = factors;
            return object;
          },
          true, 4000);
    }
  }
}
// Crashed additions, each of another number, and a read of some of them or of a sum that none of them come to. To give
// up early must not look like having tried everything.
TEST(SpecialCases, CounterSumsOfManyNumbers) {
  Random random(9);
  int valid = 0;
  for (int round = 0; round < 200; ++round) {
    HistoryBuilder builder;
    ProcessId process = 0;
    const auto event = [&](EventType type, const char* f, const Value& value) {
      Event e;
      e.process = process;
      e.type = type;
      e.f = *builder.function(f);
      e.value = builder.values().intern(value);
      ASSERT_TRUE(builder.add(e));
    };
    std::int64_t sum = 0;
    std::set<int> amounts;
    while (amounts.size() < 14) amounts.insert(10 * below(random, 1'000'000) + 10);
    for (const int amount : amounts) {
      event(EventType::invoke, "add", amount);
      event(EventType::info, "add", amount);
      ++process;
      sum += below(random, 2) * amount;
    }
    const int off = round % 2 == 0 ? 0 : below(random, 9) - 4;  // by so much no sum of tens is
    event(EventType::invoke, "read", Value());
    event(EventType::ok, "read", sum + off);
    const History history = builder.finish();
    CheckOptions options;
    options.model = "counter";
    const auto model = make_model(history, options);
    ASSERT_TRUE(model);
    const Partition parts = partition(history, **model);
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = counter_sums_strategy()->decide(parts.keys.at(0), budget, true);
    const bool expected = off == 0;
    ASSERT_EQ(decision.verdict, expected ? Verdict::valid : Verdict::invalid) << round;
    ASSERT_TRUE(!expected || order_is_right(parts.keys.at(0), decision.order)) << round;
    valid += expected ? 1 : 0;
  }
  EXPECT_GT(valid, 100);
  EXPECT_LT(valid, 150);
}
// Too long for the oracle: what a counter answered is valid, in an order that is right. The walk has to go back here,
// and a spoilt result is not called valid without an order either.
TEST(SpecialCases, CounterSumsOfLongHistories) {
  Random random(5);
  int spoilt = 0, refuted = 0;
  for (int round = 0; round < 60; ++round) {
    Counter object;
    object.delta = round % 2 == 0 ? 1 : -1;
    object.factors = round % 3 == 0 ? std::vector<int>{1, 2, 3, 4, 5} : std::vector<int>{3, 5, 7, 16};
    const bool spoil = round % 4 == 3;
    const History history = sample(random, object, 300, 2 + below(random, 20), 0, 10);
    CheckOptions options;
    options.model = "counter";
    const auto model = make_model(history, options);
    ASSERT_TRUE(model);
    Partition parts = partition(history, **model);
    KeyHistory& key = parts.keys.at(0);
    if (spoil) {
      std::vector<Call*> reads;
      for (Call& call : key.calls) {
        if (call.op.code == counter::kRead) reads.push_back(&call);
      }
      reads[reads.size() / 2]->op.a += object.delta;
      ++spoilt;
    }
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = counter_sums_strategy()->decide(key, budget, true);
    ASSERT_EQ(counter_sums_strategy()->decide(key, budget, false).verdict, decision.verdict);
    ASSERT_TRUE(spoil || decision.verdict == Verdict::valid) << round;
    ASSERT_TRUE(decision.verdict != Verdict::valid || order_is_right(key, decision.order)) << round;
    refuted += decision.verdict == Verdict::invalid ? 1 : 0;
  }
  EXPECT_EQ(spoilt, 15);
  EXPECT_GT(refuted, 0);
}
TEST(SpecialCases, FetchAddPlaces) {
  compare(
      *fetch_add_places_strategy(), "fetch-add",
      [](Random&) {
        auto object = std::make_unique<Counter>();
        object->fetch = true;
        return object;
      },
      true, 12'000);
}
TEST(SpecialCases, UniqueIds) { compare(*unique_ids_strategy(), "unique-ids", always<Ids>(), true, 2000); }
TEST(SpecialCases, LockCores) {
  compare(*lock_cores_strategy(), "mutex-owner", always<Lock>("mutex-owner", 1), true);
  compare(*lock_cores_strategy(), "reentrant-mutex", always<Lock>("reentrant-mutex", 1), true);
  compare(*lock_cores_strategy(), "fenced-mutex", always<Lock>("fenced-mutex", 1), true);
  compare(*lock_cores_strategy(), "semaphore-2", always<Lock>("semaphore-2", 2), true);
}
TEST(SpecialCases, LockDeadlines) { compare(*lock_deadlines_strategy(), "mutex", always<Lock>("mutex", 1), true); }

// Without a choice to make it said `valid` when the time was over before the elements were judged.
TEST(SpecialCases, MatchingThatRunsOutOfTimeIsUnknown) {
  HistoryBuilder builder;
  const auto event = [&](ProcessId process, EventType type, const char* f, const Value& value) {
    Event e;
    e.process = process;
    e.type = type;
    e.f = *builder.function(f);
    e.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(e));
  };
  constexpr int kElements = 3000;
  event(1, EventType::invoke, "pop", {});
  event(1, EventType::info, "pop", {});
  for (int i = 0; i < kElements; ++i) {
    event(0, EventType::invoke, "push", i);
    event(0, EventType::ok, "push", i);
  }
  for (int i = kElements; i-- > 0;) {
    event(0, EventType::invoke, "pop", {});
    event(0, EventType::ok, "pop", i);
  }
  const History history = builder.finish();
  CheckOptions options;
  options.model = "stack";
  const auto model = make_model(history, options);
  ASSERT_TRUE(model);
  const Partition parts = partition(history, **model);
  Budget over(std::chrono::steady_clock::now() - std::chrono::seconds(1), std::size_t{1} << 30, {});
  EXPECT_EQ(matching_strategy()->decide(parts.keys[0], over, false).verdict, Verdict::unknown);
  Budget enough(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
  EXPECT_EQ(matching_strategy()->decide(parts.keys[0], enough, false).verdict, Verdict::valid);
}

}  // namespace
}  // namespace ordeal::lin
