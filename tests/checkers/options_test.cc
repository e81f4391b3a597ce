// Every option of `check` with every model and level: honoured, which a history shows whose verdict depends on it, or
// refused as wrong usage. Never ignored.

#include <gtest/gtest.h>

#include <map>

#include "checkers/history/reader.h"
#include "checkers/model_catalogue.h"

namespace ordeal {
namespace {

struct Sample {
  const char* history;            // one operation after the other: f asked done, in EDN, by ';'
  const char* initial = nullptr;  // makes it valid
};

std::string edn(std::string_view operations) {
  std::string out;
  int process = 0;
  while (!operations.empty()) {
    const std::string_view one = operations.substr(0, operations.find(';'));
    operations.remove_prefix(std::min(operations.size(), one.size() + 1));
    const std::size_t first = one.find('|'), second = one.find('|', first + 1);
    const std::string f(one.substr(0, first)), asked(one.substr(first + 1, second - first - 1)),
        done(one.substr(second + 1));
    for (const auto& [type, value] : {std::pair("invoke", asked), std::pair("ok", done)})
      out += "{:process " + std::to_string(process) + " :type :" + type + " :f " + f + " :value " + value + "}\n";
    ++process;
  }
  return out;
}

// Invalid as they are, at each level of the model that is not weaker than what they show, and valid from `initial`.
const std::map<std::string, Sample>& from_initial() {
  static const std::map<std::string, Sample> all = {
      {"register", {":read|nil|7", "7"}},
      {"cas-register", {":read|nil|7", "7"}},
      {"versioned-register", {":read|[nil nil]|[3 7]", "[3,7]"}},
      {"multi-register", {":read|nil|7", "7"}},
      {"kv", {":get|nil|\"a\"", "\"a\""}},
      {"counter", {":read|nil|7", "7"}},
      {"fetch-add", {":fetch-add|[1 nil]|[1 7]", "7"}},
      {"set", {":read|nil|[7]", "[7]"}},
      {"log", {":read|nil|[7]", "[7]"}},
      {"queue", {":dequeue|nil|7", "[7]"}},
      {"unordered-queue", {":dequeue|nil|7", "[7]"}},
      {"stack", {":pop|nil|7", "[7]"}},
      {"priority-queue", {":dequeue|nil|7", "[7]"}},
      {"rw-register", {":txn|[[:r :x nil]]|[[:r :x 7]]", "7"}},
  };
  return all;
}
// Reads of nil that are invalid as observations, and valid when nil is not known.
const std::map<std::string, const char*>& of_nil() {
  static const std::map<std::string, const char*> all = {
      {"register", ":write|1|1;:read|nil|1;:read|nil|nil"},
      {"cas-register", ":write|1|1;:read|nil|1;:read|nil|nil"},
      {"versioned-register", ":write|[nil 1]|[1 1];:read|[nil nil]|[1 nil]"},
      {"multi-register", ":write|1|1;:read|nil|1;:read|nil|nil"},
      {"counter", ":add|1|1;:read|nil|1;:read|nil|nil"},
      {"fetch-add", ":fetch-add|[1 nil]|[1 0];:read|nil|nil"},
      {"set", ":add|1|1;:read|nil|[1];:read|nil|nil"},
      {"log", ":append|1|1;:read|nil|[1];:read|nil|nil"},
      {"rw-register", ":txn|[[:w :x 1]]|[[:w :x 1]];:txn|[[:r :x nil]]|[[:r :x 1]];:txn|[[:r :x nil]]|[[:r :x nil]]"},
      {"list-append",
       ":txn|[[:append :x 1]]|[[:append :x 1]];:txn|[[:r :x nil]]|[[:r :x [1]]];:txn|[[:r :x nil]]|[[:r :x nil]]"},
  };
  return all;
}

History history_of(std::string_view operations, bool independent = false) {
  ReadOptions options;
  options.independent = independent;
  auto read = read_history(edn(operations), "test", options);
  EXPECT_TRUE(read) << edn(operations);
  return read ? std::move(read->history) : History();
}

// A level by a name that the checkers take.
std::string spelled(const std::string& name) {
  std::string out = name;
  if (const auto n = out.find("-N"); n != std::string::npos) out.replace(n, 2, "-2");
  if (out.ends_with("-T")) out.replace(out.size() - 1, 1, "5ms");
  return out;
}

// Calls `f` for each model at each level. A table's model needs a file.
template <class F>
void for_each(F&& f) {
  for (const ModelEntry& model : model_catalogue()) {
    if (model.name == "table:FILE") continue;
    for (const std::string& level : model.consistency) {
      CheckOptions options;
      options.model = spelled(model.name);
      options.consistency = spelled(level);
      f(options);
    }
  }
}

bool honoured(const History& history, const CheckOptions& options, bool independent = false) {
  const auto answer = honours(history, options, independent);
  EXPECT_TRUE(answer || answer.error().code == ErrorCode::usage) << answer.error().message;
  return answer.has_value();
}
Verdict verdict(const History& history, const CheckOptions& options) {
  return (*checker_for(options.model, options.consistency))->check(history, options).verdict;
}
std::string name_of(const CheckOptions& options) { return options.model + " at " + options.consistency; }

TEST(Options, InitialIsHonouredOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    const auto sample = from_initial().find(options.model);
    const History history = history_of(sample == from_initial().end() ? ":read|nil|nil" : sample->second.history);
    options.initial = *Value::from_json(sample == from_initial().end() ? "[1]" : sample->second.initial);
    if (!honoured(history, options)) return;
    ++seen;
    ASSERT_NE(sample, from_initial().end()) << name_of(options);
    // A workload's checker may ask for more than one read.
    EXPECT_EQ(verdict(history, options), options.consistency == "bounds" ? Verdict::unknown : Verdict::valid)
        << name_of(options);
    options.initial = *Value::from_json(options.model == "versioned-register" ? "[2,5]"
                                        : options.model == "kv"               ? "\"b\""
                                                                              : "5");
    if (options.initial->is_integer() && Value::from_json(sample->second.initial)->is_list())
      options.initial = Value(Value::List{Value(5)});
    // A value that no integer of the history equals is refused by the priority queue.
    if (honoured(history, options)) {
      EXPECT_NE(verdict(history, options), Verdict::valid) << name_of(options);
    }
  });
  EXPECT_GT(seen, 60u);
}

