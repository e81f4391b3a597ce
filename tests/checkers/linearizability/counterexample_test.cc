// What a counterexample rests on: that a complete part of a history (links.h) has a linearization whenever the whole
// has one, and that no window (window.h) of such a history proves anything, on random histories and random parts of
// them; that what is about few elements (few_elements.h) is wrong by brute force when these are looked at alone; and
// that the long histories' violations are found and minimised.

#include <gtest/gtest.h>

#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/proof/any_elements.h"
#include "checkers/linearizability/proof/few_elements.h"
#include "checkers/linearizability/proof/links.h"
#include "checkers/linearizability/proof/minimise.h"
#include "checkers/linearizability/proof/window.h"
#include "checkers/linearizability/search/relaxation.h"
#include "checkers/linearizability/search/strategies.h"
#include "support/environment.h"
#include "support/history_generator.h"
#include "support/history_part.h"
#include "support/long_history.h"
#include "support/oracle.h"

namespace ordeal::lin {
namespace {

using namespace testing_support;

Verdict searched(const KeyHistory& part) {
  Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
  return find_strategy("wgl")->decide(part, budget, false).verdict;
}

class Parts : public testing::TestWithParam<const char*> {};

TEST_P(Parts, OfValidHistoriesAreValidWhenTheyAreComplete) {
  CheckOptions options;
  options.model = GetParam();
  RandomHistory shape;
  shape.model = options.model;
  shape.crashed = 0.2;
  shape.falsify = 0;
  std::mt19937_64 chance(11);
  std::size_t complete = 0, smaller = 0;
  for (std::size_t round = 0; round < 400 * heavy(); ++round) {
    shape.operations = 3 + chance() % 9;
    const History history = random_history(shape, chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    ASSERT_EQ(searched(key), Verdict::valid);
    Links links(key);
    for (int tries = 0; tries < 10; ++tries) {
      // Together what goes together, and all that stays.
      Calls part;
      const std::uint64_t salt = chance();
      for (CallIndex i = 0; i < key.calls.size(); ++i) {
        const auto group = links.together(i) >= 0 ? static_cast<std::uint64_t>(links.together(i)) : 1000 + i;
        if (links.stays(i) || std::mt19937_64(salt ^ group)() % 3 != 0) part.push_back(i);
      }
      for (const bool crashed_observe : {true, false}) {
        if (!crashed_observe && !is_one_register(**model)) continue;
        if (!links.complete(part, crashed_observe)) continue;
        ++complete;
        smaller += part.size() < key.calls.size();
        KeyHistory alone = part_of(key, part);
        for (Call& call : alone.calls) {
          if (!crashed_observe) relax({Relaxation::Kind::count_all, 0}, call);
        }
        ASSERT_EQ(searched(alone), Verdict::valid)
            << "round " << round << ", " << part.size() << " of " << key.calls.size();
      }
    }
  }
  EXPECT_GT(complete, 400u);
  EXPECT_GE(smaller, options.model == "fetch-add" ? 0u : 30u);  // of those nothing but reads can go
}

INSTANTIATE_TEST_SUITE_P(Models, Parts,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "set", "log", "queue", "unordered-queue", "stack", "priority-queue", "mutex",
                                         "mutex-owner", "reentrant-mutex", "fenced-mutex", "semaphore-2",
                                         "unique-ids"));

class AnyWindow : public testing::TestWithParam<const char*> {
 protected:
  RandomHistory shape(double falsify, std::mt19937_64& chance) const {
    RandomHistory out;
    out.model = GetParam();
    out.operations = 4 + chance() % 9;
    out.clients = 2 + static_cast<int>(chance() % 3);
    out.values = 2 + static_cast<int>(chance() % 2);
    out.crashed = chance() % 2 == 0 ? 0.2 : 0;
    out.falsify = falsify;
    return out;
  }
};

// Of the values of a history one or two that may be elements of a container; where all may be looked at, sometimes
// none, and of what has no elements never any.
Elements random_elements(const KeyHistory& key, std::mt19937_64& chance) {
  const DataType type = type_of(*key.model);
  const bool some = type == DataType::set || type == DataType::unordered_queue;
  const bool has_elements = type == DataType::log || family_of(*key.model) == Family::containers;
  if (!some && (!has_elements || chance() % 2 == 0)) return {};
  Elements out, all;
  for (int value = 1; value <= 3; ++value) {
    const ValueId id = key.history->values().find(Value(value));
    if (id != kAbsent) all.push_back(id);
  }
  std::shuffle(all.begin(), all.end(), chance);
  out.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), 1 + chance() % 2)));
  std::sort(out.begin(), out.end());
  return out;
}

