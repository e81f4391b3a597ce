// Seeded mutations of valid samples, through the functions that libFuzzer calls: no crash, no hang, and errors that
// name the file. Each format sees 20,000 inputs, of which a good part must still be readable (else the mutations would
// only test the first error).

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/fuzz/fuzz_history.h"
#include "tests/fuzz/mutator.h"

namespace ordeal {
namespace {

const char* const kJsonLines =
    R"({"index":0,"time":10,"process":3,"type":"invoke","f":"cas","key":"k7","value":[1,2]})"
    "\n"
    R"({"index":1,"time":12,"process":"nemesis","type":"info","f":"partition","value":{"n1":["n2"]}})"
    "\n"
    R"({"index":2,"time":15,"process":3,"type":"fail","f":"cas","key":"k7","value":[1,2],"error":{"kind":"mismatch","message":"not 1"}})"
    "\n"
    R"({"process":4,"type":"invoke","f":"txn","value":[["r","x",null],["append",1,-2.5e3]]})"
    "\n"
    R"({"process":"bob","type":"invoke","f":"read","value":"\u00e9\n"})"
    "\n"
    R"({"process":4,"type":"ok","f":"txn","value":[["r","x",[1,true]],["append",1,-2.5e3]]})"
    "\n";

const char* const kEdn =
    "; a history\n"
    "({:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}\n"
    " #jepsen.history.Op{:index 1, :type :ok, :process 0, :f :write, :value 3}\n"
    " {:process 1 :type :invoke :f :add :value #{1 2} :key \"3\"}\n"
    " #_ {:a 1} {:process 1 :type :fail :f :add :value [1/2 7N 1.5M \\a \\newline :k/w \"s\\\"q\" ##Inf #inst \"2020\" "
    "^{:m 1} {:a nil}] :error [:pg \"x\"]}\n"
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

class Mutations : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Mutations, NeverCrashTheReader) {
  const auto& [format_name, sample] = GetParam();
  const HistoryFormat format = *find_history_format(format_name);
  ASSERT_TRUE(fuzz_history(sample, format)) << "the sample itself must be readable";
  testing::Mutator mutator;
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutator.mutated(sample);
    accepted += fuzz_history(text, i % 4 == 0 ? HistoryFormat::automatic : format) ? 1 : 0;
  }
  EXPECT_GT(accepted, 500);
  EXPECT_LT(accepted, 19'000);
}

INSTANTIATE_TEST_SUITE_P(Readers, Mutations,
                         ::testing::Values(std::pair{"jsonl", kJsonLines}, std::pair{"edn", kEdn},
                                           std::pair{"log", kLog}, std::pair{"json", kJson}),
                         [](const auto& test) { return std::string(test.param.first); });

}  // namespace
}  // namespace ordeal
