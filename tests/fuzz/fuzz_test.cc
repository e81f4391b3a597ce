// Seeded mutations of valid samples, through the functions that libFuzzer calls: no crash, no hang, and errors that
// name the file. Each format sees 20,000 inputs, of which a good part must still be readable (else the mutations would
// only test the first error).

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_history.h"

namespace ordeal {
namespace {

const char* const kJsonLines =
    R"({"index":0,"time":10,"process":3,"type":"invoke","f":"cas","key":"k7","value":[1,2]})" "\n"
    R"({"index":1,"time":12,"process":"nemesis","type":"info","f":"partition","value":{"n1":["n2"]}})" "\n"
    R"({"index":2,"time":15,"process":3,"type":"fail","f":"cas","key":"k7","value":[1,2],"error":{"kind":"mismatch","message":"not 1"}})" "\n"
    R"({"process":4,"type":"invoke","f":"txn","value":[["r","x",null],["append",1,-2.5e3]]})" "\n"
    R"({"process":"bob","type":"invoke","f":"read","value":"\u00e9\n"})" "\n"
    R"({"process":4,"type":"ok","f":"txn","value":[["r","x",[1,true]],["append",1,-2.5e3]]})" "\n";

const char* const kEdn =
    "; a history\n"
    "({:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}\n"
    " #jepsen.history.Op{:index 1, :type :ok, :process 0, :f :write, :value 3}\n"
    " {:process 1 :type :invoke :f :add :value #{1 2} :key \"3\"}\n"
    " #_ {:a 1} {:process 1 :type :fail :f :add :value [1/2 7N 1.5M \\a \\newline :k/w \"s\\\"q\" ##Inf #inst \"2020\" ^{:m 1} {:a nil}] :error [:pg \"x\"]}\n"
    " {:type :info :process :nemesis :f :start :value \"Cut off\"})\n";

const char* const kLog =
    "INFO  jepsen.core - Worker 3 starting\n"
    "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
    "INFO  jepsen.util - 1 :invoke :cas [1 2]\n"
    "INFO  jepsen.util - :nemesis :info :start Cut off {n1 [n2\n"
    "INFO\t[jepsen worker 1] jepsen.util: 1\t:fail\t:cas\t[1 2]\t[:not \"1\"]\r\n"
    "INFO  jepsen.util - 0\t:info\t:read\t:timed-out\n";

const char* const kJson =
    "[{\"index\":0,\"type\":\"invoke\",\"process\":1,\"f\":\"txn\",\n \"value\":[[\"append\",9,1],[\"r\",9,null]]},\n"
    "{\"index\":1,\"type\":\"ok\",\"process\":1,\"f\":\"txn\",\"value\":[[\"append\",9,1],[\"r\",9,[1]]]},\n"
    "{\"type\":\"invoke\",\"process\":2,\"f\":\"txn\",\"value\":[]}]\n";

// Bytes that mean something to one of the readers.
const std::vector<std::string> kTokens = {
    "{", "}", "[", "]", "(", ")", "#", "#_", "#{", ":", ",", "\"", "\\", "\\u", "\\u12", ";", "\n", "\r\n", "\t", " ", "-", "0", "9",
    "e9", "/", "/0", "N", "M", "null", "nil", "true", ":info", "\"info\"", ":process", "\"process\":", "^", "'", "##", "99999999999999999999",
    "-9223372036854775808", "9223372036854775807", "1073741824", "0x", "\xFF", "\xC3", "\xEF\xBB\xBF", std::string(1, '\0'), "\x1F\x8B\x08", "jepsen.util"};

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}
  std::string mutated(std::string text) {
    for (std::size_t n = 1 + below(3); n > 0; --n) once(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  void once(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t length = std::min(text.size() - at, below(12));
    switch (below(7)) {
      case 0: text.insert(at, kTokens[below(kTokens.size())]); break;
      case 1: text.erase(at, length); break;
      case 2: text.replace(at, length, kTokens[below(kTokens.size())]); break;
      case 3: text.insert(below(text.size() + 1), text.substr(at, below(80))); break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 5: text.resize(at); break;
      default: text.insert(at, std::string(below(40), "[{(\"# "[below(6)])); break;
    }
  }
  std::mt19937 random_;
};

class Mutations : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Mutations, NeverCrashTheReader) {
  const auto& [format_name, sample] = GetParam();
  const HistoryFormat format = *find_history_format(format_name);
  ASSERT_TRUE(fuzz_history(sample, format)) << "the sample itself must be readable";
  Mutator mutator(20'261'121);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutator.mutated(sample);
    accepted += fuzz_history(text, i % 4 == 0 ? HistoryFormat::automatic : format) ? 1 : 0;
  }
  EXPECT_GT(accepted, 500);
  EXPECT_LT(accepted, 19'000);
}

INSTANTIATE_TEST_SUITE_P(Readers, Mutations,
                         testing::Values(std::pair{"jsonl", kJsonLines}, std::pair{"edn", kEdn}, std::pair{"log", kLog},
                                         std::pair{"json", kJson}),
                         [](const auto& test) { return std::string(test.param.first); });

}  // namespace
}  // namespace ordeal