// A moment, a later one, and what is between them, mostly all of it.
Window random_window(const KeyHistory& key, std::size_t events, std::mt19937_64& chance) {
  Window out;
  out.elements = random_elements(key, chance);
  out.from = chance() % 4 == 0 ? 0 : static_cast<EventIndex>(chance() % events);
  out.end = chance() % 3 == 0 ? kNever : static_cast<EventIndex>(out.from + chance() % events);
  const std::uint64_t kept = 10 - chance() % 4;  // of ten
  for (CallIndex i = 0; i < key.calls.size(); ++i) {
    const Call& call = key.calls[i];
    if (call.ret >= out.from && call.inv < out.end && concerns(key, call, out.elements) && chance() % 10 < kept)
      out.calls.push_back(i);
  }
  return out;
}

TEST_P(AnyWindow, OfAValidHistoryProvesNothing) {
  CheckOptions options;
  options.model = GetParam();
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 1));
  std::size_t proofs = 0;
  for (std::size_t round = 0; round < 1500 * heavy(); ++round) {
    const History history = random_history(shape(chance() % 3 == 0 ? 0.7 : 0, chance), chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    const bool valid = searched(key) == Verdict::valid;
    for (int tries = 0; tries < 12; ++tries) {
      const Window window = random_window(key, history.size(), chance);
      Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
      const bool proof = proves(key, window, budget);
      proofs += proof;
      ASSERT_FALSE(valid && proof) << window.calls.size() << " operations from event " << window.from << " to "
                                   << window.end << " of\n"
                                   << told(history);
    }
  }
  EXPECT_GT(proofs, std::string_view(GetParam()) == "mutex" ? 20u : 100u)
      << "windows of invalid histories that prove it";
}

// Those of sets and unordered queues are about elements: see AboutFewElements.
class FoundWindow : public AnyWindow {};

TEST_P(FoundWindow, ProvesTheViolationAlone) {
  CheckOptions options;
  options.model = GetParam();
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 2));
  std::size_t invalid = 0, found = 0, smaller = 0;
  for (std::size_t round = 0; round < 1500 * heavy(); ++round) {
    const History history = random_history(shape(0.8, chance), chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = find_strategy("jit")->decide(key, budget, false);
    if (decision.verdict != Verdict::invalid) continue;
    ++invalid;
    const auto window = find_window(key, decision.failed_at, budget);
    if (!window) continue;
    ++found;
    smaller += window->calls.size() < key.calls.size();
    ASSERT_TRUE(proves(key, *window, budget));
    ASSERT_TRUE(are_window(key, window->calls, budget, window->elements));
    std::vector<EventIndex> named;
    for (const CallIndex i : window->calls) named.push_back(key.calls[i].inv);
    ASSERT_FALSE(oracle_linearizable(testing_support::part_of(history, named), options)) << told(history);
    for (std::size_t gone = 0; window->minimal && gone < window->calls.size(); ++gone) {
      Window fewer = *window;
      fewer.calls.erase(fewer.calls.begin() + static_cast<std::ptrdiff_t>(gone));
      EXPECT_FALSE(proves(key, fewer, budget)) << "without number " << gone << " of\n" << told(history);
    }
  }
  EXPECT_GT(invalid, std::string_view(GetParam()) == "mutex" ? 50u : 200u);
  EXPECT_GT(found, invalid / 10);
  EXPECT_GT(smaller, found / 2);
}

std::string name_of(const testing::TestParamInfo<const char*>& one) {
  std::string out(one.param);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

INSTANTIATE_TEST_SUITE_P(Models, AnyWindow,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "set", "log", "unordered-queue", "queue", "stack", "priority-queue", "mutex"),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Models, FoundWindow,
                         testing::Values("register", "cas-register", "versioned-register", "kv", "counter", "fetch-add",
                                         "log", "queue", "stack", "priority-queue", "mutex"),
                         name_of);