TEST(Options, AnUnknownInitialValueIsHonouredOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    const auto sample = from_initial().find(options.model);
    const History history = history_of(sample == from_initial().end() ? ":read|nil|nil" : sample->second.history);
    options.initial_unknown = true;
    if (!honoured(history, options)) return;
    ++seen;
    ASSERT_NE(sample, from_initial().end()) << name_of(options);
    EXPECT_EQ(verdict(history, options), Verdict::valid) << name_of(options);
  });
  EXPECT_GT(seen, 20u);
}

TEST(Options, NilReadsAreHonouredOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    const auto sample = of_nil().find(options.model);
    const History history = history_of(sample == of_nil().end() ? ":read|nil|nil" : sample->second);
    options.nil_reads = NilReads::unknown;
    if (!honoured(history, options)) return;
    ++seen;
    ASSERT_NE(sample, of_nil().end()) << name_of(options);
    // Some weak levels ask what was read last, which may be the read that says nothing.
    EXPECT_NE(verdict(history, options), Verdict::invalid) << name_of(options);
    if (options.consistency != "linearizable" && options.consistency != "strict-serializable") return;
    EXPECT_EQ(verdict(history, options), Verdict::valid) << name_of(options);
    options.nil_reads = NilReads::observe;
    EXPECT_NE(verdict(history, options), Verdict::valid) << name_of(options);
  });
  EXPECT_GT(seen, 60u);
}

TEST(Options, AnAlgorithmIsHonouredOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    const auto sample = from_initial().find(options.model);
    const History history = history_of(sample == from_initial().end() ? ":acquire|nil|1" : sample->second.history);
    options.algorithm = "wgl";
    if (!honoured(history, options)) return;
    ++seen;
    const CheckResult result = (*checker_for(options.model, options.consistency))->check(history, options);
    EXPECT_EQ(result.algorithm, "wgl") << name_of(options);
    options.algorithm = "no-such";
    EXPECT_FALSE(honoured(history, options)) << name_of(options);
  });
  EXPECT_GE(seen, 18u);
}

TEST(Options, ACertificateIsHonouredOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    const auto sample = from_initial().find(options.model);
    const History history = history_of(sample == from_initial().end() ? ":acquire|nil|1" : sample->second.history);
    options.certificate = true;
    if (!honoured(history, options)) return;
    ++seen;
    if (sample == from_initial().end()) return;
    options.initial = *Value::from_json(sample->second.initial);
    const CheckResult result = (*checker_for(options.model, options.consistency))->check(history, options);
    EXPECT_FALSE(result.certificate.empty()) << name_of(options);
  });
  EXPECT_GE(seen, 30u);
}

TEST(Options, VersionOrdersAreForRegistersOfTransactions) {
  for_each([&](CheckOptions options) {
    options.extra.set("transactional.version-orders", "sequential");
    EXPECT_EQ(honoured(history_of(":read|nil|nil"), options), options.model == "rw-register") << name_of(options);
  });
}

TEST(Options, KeysAreJudgedApartOrRefused) {
  std::size_t seen = 0;
  for_each([&](CheckOptions options) {
    // What is invalid as one history, and valid as two.
    std::string operations;
    if (options.model.ends_with("mutex") || options.model == "mutex-owner" || options.model == "lock")
      operations = ":acquire|[:k nil]|[:k 1];:acquire|[:l nil]|[:l 2]";
    else if (options.model == "unique-ids")
      operations = ":generate|[:k nil]|[:k 1];:generate|[:l nil]|[:l 1]";
    else if (options.model == "register" || options.model == "cas-register" || options.model == "multi-register")
      operations = ":write|[:k 1]|[:k 1];:read|[:k nil]|[:k 1];:read|[:l nil]|[:l nil]";
    else if (options.model == "list-append" || options.model == "rw-register")
      operations = ":txn|[7 [[:r :x nil]]]|[7 [[:r :x nil]]]";
    else
      operations = ":read|[:k nil]|[:k nil]";
    const History history = history_of(operations, true);
    if (!honoured(history, options, true)) {
      EXPECT_EQ(options.model == "register" || options.model.ends_with("mutex"), false) << name_of(options);
      return;
    }
    ++seen;
    EXPECT_NE(options.model, "list-append");
    EXPECT_NE(options.model, "rw-register");
    if (operations.find(":l") != std::string::npos && !options.consistency.starts_with("eventual")) {
      EXPECT_NE(verdict(history, options), Verdict::invalid) << name_of(options);
    }
  });
  EXPECT_GT(seen, 60u);
}

}  // namespace
}  // namespace ordeal
