// Histories as Jepsen's own tests and the command line of Elle write them, one small valid and invalid one for each
// workload: they are read, the model is guessed or, where that is not possible, asked for, and the verdict is the known
// one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkers/guess.h"
#include "checkers/history/reader.h"
#include "checkers/model_catalogue.h"

namespace ordeal {
namespace {

using testing::HasSubstr;

struct Case {
  std::string name;
  std::string guess;  // "": the shape could mean several things
  std::string model, consistency;
  bool independent = false;
  std::string verdict;  // "valid", or the type of an anomaly
  std::string edn;
};

class JepsenTest : public testing::TestWithParam<Case> {};

TEST_P(JepsenTest, IsReadGuessedAndJudged) {
  const Case& one = GetParam();
  ReadOptions options;
  options.independent = one.independent;
  auto read = read_history(one.edn, "h", options);
  ASSERT_TRUE(read) << read.error().message;
  const auto guessed = guessed_model(read->history);
  EXPECT_EQ(guessed.value_or(""), one.guess);
  const std::string model = one.model.empty() ? one.guess : one.model;
  const auto checker = checker_for(model, one.consistency);
  ASSERT_TRUE(checker) << checker.error().message;
  CheckOptions check;
  check.model = model;
  check.consistency = one.consistency;
  const CheckResult result = (*checker)->check(read->history, check);
  if (one.verdict == "valid") {
    EXPECT_EQ(result.verdict, Verdict::valid) << result.reason;
    return;
  }
  ASSERT_EQ(result.verdict, Verdict::invalid) << result.reason;
  std::vector<std::string> types;
  for (const Anomaly& anomaly : result.anomalies) types.push_back(anomaly.type);
  EXPECT_THAT(types, testing::Contains(one.verdict));
}

const std::string kBank =
    R"({:type :invoke, :f :transfer, :value {:from 4, :to 6, :amount 1}, :process 0, :time 1, :index 0}
{:type :info, :f :start, :process :nemesis, :time 2, :value [:isolated {"n2" #{"n1" "n4"}, "n1" #{"n2"}}], :index 1}
{:type :ok, :f :transfer, :value {:from 4, :to 6, :amount 1}, :process 0, :time 3, :index 2}
{:type :invoke, :f :transfer, :value {:from 7, :to 2, :amount 3}, :process 3, :time 4, :index 3}
{:type :fail, :f :transfer, :value [:negative 7 -2], :process 3, :time 5, :index 4}
{:type :invoke, :f :read, :process 3, :time 6, :index 5}
)";

INSTANTIATE_TEST_SUITE_P(
    Workloads, JepsenTest,
    testing::Values(
        Case{"bank", "bank", "", "", false, "valid",
             kBank + "{:type :ok, :f :read, :process 3, :time 7, :value {0 97, 4 2, 6 1}, :index 6}\n"
                     "{:type :invoke, :f :read, :process 3, :time 8, :index 7}\n{:type :ok, :f :read, :process 3, "
                     ":time 9, :value {0 97, 4 2, 6 1}, :index 8}\n"},
        Case{"bank_move_without_transfer", "bank", "", "", false, "unexplained-balances",
             kBank + "{:type :ok, :f :read, :process 3, :time 7, :value {0 97, 4 2, 6 1}, :index 6}\n"
                     "{:type :invoke, :f :read, :process 3, :time 8, :index 7}\n{:type :ok, :f :read, :process 3, "
                     ":time 9, :value {0 96, 4 3, 6 1}, :index 8}\n"},
        Case{"bank_wrong_total", "bank", "", "", false, "wrong-total",
             kBank + "{:type :ok, :f :read, :process 3, :time 7, :value {0 97, 4 2, 6 1}, :index 6}\n"
                     "{:type :invoke, :f :read, :process 3, :time 8, :index 7}\n{:type :ok, :f :read, :process 3, "
                     ":time 9, :value {0 97, 4 3, 6 1}, :index 8}\n"},
        Case{"bank_negative", "bank", "", "", false, "negative-balance",
             kBank + "{:type :ok, :f :read, :process 3, :time 7, :value {0 101, 4 -2, 6 1}, :index 6}\n"},
        Case{"bank_of_rows", "bank", "", "", false, "wrong-total",
             kBank + "{:type :ok, :f :read, :process 3, :time 7, :value (10 10 9), :index 6}\n"
                     "{:type :invoke, :f :read, :process 3, :time 8, :index 7}\n{:type :ok, :f :read, :process 3, "
                     ":time 9, :value (10 10 10), :index 8}\n"},
        Case{"counter", "counter", "", "bounds", false, "valid",
             R"({:type :invoke, :f :add, :value 1, :op-index 1, :process 0, :time 10, :index 0}
{:type :ok, :f :add, :value 1, :op-index 1, :process 0, :time 11, :index 1}
{:type :invoke, :f :read, :value nil, :process 0, :time 12, :index 2}
{:type :ok, :f :read, :value 1, :process 0, :time 13, :index 3}
)"},
        Case{"counter_too_low", "counter", "", "bounds", false, "counter-out-of-bounds",
             R"([{:type :invoke, :f :add, :value 1, :process 0}
 {:type :ok, :f :add, :value 1, :process 0} {:type :invoke, :f :read, :process 1} {:type :ok, :f :read, :value 0, :process 1}])"},
        Case{"set_full", "set-full", "", "", false, "valid",
             R"(#jepsen.history.Op{:index 0, :time 1, :type :invoke, :process 0, :f :add, :value [0 0]}
#jepsen.history.Op{:index 1, :time 2, :type :ok, :process 0, :f :add, :value [0 0]}
#jepsen.history.Op{:index 2, :time 3, :type :invoke, :process 1, :f :read, :value nil}
#jepsen.history.Op{:index 3, :time 4, :type :ok, :process 1, :f :read, :value #{[0 0]}}
)"},
        Case{"set_full_lost", "set-full", "", "", false, "lost-element",
             R"({:type :invoke, :f :add, :value 0, :process 0, :index 0}
{:type :ok, :f :add, :value 0, :process 0, :index 1}
{:type :invoke, :f :add, :value 1, :process 0, :index 2}
{:type :info, :f :add, :value 1, :process 0, :error [:timeout "read timed out"], :exception #error {:cause "x" :via [{:type java.net.SocketTimeoutException}]}, :index 3}
{:type :invoke, :f :read, :process 1, :index 4}
{:type :ok, :f :read, :value (1), :process 1, :index 5}
)"},
        Case{"set_of_keys", "set-full", "", "", true, "lost-element",
             R"({:type :invoke, :f :add, :value [5 0], :process 0}
{:type :ok, :f :add, :value [5 0], :process 0}
{:type :invoke, :f :read, :value [5 nil], :process 1}
{:type :ok, :f :read, :value [5 [1]], :process 1}
)"},
        Case{"long_fork", "rw-register", "long-fork", "", false, "long-fork",
             R"({:type :invoke, :f :txn, :value [[:w 0 1]], :process 0}
{:type :invoke, :f :txn, :value [[:w 1 1]], :process 1}
{:type :invoke, :f :txn, :value [[:r 0 nil] [:r 1 nil]], :process 2}
{:type :ok, :f :txn, :value [[:r 0 1] [:r 1 nil]], :process 2}
{:type :invoke, :f :txn, :value [[:r 1 nil] [:r 0 nil]], :process 2}
{:type :ok, :f :txn, :value [[:r 1 1] [:r 0 nil]], :process 2}
)"},
        Case{"long_fork_of_reads_and_writes", "long-fork", "", "", false, "long-fork",
             R"({:type :invoke, :f :write, :value [[:w 0 1]], :process 0}
{:type :invoke, :f :write, :value [[:w 1 1]], :process 1}
{:type :invoke, :f :read, :value [[:r 0 nil] [:r 1 nil] [:r 2 nil]], :process 2}
{:type :ok, :f :read, :value [[:r 0 1] [:r 1 nil] [:r 2 nil]], :process 2}
{:type :invoke, :f :read, :value [[:r 2 nil] [:r 1 nil] [:r 0 nil]], :process 2}
{:type :ok, :f :read, :value [[:r 2 nil] [:r 1 1] [:r 0 nil]], :process 2}
)"},
        Case{"comments", "causal-reverse", "", "", false, "causal-reverse",
             R"({:type :invoke :f :read :value nil :process 0}
{:type :invoke :f :write :value 425 :process 1}
{:type :ok :f :write :value 425 :process 1}
{:type :invoke :f :write :value 430 :process 1}
{:type :ok :f :write :value 430 :process 1}
{:type :ok :f :read :value #{430} :process 0}
)"},
        Case{"comments_without_processes", "causal-reverse", "", "", false, "causal-reverse",
             R"({:index 1, :type :invoke :f :read   :value nil}
{:index 2, :type :invoke :f :write  :value 425}
{:index 3, :type :ok     :f :write  :value 425}
{:index 4, :type :invoke :f :write  :value 430}
{:index 5, :type :ok     :f :write  :value 430}
{:index 6, :type :ok     :f :read   :value #{430}}
)"},
        Case{"causal_reverse", "causal-reverse", "", "", false, "valid",
             R"({:type :invoke :f :write :value 1 :process 0} {:type :ok :f :write :value 1 :process 0}
{:type :invoke :f :write :value 2 :process 0} {:type :ok :f :write :value 2 :process 0}
{:type :invoke :f :read :value nil :process 0} {:type :ok :f :read :value [1 2] :process 0})"},
        Case{"sequential", "", "sequential-writes", "", false, "skipped-write",
             R"({:type :invoke, :f :add, :value [0 "0_0"], :process 0, :index 0}
{:type :ok,     :f :add, :value [0 "0_0"], :process 0, :index 1}
{:type :invoke, :f :add, :value [0 "0_1"], :process 0, :index 2}
{:type :ok,     :f :add, :value [0 "0_1"], :process 0, :index 3}
{:type :invoke, :f :read, :value [0 nil], :process 1, :index 4}
{:type :ok,     :f :read, :value [0 ["0_1" nil]], :process 1, :index 5}
)"},
        Case{"sequential_valid", "", "sequential-writes", "", false, "valid",
             R"({:type :invoke, :f :write, :value 0, :process 0}
{:type :ok, :f :write, :value 0, :process 0}
{:type :invoke, :f :read, :value 0, :process 1}
{:type :ok, :f :read, :value [0 ["0_1" "0_0"]], :process 1}
)"},
        Case{"monotonic", "monotonic", "", "", false, "value-reorder", R"({:type :invoke, :f :add, :value 0, :process 0}
{:type :ok, :f :add, :value {:val -1, :sts 0N, :node -1, :tb -1}, :process 0}
{:type :invoke, :f :read, :value nil, :process 0}
{:type :ok, :f :read, :value [{:val -1, :sts 0N, :node -1, :tb -1} {:val 1, :sts 14861582000000000000000000001N, :node 1, :tb 0} {:val 0, :sts 14861582000000000000000000002N, :node 1, :tb 0}], :process 0}
)"},
        Case{"g2", "g2", "", "", true, "G2-predicate", R"({:type :invoke, :f :insert, :value [1 [1 nil]], :process 0}
{:type :invoke, :f :insert, :value [1 [nil 2]], :process 1}
{:type :ok, :f :insert, :value [1 [1 nil]], :process 0}
{:type :ok, :f :insert, :value [1 [nil 2]], :process 1}
)"},
        Case{"unique_ids", "unique-ids", "", "unique", false, "duplicate-id",
             R"({:type :invoke, :f :generate, :process 0} {:type :ok, :f :generate, :value 7, :process 0}
{:type :invoke, :f :generate, :process 1} {:type :ok, :f :generate, :value 7, :process 1})"},
        Case{"total_queue", "total-queue", "", "", false, "lost-element",
             R"({:process 2, :type :invoke, :f :enqueue, :value :enqueued}
{:process 2, :type :ok, :f :enqueue, :value :enqueued}
{:process 5, :type :invoke, :f :dequeue} {:process 5, :type :fail, :f :dequeue, :error :empty}
{:process 3, :type :invoke, :f :enqueue, :value 2} {:process 3, :type :ok, :f :enqueue, :value 2}
{:process 4, :type :invoke, :f :drain, :value nil} {:process 4, :type :ok, :f :drain, :value [2]})"},
        Case{"queue", "queue", "total-queue", "exactly-once", false, "duplicate-element",
             R"({:process 3, :type :invoke, :f :enqueue, :value :dup} {:process 3, :type :ok, :f :enqueue, :value :dup}
{:process 6, :type :invoke, :f :dequeue, :value nil} {:process 6, :type :ok, :f :dequeue, :value :dup}
{:process 7, :type :invoke, :f :dequeue, :value nil} {:process 7, :type :ok, :f :dequeue, :value :dup})"},
        Case{"kafka_lost_write", "kafka", "", "", false, "lost-write",
             R"({:index 0, :time 0, :process 0, :type :invoke, :f :send, :value [[:send :x :a]]}
{:index 1, :time 1, :process 0, :type :ok, :f :send, :value [[:send :x [0 :a]]]}
{:index 2, :time 2, :process 1, :type :invoke, :f :send, :value [[:send :x :c]]}
{:index 3, :time 3, :process 1, :type :info, :f :send, :value [[:send :x :c]]}
{:index 4, :time 4, :process 0, :type :invoke, :f :poll, :value [[:poll]], :poll-ms 1000}
{:index 5, :time 5, :process 0, :type :ok, :f :poll, :value [[:poll {:x [[2 :c]]}]], :rebalance-log [], :poll-ms 1000}
)"},
        Case{
            "kafka_aborted_read", "kafka", "", "", false, "aborted-read",
            R"({:process 0, :type :invoke, :f :subscribe, :value [:x]} {:process 0, :type :ok, :f :subscribe, :value [:x]}
{:process 0, :type :invoke, :f :crash, :value nil} {:process 0, :type :info, :f :crash, :value nil}
{:process 1, :type :invoke, :f :txn, :value [[:send 3 2] [:send 4 3]]} {:process 1, :type :fail, :f :txn, :value [[:send 3 2] [:send 4 3]]}
{:process 2, :type :invoke, :f :txn, :value [[:poll]]} {:process 2, :type :ok, :f :txn, :value [[:poll {3 [[0 2]]}]]}
)"},
        Case{"list_append", "list-append", "", "serializable", false, "valid",
             R"({:index 2 :type :invoke, :process 0, :value [[:append 255 8] [:r 253 nil]]}
{:index 3 :type :ok,     :process 0, :value [[:append 255 8] [:r 253 []]]}
{:index 4 :type :invoke, :process 0, :value [[:append 253 10] [:r 255 nil]]}
{:index 5 :type :ok,     :process 0, :value [[:append 253 10] [:r 255 [8]]]}
)"},
        Case{"list_append_without_processes", "list-append", "", "strict-serializable", false, "G-single-realtime",
             R"({:index 2 :type :invoke, :value [[:append 255 8]]}
{:index 3 :type :ok,     :value [[:append 255 8]]}
{:index 4 :type :invoke, :value [[:r 255 nil]]}
{:index 5 :type :ok,     :value [[:r 255 nil]]}
)"},
        Case{"rw_register", "rw-register", "", "read-committed", false, "G1a",
             R"({:type :invoke, :f :txn :value [[:w :x 2]],   :process 0, :index 1}
{:type :fail,     :f :txn :value [[:w :x 2]],   :process 0, :index 2}
{:type :invoke, :f :txn :value [[:r :x nil]], :process 0, :index 3}
{:type :ok,     :f :txn :value [[:r :x 2]],   :process 0, :index 4}
)"},
        Case{"cas_register_of_keys", "cas-register", "", "", true, "nonlinearizable",
             R"({:type :invoke, :f :write, :value #jepsen.independent.Tuple [3 1], :process 0}
{:type :ok, :f :write, :value #jepsen.independent.Tuple [3 1], :process 0}
{:type :invoke, :f :cas, :value [3 [1 2]], :process 0} {:type :ok, :f :cas, :value [3 [1 2]], :process 0}
{:type :invoke, :f :read, :value [3 nil], :process 1} {:type :ok, :f :read, :value [3 1], :process 1})"},
        Case{"mutex", "", "mutex", "", false, "nonlinearizable",
             R"({:process 0, :type :invoke, :f :acquire, :value nil} {:process 0, :type :ok, :f :acquire, :value nil}
{:process 1, :type :invoke, :f :acquire, :value nil} {:process 1, :type :ok, :f :acquire, :value nil})"}),
    [](const auto& one) { return one.param.name; });

TEST(Guess, TuplesOfKeyAndValueAreAskedFor) {
  const auto read = read_history(
      R"({:type :invoke, :f :read, :value [3 nil], :process 1} {:type :ok, :f :read, :value [3 1], :process 1}
{:type :invoke, :f :write, :value [3 1], :process 1} {:type :ok, :f :write, :value [3 1], :process 1})",
      "h");
  ASSERT_TRUE(read);
  const auto guessed = guessed_model(read->history);
  ASSERT_FALSE(guessed);
  EXPECT_THAT(guessed.error().message, HasSubstr("--independent"));
}

TEST(Reader, AmbiguousOperationsWithoutProcessesAreRefused) {
  const auto read = read_history(
      R"({:type :invoke, :f :read, :value nil} {:type :invoke, :f :read, :value nil} {:type :ok, :f :read, :value 1})",
      "h");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("several operations that it may complete are open"));
}

}  // namespace
}  // namespace ordeal