// A history in which only some elements are looked at: what is about others is left out, of reads as well. With
// `and_greater` those greater than one of them are, too, which in a priority queue show that it is gone.
History projected(const History& whole, const Elements& elements, bool and_greater = false) {
  const auto wanted = [&](const Value& item) {
    return std::any_of(elements.begin(), elements.end(), [&](std::int64_t id) {
      const Value one = whole.values().to_value(static_cast<ValueId>(id));
      return one == item || (and_greater && item.integer() > one.integer());
    });
  };
  HistoryBuilder builder;
  for (EventIndex e = 0; e < whole.size(); ++e) {
    const EventIndex inv = whole.type(e) == EventType::invoke ? e : whole.partner(e);
    const EventIndex end = whole.type(e) == EventType::invoke ? whole.partner(e) : e;
    const std::string f(whole.f_name(e));
    Value value = whole.value(e) == kAbsent ? Value() : whole.values().to_value(whole.value(e));
    const Value result =
        end == kNoEvent || whole.value(end) == kAbsent ? Value() : whole.values().to_value(whole.value(end));
    const Value asked = whole.value(inv) == kAbsent ? Value() : whole.values().to_value(whole.value(inv));
    if (f == "read" && value.is_list()) std::erase_if(value.items(), [&](const Value& item) { return !wanted(item); });
    if ((f == "add" || f == "remove" || f == "append" || f == "enqueue" || f == "push") && !wanted(asked)) continue;
    if (f == "contains" && !wanted(asked.items()[0])) continue;
    const bool took =
        (f == "dequeue" || f == "pop") && end != kNoEvent && whole.type(end) == EventType::ok && !result.is_nil();
    if (took && !wanted(result)) continue;
    Event event;
    event.process = whole.process(e);
    event.type = whole.type(e);
    event.f = *builder.function(f);
    event.value = whole.value(e) == kAbsent ? kAbsent : builder.values().intern(value);
    EXPECT_TRUE(builder.add(event));
  }
  return builder.finish();
}

// What is about some elements only proves what it says: taken by themselves these have no order, by brute force.
class AboutFewElements : public AnyWindow {};

TEST_P(AboutFewElements, ProvesTheViolation) {
  CheckOptions options;
  options.model = GetParam();
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 3));
  std::size_t invalid = 0, found = 0;
  for (std::size_t round = 0; round < 1500 * heavy(); ++round) {
    const History history = random_history(shape(0.8, chance), chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = strategy_for(key).decide(key, budget, false);
    if (decision.verdict != Verdict::invalid) continue;
    ++invalid;
    const auto proof = about_few_elements(key, decision, budget);
    if (!proof) continue;
    ++found;
    const History alone = projected(history, proof->view.elements, options.model == "priority-queue");
    ASSERT_FALSE(oracle_linearizable(alone, options)) << told(alone) << "of\n" << told(history);
    ASSERT_TRUE(proves(key, *proof, budget)) << told(history);
    std::vector<EventIndex> named;
    for (const CallIndex i : proof->calls) named.push_back(key.calls[i].inv);
    ASSERT_FALSE(oracle_linearizable(testing_support::part_of(history, named), options)) << told(history);
  }
  EXPECT_GT(invalid, 200u);
  EXPECT_GT(found, invalid * 3 / 4) << "of " << invalid;
}

