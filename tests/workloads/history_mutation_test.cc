// Histories of the correct memory store, in which one completion was changed, dropped, doubled or moved: whatever brute
// force over the promise calls broken the workload's checker must call invalid, and nothing else. Over all workloads of
// the catalogue; one line each is printed. ORDEAL_HEAVY=N multiplies the histories; ORDEAL_WORKLOAD=NAME tries one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <random>
#include <set>

#include "support/promise_oracle.h"
#include "targets/memory/store.h"
#include "tests/workloads/play.h"

namespace ordeal {
namespace {

using testing_support::keeps_promise;
using Dice = std::mt19937_64;

struct Record {
  ProcessId process = 0;
  EventType type = EventType::invoke;
  std::string f;
  std::optional<Value> key;
  Value value;
  std::int64_t time = 0;
  std::size_t operation = 0;
  std::string error = {};  // its kind
};
using Records = std::vector<Record>;

// What makes small histories dense.
struct Shape {
  int workers = 3;
  std::size_t operations = 8;
  WorkloadSettings settings = {};
  double crashed = 0.08;
  std::int64_t step_us = 1000;  // how far apart events are: so much to four times that
  std::size_t final_operations = 6;
};
Shape shape_of(const std::string& workload) {
  static const std::map<std::string, Shape> all = {
      {"register", {3, 9, {{"register.keys", "1"}, {"register.workers-per-key", "3"}}}},
      {"bank", {3, 7, {{"bank.accounts", "2"}}}},
      {"list-append", {3, 7, {{"list-append.keys", "2"}}}},
      {"rw-register", {3, 7, {{"rw-register.keys", "2"}}}},
      {"sequential", {3, 6, {}, 0.05}},
      {"rate-limit", {4, 26, {}, 0.03}},
      {"unique-ids", {3, 10, {}}},
      {"g2", {4, 10, {}}},
      {"lock", {3, 12, {}}},
      {"leader-election", {3, 12, {}}},
      {"saga", {3, 7, {}}},
      {"delivery", {3, 7, {}, 0.04}},
      {"total-queue", {3, 8, {}, 0.05}},
      {"cas-by-version", {3, 12, {}}},
      {"concurrency-limit", {5, 22, {}, 0.04, 1000, 15}},
      {"durability", {3, 8, {}}},
      {"idempotency-keys", {3, 10, {{"idempotency-keys.reads", "0.2"}, {"idempotency-keys.other-bodies", "0.4"}}}},
      {"kafka", {3, 12, {{"kafka.keys", "2"}}, 0.04, 1000, 60}},
      {"log", {3, 9, {{"log.repeats", "0.3"}}}},
      {"lww-map", {3, 8, {{"lww-map.keys", "1"}, {"lww-map.disorder", "3"}}}},
      {"or-set", {3, 9, {}}},
      {"ordered-ids", {3, 10, {}, 0.08, 150'000}},
      {"overdraft", {3, 10, {{"overdraft.customers", "1"}}}},
      {"ledger", {3, 10, {{"ledger.accounts", "1"}, {"ledger.reads", "0.35"}}}},
      {"read-model", {3, 10, {}, 0.08, 100'000}},
      {"token-bucket", {4, 18, {}, 0.03, 150, 14}},
      {"dead-letter", {3, 12, {{"dead-letter.poison", "0.4"}}, 0.05, 1000, 34}},
      {"outbox", {3, 10, {{"outbox.keys", "2"}, {"outbox.reads", "0.4"}}}},
  };
  const auto found = all.find(workload);
  return found == all.end() ? Shape() : found->second;
}

// Plays the workload on the store, one step at a time: operations take effect at one instant between their events, some
// crash before it or after.
class Player {
 public:
  Player(const WorkloadFactory& factory, const Shape& shape, std::uint64_t seed)
      : factory_(factory), shape_(shape), dice_(seed), rng_(seed), store_({}, [this] {
          return std::chrono::nanoseconds(now_);
        }) {}

  Records play() {
    WorkloadSettings settings;
    const Options known(factory_.options);
    for (const auto& [key, value] : shape_.settings) {
      if (known.has(key)) settings[key] = value;
    }
    auto workload = make_workload(factory_.name, settings, shape_.workers, dice_());
    EXPECT_TRUE(workload) << workload.error().message;
    if (!workload) return {};
    workers_.assign(static_cast<std::size_t>(shape_.workers), {});
    for (std::size_t w = 0; w < workers_.size(); ++w) workers_[w].process = static_cast<ProcessId>(w);
    run(*workload->generator, shape_.operations, shape_.crashed);
    now_ += 20'000'000'000;  // whatever is to settle has settled
    if (workload->final_generator) run(*workload->final_generator, shape_.final_operations, 0);
    return std::move(records_);
  }

 private:
  struct Worker {
    ProcessId process = 0;
    bool open = false, done = false;
    Operation operation;
    std::optional<Completion> effect;
    std::size_t number = 0;
  };

  void run(Generator& generator, std::size_t most, double crashed) {
    std::size_t issued = 0;
    for (Worker& worker : workers_) worker.done = false;
    for (int step = 0; step < 3000; ++step) {
      now_ += shape_.step_us * 1000 + static_cast<std::int64_t>(dice_() % 3'000'000) * shape_.step_us / 1000;
      const std::size_t w = dice_() % workers_.size();
      Worker& worker = workers_[w];
      if (worker.open) {
        if (!worker.effect && dice_() % 3 == 0) {
          worker.effect =
              store_.apply(factory_.data_type, worker.operation, static_cast<std::uint64_t>(worker.process), rng_);
        } else {
          complete(generator, w, crashed);
        }
      } else if (!worker.done && issued < most) {
        auto next = generator.next({now_, static_cast<int>(w), worker.process, shape_.workers});
        if (auto* operation = std::get_if<Operation>(&next)) {
          ++issued;
          begin(generator, w, std::move(*operation));
        } else if (const auto* wait = std::get_if<Wait>(&next)) {
          if (!wait->on_update) now_ = std::max(now_, wait->until_ns);
        } else {
          worker.done = true;
        }
      }
      const auto idle = [&](const Worker& one) { return !one.open && (one.done || issued >= most); };
      if (std::all_of(workers_.begin(), workers_.end(), idle)) return;
    }
  }
  void begin(Generator& generator, std::size_t w, Operation operation) {
    Worker& worker = workers_[w];
    worker.open = true;
    worker.operation = std::move(operation);
    worker.effect.reset();
    worker.number = count_++;
    records_.push_back({worker.process, EventType::invoke, worker.operation.f, worker.operation.key,
                        worker.operation.value, now_, worker.number});
    generator.update({now_, static_cast<int>(w), worker.process, EventType::invoke, &worker.operation, nullptr});
  }
  void complete(Generator& generator, std::size_t w, double crashed) {
    Worker& worker = workers_[w];
    const bool crashes = static_cast<double>(dice_() % 1000) < crashed * 1000;
    const bool happens = !crashes || dice_() % 2 == 0;
    if (!worker.effect && happens) {
      worker.effect =
          store_.apply(factory_.data_type, worker.operation, static_cast<std::uint64_t>(worker.process), rng_);
    }
    const Completion completion = crashes ? Completion::unknown("timeout", "no answer") : *worker.effect;
    const Record record{worker.process,
                        completion.type,
                        worker.operation.f,
                        worker.operation.key,
                        completion.value ? *completion.value : worker.operation.value,
                        now_,
                        worker.number,
                        completion.type == EventType::fail && completion.error ? completion.error->kind : ""};
    records_.push_back(record);
    generator.update({now_, static_cast<int>(w), worker.process, completion.type, &worker.operation, &completion});
    worker.open = false;
    if (!crashes) return;
    store_.forget(static_cast<std::uint64_t>(worker.process));
    worker.process += shape_.workers;
  }

  const WorkloadFactory& factory_;
  const Shape shape_;
  Dice dice_;
  Rng rng_;
  std::int64_t now_ = 0;
  memory::MemoryStore store_;
  std::vector<Worker> workers_;
  Records records_;
  std::size_t count_ = 0;
};

History history_of(const Records& records) {
  HistoryBuilder builder;
  for (const Record& record : records) {
    Event event;
    event.process = record.process;
    event.type = record.type;
    event.f = *builder.function(record.f);
    if (record.key) event.key = builder.values().intern(*record.key);
    event.value = builder.values().intern(record.value);
    event.time = record.time;
    if (record.type == EventType::fail) event.error = EventError{record.error, ""};
    const auto added = builder.add(event);
    EXPECT_TRUE(added) << added.error().message;
  }
  return builder.finish();
}

// Of what kind the error is with which a system refuses the operation.
std::string refusal_of(const std::string& f) {
  if (f == "apply") return "conflict";
  return f == "withdraw" ? "insufficient" : "limited";
}

std::string text_of(const Records& records) {
  std::string out;
  for (const Record& record : records) {
    out += std::to_string(record.time / 1000) + " us  " + std::to_string(record.process) + " " +
           std::string(name(record.type)) + " " + record.f + " " + (record.key ? record.key->to_json() : "") + " " +
           record.value.to_json() + (record.error.empty() ? "" : " (" + record.error + ")") + "\n";
  }
  return out;
}

// ---- one change

Value changed(const Value& value, const std::vector<Value>& others, Dice& dice) {
  if (dice() % 3 == 0 && !others.empty()) return others[dice() % others.size()];
  if (value.is_integer())
    return Value(value.integer() + (dice() % 2 == 0 ? 1 : -1) * static_cast<std::int64_t>(1 + dice() % 3));
  if (value.is_list() && !value.items().empty()) {
    Value::List items = value.items();
    const std::size_t at = dice() % items.size();
    switch (dice() % 4) {
      case 0:
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        items.push_back(items[at]);
        break;
      case 2:
        std::swap(items[at], items[dice() % items.size()]);
        break;
      default:
        items[at] = changed(items[at], {}, dice);
    }
    return Value(std::move(items));
  }
  if (value.is_map() && !value.entries().empty()) {
    Value out = value;
    Value& one = out.entries()[dice() % out.entries().size()].second;
    one = changed(one, {}, dice);
    return out;
  }
  if (value.is_nil() && !others.empty()) return others[dice() % others.size()];
  return value;
}

// What a chain of subkeys was read as: one of them is missing, or is there.
Value changed_chain(const Value& seen, Dice& dice) {
  Value out = seen;
  Value::List& subkeys = out.items()[1].items();
  const std::size_t at = dice() % subkeys.size();
  subkeys[at] =
      subkeys[at].is_nil() ? Value(out.items()[0].to_json() + "_" + std::to_string(subkeys.size() - 1 - at)) : Value();
  return out;
}

// Two things of which one changes: only the first of what was asked for with the other.
Value changed_pair(const Record& record, Dice& dice) {
  Value out = record.value;
  const bool asked_for = record.f == "cas-version" || record.f == "append";
  Value& one = out.items()[asked_for ? 0 : dice() % 2];
  one = changed(one, {}, dice);
  return out;
}

// Rows of numbers: one of them changes, or one number in one of them.
Value changed_rows(const Value& rows, Dice& dice) {
  if (rows.items().empty()) return rows;
  Value out = rows;
  Value& row = out.items()[dice() % out.items().size()];
  if (dice() % 2 == 0) {
    Value& one = row.items()[dice() % row.items().size()];
    one = changed(one, {}, dice);
    return out;
  }
  Value::List items = out.items();
  const std::size_t at = dice() % items.size();
  const std::size_t to = dice() % items.size();
  if (dice() % 2 == 0)
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  else if (dice() % 2 == 0)
    items.push_back(items[at]);
  else
    std::swap(items[at], items[to]);
  return Value(std::move(items));
}

// Messages as a list of [offset value], or the offset of one that was sent.
Value changed_messages(const Value& micros, Dice& dice) {
  Value out = micros;
  Value& micro = out.items()[dice() % out.items().size()];
  if (micro.items()[0] == Value("send")) {
    Value& offset = micro.items()[2].items()[0];
    offset = Value(offset.integer() + (dice() % 2 == 0 ? 1 : -1));
  } else if (micro.items().size() > 1 && !micro.items()[1].entries().empty()) {
    auto& of_keys = micro.items()[1].entries();
    Value& messages = of_keys[dice() % of_keys.size()].second;
    Value& one = messages.items()[dice() % messages.items().size()];
    if (dice() % 2 == 0)
      one = changed_pair({0, EventType::ok, "poll", {}, one, 0, 0, {}}, dice);
    else
      messages = changed(Value(messages.items()), {}, dice);
  }
  // A message is [offset value] still.
  for (const Value& other : out.items()) {
    if (other.items().size() < 2 || !other.items()[1].is_map()) continue;
    for (const auto& [key, messages] : other.items()[1].entries()) {
      for (const Value& one : messages.items()) {
        if (one.items().size() != 2 || !one.items()[0].is_integer()) return micros;
      }
    }
  }
  return out;
}

// A transaction keeps its micro-operations; only what its reads saw changes.
Value changed_reads(const Value& micros, const std::vector<Value>& others, Dice& dice) {
  Value out = micros;
  std::vector<std::size_t> reads;
  for (std::size_t i = 0; i < out.items().size(); ++i) {
    if (out.items()[i].items()[0].string() == "r") reads.push_back(i);
  }
  if (reads.empty()) return out;
  Value& micro = out.items()[reads[dice() % reads.size()]];
  std::vector<Value> same;
  for (const Value& other : others) {
    for (const Value& one : other.items()) {
      if (one.items()[1] == micro.items()[1])
        same.push_back(one.items()[2].is_list() == micro.items()[2].is_list() ? one.items()[2] : Value());
    }
  }
  micro.items()[2] = dice() % 2 == 0 ? changed(micro.items()[2], same, dice) : Value();
  return out;
}

Value changed_result(const std::string& workload, const Record& record, const std::vector<Value>& others, Dice& dice) {
  const bool pairs = workload == "cas-by-version" || workload == "overdraft" || workload == "read-model" ||
                     workload == "log" || workload == "ledger";
  if (record.f == "txn") return changed_reads(record.value, others, dice);
  if (record.f == "poll" || record.f == "send") return changed_messages(record.value, dice);
  if (record.f == "events") return changed_rows(record.value, dice);
  if (pairs && record.value.is_list()) return changed_pair(record, dice);
  Value out = changed(record.value, others, dice);
  // A list of pairs stays one.
  const auto pair = [](const Value& one) { return one.is_list() && one.items().size() == 2; };
  const bool was = record.value.is_list() && !record.value.items().empty() && pair(record.value.items()[0]);
  const bool is = out.is_list() && std::all_of(out.items().begin(), out.items().end(), pair);
  return was && !is ? record.value : out;
}

// What each asks for once, and what repeats what the system made of it.
bool is_once(const std::string& workload, const std::string& f) {
  static const std::set<std::string> once = {"enqueue", "saga", "write-chain", "txn", "change", "append", "send"};
  return once.contains(f) || (workload == "durability" && f == "add") ||
         (workload == "ledger" && (f == "deposit" || f == "withdraw"));
}
bool answers_with_more(const std::string& f) {
  static const std::set<std::string> all = {"read",    "txn",    "append", "read-at",    "replay",
                                            "receive", "poll",   "send",   "drain-dead", "messages",
                                            "balance", "events", "model",  "deposit",    "withdraw"};
  return all.contains(f);
}

bool same_process_between(const Records& records, std::size_t from, std::size_t to, ProcessId process) {
  for (std::size_t i = from; i < to; ++i) {
    if (records[i].process == process) return true;
  }
  return false;
}

// One change of one operation that was completed; nothing when it is none.
std::optional<Records> mutated(const std::string& workload, const Records& records, Dice& dice) {
  std::vector<std::size_t> completions;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].type == EventType::ok || records[i].type == EventType::fail) completions.push_back(i);
  }
  if (completions.empty()) return std::nullopt;
  const std::size_t at = completions[dice() % completions.size()];
  const Record& record = records[at];
  const auto invoked = static_cast<std::size_t>(
      std::find_if(records.begin(), records.end(), [&](const Record& r) { return r.operation == record.operation; }) -
      records.begin());
  Records out = records;
  const auto place = [](std::size_t i) { return static_cast<std::ptrdiff_t>(i); };
  std::vector<std::int64_t> times;
  for (const Record& r : records) times.push_back(r.time);
  ProcessId fresh = 0;
  for (const Record& r : records) fresh = std::max(fresh, r.process + 1);
  switch (dice() % 8) {
    case 0:
    case 1:
    case 2: {  // another value
      if (record.type != EventType::ok) return std::nullopt;
      std::vector<Value> others;
      for (const Record& r : records) {
        if (r.type == EventType::ok && r.f == record.f) others.push_back(r.value);
      }
      if (record.f == "write-chain") return std::nullopt;
      if (record.f == "read-chain") {
        out[at].value = changed_chain(record.value, dice);
        return out;
      }
      out[at].value = changed_result(workload, record, others, dice);
      // What only repeats the argument is no observation.
      if (record.f != "read" && record.f != "txn" && record.value == records[invoked].value) return std::nullopt;
      if (out[at].value == record.value) return std::nullopt;
      return out;
    }
    case 3:  // another outcome
      out[at].type = record.type == EventType::ok ? EventType::fail : EventType::ok;
      if (out[at].type == EventType::ok && answers_with_more(record.f)) return std::nullopt;
      out[at].error = out[at].type == EventType::fail ? refusal_of(record.f) : "";
      return out;
    case 4:  // never heard of again: its process is another one from there on
      out.erase(out.begin() + place(at));
      for (std::size_t i = at; i < out.size(); ++i) {
        if (out[i].process == record.process) out[i].process = fresh;
      }
      return out;
    case 5: {  // once more; what gives each message, saga or subkey once is not asked for twice
      if (is_once(workload, record.f)) return std::nullopt;
      Record again = records[invoked], end = record;
      again.process = end.process = fresh;
      again.operation = end.operation = records.size();
      again.time = end.time = record.time;
      out.insert(out.begin() + place(at + 1), {again, end});
      return out;
    }
    case 6: {  // its completion earlier or later
      const std::size_t to = invoked + 1 + dice() % (records.size() - invoked - 1);
      if (to == at || (to > at && same_process_between(records, at + 1, to + 1, record.process))) return std::nullopt;
      out.erase(out.begin() + place(at));
      out.insert(out.begin() + place(to), record);
      break;
    }
    default: {  // the whole of it elsewhere, by a process of its own
      out.erase(out.begin() + place(at));
      out.erase(out.begin() + place(invoked));
      Record begin = records[invoked], end = record;
      begin.process = end.process = fresh;
      const std::size_t to = dice() % (out.size() + 1);
      out.insert(out.begin() + place(to), {begin, end});
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i].time = times[i];
  return out;
}

struct Tally {
  int broken = 0, found = 0, undecided = 0, missed = 0;  // by brute force; by the checker
  int kept = 0, accused = 0;
  int left_out = 0;               // too much for brute force
  std::set<std::string> reasons;  // why what is broken was not decided
};

int times() {
  const char* heavy = std::getenv("ORDEAL_HEAVY");
  return heavy == nullptr ? 1 : std::max(1, std::atoi(heavy));
}

Verdict judged(const WorkloadFactory& factory, const History& history, std::string& why) {
  Options options(factory.options);
  Verdict out = Verdict::valid;
  why.clear();
  for (const auto& [checker, check_options] : factory.checkers(options)) {
    const CheckResult result = checker->check(history, check_options);
    out = merged(out, result.verdict);
    why += result.checker + ": " + std::string(name(result.verdict)) + " " + result.reason;
    for (const Anomaly& anomaly : result.anomalies) why += " " + anomaly.type + ": " + anomaly.explanation;
    why += "\n";
  }
  return out;
}

void look_at(const WorkloadFactory& factory, const Records& records, Tally& tally) {
  const History history = history_of(records);
  const std::optional<bool> brute_force = keeps_promise(factory.name, history);
  if (!brute_force) {
    ++tally.left_out;
    return;
  }
  const bool kept = *brute_force;
  std::string why;
  const Verdict verdict = judged(factory, history, why);
  if (kept) {
    ++tally.kept;
    if (verdict != Verdict::invalid) return;
    if (++tally.accused <= 2)
      ADD_FAILURE() << factory.name << " accuses what keeps the promise:\n" << text_of(records) << why;
    return;
  }
  ++tally.broken;
  if (verdict == Verdict::invalid) ++tally.found;
  if (verdict == Verdict::unknown) {
    ++tally.undecided;
    tally.reasons.insert(why);
  }
  if (verdict != Verdict::valid) return;
  if (++tally.missed <= 2)
    ADD_FAILURE() << factory.name << " does not see what is broken:\n" << text_of(records) << why;
}

TEST(HistoryMutation, WhateverBreaksAPromiseIsFoundAndNothingElse) {
  const char* only = std::getenv("ORDEAL_WORKLOAD");
  std::cout << "workload          broken   found  undecided  missed |    kept  accused\n";
  for (const WorkloadFactory& factory : workloads()) {
    if (only != nullptr && factory.name != only) continue;
    if (!keeps_promise(factory.name, History())) {
      std::cout << factory.name
                << ": NO BRUTE FORCE over its promise is written down; see tests/support/promise_oracle.h\n";
      continue;
    }
    Tally tally;
    Dice dice(4711);
    for (int round = 0; round < 60 * times(); ++round) {
      const Records records = Player(factory, shape_of(factory.name), dice()).play();
      Tally plain;
      look_at(factory, records, plain);
      EXPECT_EQ(plain.broken, 0) << factory.name << ": brute force refuses the correct store\n" << text_of(records);
      if (plain.broken != 0) break;
      for (int change = 0; change < 6; ++change) {
        if (const auto other = mutated(factory.name, records, dice)) look_at(factory, *other, tally);
      }
    }
    std::cout << std::left << std::setw(16) << factory.name << std::right << std::setw(8) << tally.broken
              << std::setw(8) << tally.found << std::setw(11) << tally.undecided << std::setw(8) << tally.missed << " |"
              << std::setw(8) << tally.kept << std::setw(9) << tally.accused
              << (tally.left_out == 0 ? "" : "   left out, too much for brute force: " + std::to_string(tally.left_out))
              << "\n";
    if (only != nullptr) {
      for (const std::string& reason : tally.reasons) std::cout << "  undecided: " << reason;
    }
    EXPECT_GT(tally.broken, 10) << factory.name << ": nothing was put to the test";
    EXPECT_GE(tally.found, tally.broken / 2) << factory.name;
    EXPECT_LE(tally.left_out, (tally.broken + tally.kept) / 20) << factory.name;
  }
}

}  // namespace
}  // namespace ordeal