// Whatever is said to have failed, and by whose fault, a valid history has no elements without an order.
TEST_P(AboutFewElements, OfAValidHistoryFindsNothing) {
  CheckOptions options;
  options.model = GetParam();
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 4));
  std::size_t valid = 0;
  for (std::size_t round = 0; round < 1500 * heavy(); ++round) {
    const History history = random_history(shape(0, chance), chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    ++valid;
    Decision wrong;
    wrong.verdict = Verdict::invalid;
    if (chance() % 2 == 0) wrong.failed_at = static_cast<EventIndex>(chance() % history.size());
    for (CallIndex i = 0; i < key.calls.size(); ++i) {
      if (wrong.failed_at == kNever && chance() % 2 == 0) wrong.culprits.push_back(i);
    }
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    ASSERT_FALSE(about_few_elements(key, wrong, budget).has_value()) << told(history);
  }
  EXPECT_GT(valid, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Models, AboutFewElements,
                         testing::Values("set", "log", "unordered-queue", "queue", "stack", "priority-queue"), name_of);

// Two reads at once, of which each shows an element that the other does not, after a hundred that both show: either is
// right about every element by itself. (All that had ever been added was named.)
TEST(RegressContradictoryReads, OfALongSetNeedFourOperations) {
  HistoryBuilder builder;
  const auto event = [&](int process, EventType type, const char* f, Value value) {
    Event out;
    out.process = process;
    out.type = type;
    out.f = *builder.function(f);
    out.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(out));
  };
  Value::List shown;
  for (int i = 1; i <= 100; ++i) {
    event(0, EventType::invoke, "add", i);
    event(0, EventType::ok, "add", i);
    shown.emplace_back(i);
  }
  for (const int process : {1, 2}) event(process, EventType::invoke, "add", 1000 + process);
  for (const int process : {3, 4}) event(process, EventType::invoke, "read", Value());
  for (const int process : {3, 4}) {
    Value::List mine = shown;
    mine.emplace_back(998 + process);
    event(process, EventType::ok, "read", Value(mine));
  }
  for (const int process : {1, 2}) event(process, EventType::ok, "add", 1000 + process);
  CheckOptions options;
  options.model = "set";
  const CheckResult result = linearizable_checker()->check(builder.finish(), options);
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  EXPECT_LE(result.anomalies[0].operations.size(), 4u);
  EXPECT_NE(result.anomalies[0].explanation.find("contradictory reads"), std::string::npos)
      << result.anomalies[0].explanation;
}

// What is left out of a counter's window has one sign, or the window proves nothing.
TEST(CounterWindow, LeavesOutWhatCannotExplain) {
  const auto proved = [](std::int64_t first, std::int64_t second, std::int64_t last) {
    HistoryBuilder builder;
    const auto operation = [&](const char* f, std::int64_t value) {
      for (const EventType type : {EventType::invoke, EventType::ok}) {
        Event event;
        event.type = type;
        event.f = *builder.function(f);
        if (type == EventType::ok || std::string_view(f) == "add") event.value = builder.values().intern(Value(value));
        EXPECT_TRUE(builder.add(event));
      }
    };
    operation("read", 0);
    operation("add", first);
    operation("add", second);
    operation("read", last);
    const History history = builder.finish();
    CheckOptions options;
    options.model = "counter";
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    return proves(keys.keys[0], {{0, 3}, 0, kNever, false, {}}, budget);
  };
  EXPECT_FALSE(proved(5, -8, -3));
  EXPECT_FALSE(proved(-8, 5, -3));
  EXPECT_FALSE(proved(-8, -1, -9));
  EXPECT_FALSE(proved(8, 1, 9));
  EXPECT_TRUE(proved(-8, -1, 1)) << "more than before, though only subtracted";
  EXPECT_TRUE(proved(8, 1, -1)) << "less than before, though only added";
}

// A few hundred operations, and what is named fits on a screen. (Hundreds were: everything back to the beginning. Of a
// set and a log all that was ever added was named, and a log took ten seconds.)
class RegressLongProof : public testing::TestWithParam<const char*> {};

TEST_P(RegressLongProof, HasAtMostTwentyOperations) {
  CheckOptions options;
  options.model = GetParam();
  // How many enqueues there were is all that shows that one dequeue was too many, when values are repeated.
  const bool counts = options.model == "unordered-queue";
  std::mt19937_64 chance(5);
  std::size_t invalid = 0, large = 0;
  for (std::size_t round = 0; round < 60; ++round) {
    RandomHistory shape;
    shape.model = options.model;
    shape.operations = 300;
    shape.clients = 5;
    shape.values = 4;
    shape.unique_values = counts || round % 2 != 0;
    shape.crashed = 0;
    shape.falsify = 0.5;
    const History history = random_history(shape, chance);
    const CheckResult result = linearizable_checker()->check(history, options);
    if (result.verdict != Verdict::invalid) continue;
    ++invalid;
    large += result.anomalies[0].operations.size() > 20;
  }
  EXPECT_GT(invalid, 5u);
  EXPECT_EQ(large, 0u) << "of " << invalid;
}

INSTANTIATE_TEST_SUITE_P(Models, RegressLongProof,
                         testing::Values("register", "cas-register", "kv", "counter", "set", "log", "unordered-queue"));

// Of containers in which values are repeated, and of registers with versions. (Everything that was ever said of several
// values was named, 70 to 290 operations of 300; of registers with versions all writes back to the beginning.)
struct Repeated {
  const char* model;
  int values;
  // Of a hundred proofs, how many may have more than twenty operations. What counts them has as many as it counts: that
  // a value was taken once more than it was put in takes all that did either, since it was last known to be gone.
  std::size_t large_in_100;
};
class RegressRepeatedValues : public testing::TestWithParam<Repeated> {};

// Where a window of these operations may end.
std::vector<EventIndex> ends(const KeyHistory& key, const Calls& calls) {
  std::vector<EventIndex> out;
  for (const CallIndex i : calls) out.push_back(key.calls[i].ret);
  std::sort(out.begin(), out.end());
  return out;
}

TEST_P(RegressRepeatedValues, TakeFewOperationsToProveOneWrong) {
  CheckOptions options;
  options.model = GetParam().model;
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 6));
  std::size_t invalid = 0, large = 0, alone = 0;
  for (std::size_t round = 0; round < 120 * heavy(); ++round) {
    RandomHistory shape;
    shape.model = options.model;
    shape.operations = 100;
    shape.clients = 3;
    shape.values = GetParam().values;
    shape.crashed = round % 2 == 0 ? 0 : 0.03;
    shape.falsify = 0.5;
    const History history = random_history(shape, chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    const KeyHistory& key = keys.keys[0];
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    // What is hard to decide is left to other tests.
    Budget some_time(budget, std::chrono::milliseconds(200));
    const Decision decision = on_one_thread(key).decide(key, some_time, false);
    if (decision.verdict != Verdict::invalid) continue;
    ++invalid;
    const Counterexample found = counterexample(key, decision, budget);
    large += found.calls.size() > 20;
    ASSERT_TRUE(proves(key, found, budget)) << told(history);
    // By brute force, where that is possible.
    std::vector<EventIndex> named;
    for (const CallIndex i : found.calls) named.push_back(key.calls[i].inv);
    if (named.size() <= 10) {
      ++alone;
      ASSERT_FALSE(oracle_linearizable(testing_support::part_of(history, named), options)) << told(history);
    }
    // None of a window can be left out, beginning and ending where it does.
    Window window{found.calls, found.from, 0, false, found.view.elements};
    for (const EventIndex end : ends(key, found.calls)) {
      if (found.from != 0 && window.end == 0 &&
          proves(key, Window{found.calls, found.from, end, false, window.elements}, budget))
        window.end = end;
    }
    for (std::size_t gone = 0; found.minimal && window.end != 0 && gone < found.calls.size(); ++gone) {
      Window fewer = window;
      fewer.calls.erase(fewer.calls.begin() + static_cast<std::ptrdiff_t>(gone));
      EXPECT_FALSE(proves(key, fewer, budget)) << "without number " << gone << " of\n" << told(history);
    }
  }
  EXPECT_GT(invalid, 20u);
  EXPECT_GT(alone, invalid / 3);
  EXPECT_LE(large * 100, GetParam().large_in_100 * invalid) << large << " of " << invalid;
}

INSTANTIATE_TEST_SUITE_P(Models, RegressRepeatedValues,
                         testing::Values(Repeated{"stack", 4, 10}, Repeated{"stack", 10, 5},
                                         Repeated{"priority-queue", 4, 10}, Repeated{"priority-queue", 10, 5},
                                         Repeated{"queue", 4, 30}, Repeated{"queue", 10, 10},
                                         Repeated{"versioned-register", 3, 10}),
                         [](const auto& one) {
                           std::string out = one.param.model + std::string("_of_") + std::to_string(one.param.values);
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

// How far what is found is from the smallest proof there is: of short histories all parts are tried, as windows between
// any two moments, about one element or all.
class SmallestProof : public testing::TestWithParam<const char*> {};

std::size_t smallest(const KeyHistory& key, std::size_t less_than, Budget& budget) {
  std::vector<Elements> views{{}};
  for (const int value : {1, 2}) {
    const ValueId id = key.history->values().find(Value(value));
    if (id != kAbsent) views.push_back({id});
  }
  std::size_t out = less_than;
  for (unsigned part = 1; part < 1u << key.calls.size(); ++part) {
    Calls calls;
    for (CallIndex i = 0; i < key.calls.size(); ++i) {
      if ((part >> i & 1) != 0) calls.push_back(i);
    }
    const auto is_proof = [&](const Elements& elements) { return are_window(key, calls, budget, elements); };
    if (calls.size() < out && std::any_of(views.begin(), views.end(), is_proof)) out = calls.size();
  }
  return out;
}

TEST_P(SmallestProof, IsMostlyFound) {
  CheckOptions options;
  options.model = GetParam();
  std::mt19937_64 chance(environment_number("ORDEAL_SEED", 7));
  const std::size_t wanted = 40 * heavy();
  std::size_t proofs = 0, as_small = 0, one_more = 0;
  for (std::size_t round = 0; round < 100 * wanted && proofs < wanted; ++round) {
    RandomHistory shape;
    shape.model = options.model;
    shape.operations = 8;
    shape.values = 2;
    shape.crashed = round % 2 == 0 ? 0 : 0.15;
    shape.falsify = 0.8;
    const History history = random_history(shape, chance);
    const auto model = make_model(history, options);
    const Partition keys = partition(history, **model);
    if (keys.keys.empty()) continue;
    const KeyHistory& key = keys.keys[0];
    Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
    const Decision decision = find_strategy("jit")->decide(key, budget, false);
    if (decision.verdict != Verdict::invalid) continue;
    std::size_t found = key.calls.size() + 1;
    if (const auto window = find_window(key, decision.failed_at, budget)) found = window->calls.size();
    if (const auto few = about_few_elements(key, decision, budget)) found = std::min(found, few->calls.size());
    if (found > key.calls.size()) continue;
    ++proofs;
    const std::size_t more = found - smallest(key, found, budget);
    as_small += more == 0;
    one_more += more == 1;
  }
  EXPECT_EQ(proofs, wanted);
  EXPECT_GT(as_small * 4, proofs * 3) << "of " << proofs;
  EXPECT_GE((as_small + one_more) * 10, proofs * 9) << "of " << proofs;
}

INSTANTIATE_TEST_SUITE_P(Models, SmallestProof, testing::Values("queue", "stack", "priority-queue"), name_of);

class Violations : public testing::TestWithParam<Violation> {};

TEST_P(Violations, AreFoundAndProved) {
  for (const int values : {0, 2, 5}) {
    for (const double crashed : {0.0, 0.05}) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        LongHistory shape;
        shape.operations = 400;
        shape.values = values;
        shape.cas = values != 0;
        shape.crashed = crashed;
        shape.clients = 5;
        shape.where = 0.6;
        shape.violation = GetParam();
        shape.seed = seed;
        const History history = long_history(shape);
        CheckOptions options;
        options.model = "cas-register";
        const CheckResult result = linearizable_checker()->check(history, options);
        if (GetParam() == Violation::none) {
          EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
          continue;
        }
        ASSERT_EQ(result.verdict, Verdict::invalid) << values << " " << crashed << " " << seed << ": " << result.reason;
        const auto model = make_model(history, options);
        const Partition keys = partition(history, **model);
        Calls named;
        for (CallIndex i = 0; i < keys.keys[0].calls.size(); ++i) {
          if (std::count(result.anomalies[0].operations.begin(), result.anomalies[0].operations.end(),
                         keys.keys[0].calls[i].inv) != 0) {
            named.push_back(i);
          }
        }
        Budget budget(std::chrono::steady_clock::time_point::max(), std::size_t{1} << 30, {});
        EXPECT_TRUE(proves_violation(keys.keys[0], named, budget) || are_window(keys.keys[0], named, budget));
        EXPECT_LE(named.size(), crashed > 0 ? 40u : 20u);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Violations,
                         testing::Values(Violation::none, Violation::stale_read, Violation::lost_write,
                                         Violation::future_read, Violation::stale_replica),
                         [](const auto& one) {
                           std::string out(name(one.param));
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

}  // namespace
}  // namespace ordeal::lin
