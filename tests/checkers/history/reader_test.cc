#include "checkers/history/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "checkers/history/writer.h"

namespace ordeal {
namespace {

using testing::HasSubstr;

ReadHistory read(std::string_view text, const ReadOptions& options = {}) {
  auto read = read_history(text, "h", options);
  EXPECT_TRUE(read) << (read ? "" : read.error().message) << "\n" << text;
  return read ? std::move(*read) : ReadHistory{};
}

std::string refused(std::string_view text, const ReadOptions& options = {}) {
  auto read = read_history(text, "h", options);
  EXPECT_FALSE(read) << text;
  if (read) return "";
  EXPECT_EQ(read.error().code, ErrorCode::input);
  return read.error().message;
}

// All operations, a line each.
std::string described(const History& history) {
  std::string out;
  for (const auto& op : history.operations()) out += history.describe(op) + "\n";
  return out;
}

TEST(JsonLines, ReadsOurOwnFormat) {
  const auto [h, format, notes, apart] = read(
      R"({"index":0,"time":10,"process":3,"type":"invoke","f":"cas","key":"k7","value":[1,2]})"
      "\n"
      R"({"index":1,"time":12,"process":"nemesis","type":"info","f":"partition","value":{"n1":["n2"]}})"
      "\n"
      R"({"index":2,"time":15,"process":3,"type":"fail","f":"cas","key":"k7","value":[1,2],"error":{"kind":"mismatch","message":"not 1"}})"
      "\n"
      R"({"index":3,"time":15,"process":4,"type":"invoke","f":"read","key":"k7"})"
      "\n"
      R"({"index":4,"time":16,"process":4,"type":"ok","f":"read","key":"k7","value":null,"node":{"x":1}})"
      "\n");
  EXPECT_EQ(format, HistoryFormat::jsonl);
  EXPECT_EQ(described(h), "3 cas \"k7\" [1,2] -> fail\n4 read \"k7\" -> ok null\n");
  EXPECT_EQ(h.time(2), 15);
  EXPECT_EQ(h.process(1), kNemesis);
  EXPECT_EQ(h.partner(1), kNoEvent);
  ASSERT_NE(h.error(2), nullptr);
  EXPECT_EQ(*h.error(2), (EventError{"mismatch", "not 1"}));
  EXPECT_EQ(h.value(3), kAbsent);
  EXPECT_EQ(h.value(4), kNil);
}

// Large files are read in chunks by several threads: the same history must come out, with the same messages.
class Chunks : public testing::TestWithParam<std::size_t> {
 protected:
  ReadOptions options(bool transactions) const {
    ReadOptions out;
    out.transactions = transactions;
    out.threads = 3;
    out.parallel_from = GetParam();
    return out;
  }
  static std::string written(const History& history) {
    std::string out;
    for (EventIndex e = 0; e < history.size(); ++e) append_event_jsonl(out, history, e);
    return out;
  }
  void expect_same(const std::string& text) const {
    const std::string alone = written(read(text).history);
    EXPECT_EQ(written(read(text, options(false)).history), alone);
    EXPECT_EQ(written(read(text, options(true)).history), alone);
  }
};

std::string many_events(bool edn, const std::string& before, const std::string& after, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    const std::string process = std::to_string(i % 7), n = std::to_string(i), key = std::to_string(i / 9);
    const auto event = [&](const std::string& type, const std::string& seen) {
      out += before;
      if (edn)
        out += "{:type :" + type + ", :f :txn, :value [[:append " + key + " " + n + "] [:r " + key + " " + seen +
               "]], :process " + process + "}";
      else
        out += "{\"process\":" + process + ",\"type\":\"" + type + "\",\"f\":\"txn\",\"value\":[[\"append\"," + key +
               "," + n + "],[\"r\"," + key + "," + seen + "]]}";
      out += after + "\n";
    };
    std::string list = "[";
    for (int e = i / 9 * 9; e <= i; ++e)
      list += (list.size() > 1 ? (edn ? " " : ",") : "") + std::to_string(i % 11 == 0 ? e + 1000 : e);
    event("invoke", edn ? "nil" : "null");
    event(i % 5 == 0 ? "info" : "ok", list + "]");
    if (i % 13 == 0)
      out += edn ? before +
                       "{:type :info, :f :kill, :process :nemesis, :value {:n1 [1 2.5]}, :error [:timeout \"a\"]}" +
                       after + "\n"
                 : "{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\",\"value\":{\"n1\":[1,2.5]},\"error\":{"
                   "\"kind\":\"timeout\",\"message\":\"a\"}}\n";
  }
  return out;
}

TEST_P(Chunks, GiveTheSameHistory) {
  expect_same(many_events(false, "", "", 300));
  expect_same(many_events(true, "", "", 300));
  expect_same("[" + many_events(true, " ", "", 300) + "]\n");
  expect_same(many_events(true, "#jepsen.history.Op", "", 300));
  expect_same(many_events(true, "", " ; a comment {", 300));
}

TEST_P(Chunks, AreCutOnlyBetweenEvents) {
  // Line ends within a string, before something that looks like an event.
  std::string text;
  for (int i = 0; i < 60; ++i)
    text +=
        "{:process 0 :type :invoke :f :write :value \"a\n{:type :info}\n\"}\n{:process 0 :type :ok :f :write :value "
        "1}\n";
  EXPECT_EQ(read(text, options(true)).history.operations().size(), 60u);
}

TEST_P(Chunks, MistakesAreNamedByTheirPlace) {
  const std::string good = many_events(false, "", "", 100);
  for (const std::string& bad :
       {std::string("{\"process\":9,\"type\":\"ok\",\"f\":\"txn\",\"value\":[]}\n"),
        std::string("{\"process\":9,\"type\":\"invoke\",]}\n"),
        std::string("{\"process\":1,\"type\":\"invoke\",\"f\":\"txn\",\"value\":[[\"r\",1,{]]}\n")}) {
    EXPECT_EQ(refused(good + bad + good, options(true)), refused(good + bad + good));
  }
}

TEST_P(Chunks, RegistersThatHoldListsStayEqual) {
  std::string text = many_events(false, "", "", 50);
  text += R"({"process":90,"type":"invoke","f":"txn","value":[["w",1,[1,2]]]})"
          "\n"
          R"({"process":91,"type":"invoke","f":"txn","value":[["r",1,[1,2]]]})"
          "\n";
  const auto [h, format, notes, apart] = read(text, options(true));
  EXPECT_FALSE(apart);
  const auto written = h.values().as_list(h.values().as_list(h.value(static_cast<EventIndex>(h.size() - 2)))[0])[2];
  const auto seen = h.values().as_list(h.values().as_list(h.value(static_cast<EventIndex>(h.size() - 1)))[0])[2];
  EXPECT_EQ(written, seen);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Chunks, testing::Values(1, 64, 999, 20'000, 1u << 30));

TEST(JsonLines, ToleratesOrderSpacesLineEndsAndByteOrderMark) {
  const auto h =
      read(
          "\xEF\xBB\xBF{ \"value\" : \"\\u00e9\\n\", \"f\":\"write\",\"type\":\"invoke\",\"process\":0}\r\n\r\n"
          "{\"process\":\"0\",\"type\":\":ok\",\"f\":\":write\",\"time\":null}\r\n")
          .history;
  EXPECT_EQ(described(h), "0 write \"\xC3\xA9\\n\" -> ok\n");
}

TEST(JsonLines, NullKeyIsNoKey) {
  const auto h = read(R"({"process":0,"type":"invoke","f":"read","key":null,"value":null})").history;
  EXPECT_EQ(h.key(0), kAbsent);
}

TEST(JsonLines, ValuesOfAllKinds) {
  // The first line goes through the fast path, the second, with an escape, through the strict one.
  const auto h = read(R"({"process":0,"type":"invoke","f":"w","value":[true,false,null,-5,"a",{"b":[1,[2]]},[]]})"
                      "\n"
                      R"({"process":0,"type":"ok","f":"w","value":[true,false,null,-5,"\u0061",{"b":[1,[2]]},[]]})")
                     .history;
  EXPECT_EQ(h.value(0), h.value(1));
  EXPECT_EQ(h.values().to_json(h.value(0)), R"([true,false,null,-5,"a",{"b":[1,[2]]},[]])");
}

TEST(JsonLines, LargeIntegersStayExact) {
  const auto h = read(R"({"process":0,"type":"invoke","f":"w","value":9223372036854775807})").history;
  EXPECT_EQ(h.values().as_integer(h.value(0)), 9223372036854775807);
}

TEST(JsonLines, NamedProcesses) {
  const auto h = read(R"({"process":"alice","type":"invoke","f":"w","value":1})"
                      "\n"
                      R"({"process":"monitor","type":"info","f":"sample"})"
                      "\n"
                      R"({"process":"nemesis-2","type":"invoke","f":"kill"})"
                      "\n"
                      R"({"process":"nemesis-2","type":"info","f":"kill"})"
                      "\n"
                      R"({"process":"monitor","type":"info","f":"sample"})"
                      "\n"
                      R"({"process":"alice","type":"ok","f":"w","value":1})")
                     .history;
  EXPECT_EQ(described(h), "alice w 1 -> ok\n");
  EXPECT_EQ(h.process_name(h.process(1)), "monitor");
  EXPECT_EQ(h.process_name(h.process(3)), "nemesis-2");
}

TEST(JsonLines, ErrorsNameLineColumnAndWhatWasExpected) {
  const std::string good = R"({"process":0,"type":"invoke","f":"read"})"
                           "\n";
  EXPECT_EQ(refused(good +
                    R"({"process":0,"type":"ok","f":"read","value":[1,}})"
                    "\n" +
                    good)
                .substr(0, 8),
            "h:2:48: ");
  EXPECT_THAT(refused(good + R"({"process":0,"type":"done","f":"read"})"),
              HasSubstr("h:2:21: the type \"invoke\", \"ok\", \"fail\" or \"info\" was expected, found \"done\""));
  EXPECT_THAT(refused(good + R"({"process":1.5,"type":"ok","f":"read"})"), HasSubstr("a process"));
  EXPECT_THAT(refused(good + R"({"type":"ok","f":"read"})"), HasSubstr("h:2: the event has no process"));
  EXPECT_THAT(refused(good + R"({"process":0,"f":"read"})"), HasSubstr("h:2: the event has no type"));
  EXPECT_THAT(refused(good + "rubbish\n"), HasSubstr("h:2:1: '{' was expected, found 'r'"));
  EXPECT_THAT(refused(good + R"({"process":0,"type":"ok","f":"read"} x)"), HasSubstr("h:2:38: the end was expected"));
}

TEST(JsonLines, ContradictionsNameFileAndEvents) {
  const std::string invoke = R"({"process":0,"type":"invoke","f":"read","key":"a"})"
                             "\n";
  EXPECT_THAT(refused(R"({"process":0,"type":"ok","f":"read"})"),
              HasSubstr("h:1: event 0 (line 1): process 0 completes"));
  EXPECT_THAT(
      refused(invoke + invoke),
      HasSubstr("h:2: event 1 (line 2): process 0 invokes an operation while its operation of event 0 (line 1)"));
  EXPECT_THAT(refused(invoke + R"({"process":0,"type":"ok","f":"write"})"), HasSubstr("completes write, but"));
  EXPECT_THAT(refused(invoke + R"({"process":0,"type":"ok","f":"read","key":"b"})"),
              HasSubstr("on key \"b\", but its open operation of event 0 (line 1) is on key \"a\""));
}

// The later of two fields won, and the file was judged for what it did not say.
TEST(RegressFields, TwiceInOneEventAreRefused) {
  EXPECT_THAT(refused(R"({"process":0,"type":"invoke","f":"read","value":1,"value":2})"),
              HasSubstr("the field \"value\" stands twice"));
  EXPECT_THAT(refused(R"({"process":0,"type":"invoke","type":"ok","f":"\u0072ead"})"), HasSubstr("stands twice"));
  EXPECT_THAT(refused("{:process 0, :type :invoke, :f :read, :process 1}"), HasSubstr(":process stands twice"));
  EXPECT_THAT(refused("{:process 0, :type :invoke, :f :read, :value #{1}, :value nil}"),
              HasSubstr(":value stands twice"));
}

// Elle's examples hold completions alone: each operation began after the one before of its process, at the earliest.
TEST(RegressCompletionsAlone, AreOperations) {
  const ReadHistory result = read(
      "{:type :ok, :process 0, :value [[:append :x 1]]}\n"
      "{:type :ok, :process 1, :value [[:r :x [1]]]}\n"
      "{:type :fail, :process 0, :value [[:append :x 2]]}\n"
      "{:type :ok, :process 1, :value [[:r :x [1]]]}\n");
  const History& h = result.history;
  const auto ops = h.operations();
  ASSERT_EQ(ops.size(), 4u);
  ASSERT_EQ(h.size(), 8u);
  EXPECT_EQ(h.type(0), EventType::invoke);
  EXPECT_EQ(h.type(1), EventType::invoke);
  EXPECT_EQ(h.process(3), 0);  // begins right after the completion of event 2
  EXPECT_EQ(h.type(3), EventType::invoke);
  EXPECT_EQ(h.outcome(ops[2]), EventType::fail);
  EXPECT_EQ(h.value(0), kAbsent);
  EXPECT_EQ(h.values().to_json(h.value(ops[0].completion)), R"([["append","x",1]])");
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_THAT(result.notes[0], HasSubstr("no invocation"));
  // An invocation later on makes the first a mistake.
  EXPECT_THAT(refused("{:type :ok, :process 0, :value [[:append :x 1]]}\n"
                      "{:type :invoke, :process 0, :value [[:append :x 2]]}\n"),
              HasSubstr("never invoked"));
}

TEST(RegressEdn, MetadataIsSkipped) {
  const ReadHistory result = read(
      "^{:tag 1} {:process 0, :type ^:a :invoke, :f :write, :value ^{:b [2]} [1 ^:c 2]}\n"
      "#^{:tag 2} {:process 0, :type :ok, :f :write, ^:d :value [1 2]}\n");
  EXPECT_EQ(described(result.history), "0 write [1,2] -> ok\n");
}

TEST(RegressEdn, NumbersKeepTheirExactValue) {
  const ReadHistory result = read(
      "{:process 0, :type :invoke, :f :write, :value [0.1000000000000000000001M 0.1000000000000000000002M 1/3 2/6]}\n"
      "{:process 1, :type :invoke, :f :write, :value [18446744073709551615 18446744073709551615N "
      "\"18446744073709551615\" "
      "1/2 0.5 0.5M 1M 1]}\n");
  const ValueTable& values = result.history.values();
  const auto first = values.as_list(result.history.value(0)), second = values.as_list(result.history.value(1));
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(first[2], first[3]);
  EXPECT_EQ(second[0], second[1]);
  EXPECT_NE(second[0], second[2]);
  EXPECT_EQ(second[3], second[4]);
  EXPECT_EQ(second[3], second[5]);
  EXPECT_NE(second[6], second[7]);
}

TEST(RegressEdn, SurrogatePairsAreOneCharacter) {
  const ReadHistory result = read(
      "{:process 0, :type :invoke, :f :write, :value [\"\\ud83d\\ude00\" \"\xF0\x9F\x98\x80\" \"\\ud800\" "
      "\"\\udfff\"]}\n");
  const auto items = result.history.values().as_list(result.history.value(0));
  EXPECT_EQ(items[0], items[1]);
  EXPECT_NE(items[2], items[3]);
}

// A write that the quick reader leaves to the strict one was interned, the read of it was not: they never were equal.
TEST(RegressTransactions, ListsInRegistersAreEqualHoweverTheyWereRead) {
  ReadOptions options;
  options.transactions = true;
  for (const char* text : {R"({"process":0,"type":"invoke","f":"txn","value":[["w","y",1.5],["w","x",[2]]]}
{"process":0,"type":"ok","f":"txn","value":[["w","y",1.5],["w","x",[2]]]}
{"process":0,"type":"invoke","f":"txn","value":[["r","x",null]]}
{"process":0,"type":"ok","f":"txn","value":[["r","x",[2]]]}
)",
                           R"({:process 0, :type :invoke, :f :txn, :value [[:w :x #{2}]]}
{:process 0, :type :ok, :f :txn, :value [[:w :x #{2}]]}
{:process 0, :type :invoke, :f :txn, :value [[:r :x nil]]}
{:process 0, :type :ok, :f :txn, :value [[:r :x [2]]]}
)"}) {
    const History h = std::move(read(text, options).history);
    const ValueTable& values = h.values();
    EXPECT_EQ(values.as_list(values.as_list(h.value(1)).back())[2], values.as_list(values.as_list(h.value(3))[0])[2])
        << text;
  }
}

TEST(JsonLines, EmptyFilesAreRefused) {
  EXPECT_THAT(refused(""), HasSubstr("no events"));
  EXPECT_THAT(refused(" \n\r\n"), HasSubstr("no events"));
  EXPECT_THAT(refused("[]"), HasSubstr("no events"));
}

TEST(JsonLines, TornEnd) {
  const std::string good = R"({"process":0,"type":"invoke","f":"read"})"
                           "\n";
  const std::string torn = good + R"({"process":0,"type":"ok","f)";
  EXPECT_THAT(refused(torn), HasSubstr("h:2:"));
  ReadOptions tolerant;
  tolerant.tolerate_torn_end = true;
  const auto result = read(torn, tolerant);
  EXPECT_EQ(result.history.size(), 1u);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_THAT(result.notes[0], HasSubstr("line, 2, breaks off"));
  EXPECT_THAT(refused(torn + "\n" + good, tolerant), HasSubstr("h:2:"));
  // A whole last line without its line end is read.
  EXPECT_EQ(read(good + R"({"process":0,"type":"ok","f":"read"})", tolerant).history.size(), 2u);
}

TEST(JsonLines, WhatIsWrittenReadsBackTheSame) {
  const std::string text =
      R"({"index":0,"time":10,"process":3,"type":"invoke","f":"cas","key":"k7","value":[1,2]})"
      "\n"
      R"({"index":1,"time":12,"process":"nemesis","type":"info","f":"partition","value":{"n1":["n2"]}})"
      "\n"
      R"({"index":5,"time":15,"process":3,"type":"info","f":"cas","key":"k7","value":[1,2],"error":{"kind":"timeout","message":"5 s\n"}})"
      "\n"
      R"({"index":6,"process":"bob","type":"invoke","f":"read","key":7})"
      "\n";
  const auto h = read(text).history;
  std::string out;
  for (EventIndex e = 0; e < h.size(); ++e) append_event_jsonl(out, h, e);
  EXPECT_EQ(out, text);
}

TEST(Independent, TakesTuplesApart) {
  ReadOptions independent;
  independent.independent = true;
  const std::string lines = R"({"process":0,"type":"invoke","f":"cas","value":["x",[1,2]]})"
                            "\n"
                            R"({"process":"nemesis","type":"info","f":"kill","value":["n1","n2"]})"
                            "\n"
                            R"({"process":0,"type":"info","f":"cas","value":"timeout"})"
                            "\n";
  const auto h = read(lines, independent).history;
  EXPECT_EQ(h.values().to_json(h.key(0)) + h.values().to_json(h.value(0)), "\"x\"[1,2]");
  EXPECT_EQ(h.key(2), h.key(0));
  EXPECT_EQ(h.values().to_json(h.value(1)), R"(["n1","n2"])");
  EXPECT_EQ(read(lines).history.key(0), kAbsent);
  EXPECT_THAT(refused(R"({"process":0,"type":"invoke","f":"read"})", independent), HasSubstr("[key value]"));
}

TEST(ElleJson, ReadsArraysAndObjectsOverSeveralLines) {
  const std::string one =
      "{\"index\":0,\"type\":\"invoke\",\"process\":1,\"f\":\"txn\",\n \"value\":[[\"append\",9,1],[\"r\",9,null]]}";
  const std::string two =
      "{\"index\":1,\"type\":\"ok\",\"process\":1,\"f\":\"txn\",\"value\":[[\"append\",9,1],[\"r\",9,[1]]]}";
  const std::string expected = "1 txn [[\"append\",9,1],[\"r\",9,null]] -> ok [[\"append\",9,1],[\"r\",9,[1]]]\n";
  const auto array = read("[" + one + ",\n" + two + "]\n");
  EXPECT_EQ(array.format, HistoryFormat::elle_json);
  EXPECT_EQ(described(array.history), expected);
  EXPECT_EQ(described(read(one + "\n" + two).history), expected);
  EXPECT_THAT(refused("[" + one + "\n" + two + "]"), HasSubstr("h:3:1: ',' or ']' was expected"));
  EXPECT_THAT(refused("[" + one), HasSubstr("before the ']'"));
  EXPECT_THAT(refused("[" + one + ",\n{\"type\":7}]"), HasSubstr("h:3:9: the type"));
}

TEST(Edn, MapALineVectorAndList) {
  const std::string maps =
      "{:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}\n"
      "{:process 0, :type :ok, :f :write, :value 3 :time 6, :index 1}\n";
  for (const std::string& text :
       {maps, "[" + maps + "]", "(" + maps + ")\n", "#jepsen.history.DenseHistory [" + maps + "]"}) {
    const auto result = read(text);
    EXPECT_EQ(result.format, HistoryFormat::edn);
    EXPECT_EQ(described(result.history), "0 write 3 -> ok\n");
    EXPECT_EQ(result.history.time(1), 6);
  }
}

TEST(Edn, RecordsCommentsAndOddForms) {
  const auto h = read(
                     "; a history\n"
                     "#jepsen.history.Op{:index 0, :time 1, :type :invoke, :process 0, :f :add, :value #{3 1 2}}\n"
                     "#_{:type :invoke :process 9 :f :never}\n"
                     "#jepsen.history.Op{:index 1, :type :ok, :process 0, :f \"add\", :value [1/2 6/3 7N 1.5M 0x10 \\a "
                     "\\newline ns/sym :k/w \"s\\\"q\" "
                     "##Inf #inst \"2020\" ^{:m 1} {:a nil} #:b{:c true} 123456789012345678901234567890]}\n"
                     "{:type :info, :process :nemesis, :f :start, :value \"Cut off {:n1 #{:n2}}\" :exception "
                     "#object[Foo 0x1 \"bar\"]}\n")
                     .history;
  EXPECT_EQ(h.values().to_json(h.value(0)), "[1,2,3]");
  EXPECT_EQ(
      h.values().to_json(h.value(1)),
      R"([0.5,2,7,1.5,16,"a","\n","ns/sym","k/w","s\"q",null,"2020",{"a":null},{"b/c":true},123456789012345678901234567890])");
  EXPECT_EQ(h.process(2), kNemesis);
}

TEST(Edn, ErrorsAndTimeOuts) {
  const auto h =
      read(
          "{:process 1 :type :invoke :f :read :value nil}\n{:process 1 :type :info :f :read :value nil :error "
          ":timed-out}\n"
          "{:process 2 :type :invoke :f :read}\n{:process 2 :type :fail :f :read :error [:pg \"no route\"]}\n")
          .history;
  EXPECT_EQ(*h.error(1), (EventError{"timed-out", ""}));
  EXPECT_EQ(*h.error(3), (EventError{"pg", "no route"}));
}

TEST(Edn, IndependentTuples) {
  const std::string text =
      "{:process 0 :type :invoke :f :read :value [3 nil]}\n{:process 0 :type :ok :f :read :value [3 1]}";
  ReadOptions independent;
  independent.independent = true;
  EXPECT_EQ(described(read(text, independent).history), "0 read 3 -> ok 1\n");
  EXPECT_EQ(described(read("{:process 0 :type :invoke :f :read :value #jepsen.independent.Tuple[3 nil]}").history),
            "0 read 3 -> info\n");
  EXPECT_EQ(described(read("{:process 0 :type :invoke :f :read :value #clojure.lang.MapEntry [3 nil]}").history),
            "0 read 3 -> info\n");
}

TEST(Edn, ErrorsNameLineColumnAndWhatWasExpected) {
  EXPECT_THAT(refused("{:process 0 :type :invoke :f :w :value 1}\n{:process 0 :type :ok :f :w :value [1 }\n"),
              HasSubstr("h:2:39: a form was expected, found '}'"));
  EXPECT_THAT(refused("[{:process 0 :type :invoke :f :w}"), HasSubstr("before the ']'"));
  EXPECT_THAT(refused("{:process 0 :type :done :f :w}"), HasSubstr("found done"));
  EXPECT_THAT(refused("{:process 0 :type :invoke :f :w"), HasSubstr("no '}' closes the event that begins in line 1"));
  EXPECT_THAT(refused("{:process 0 :type :invoke :f :w :value 1x}"), HasSubstr("a number was expected, found '1x}'"));
  EXPECT_THAT(refused("{:a 1}"), HasSubstr("an event with :type and :process was expected"));
  EXPECT_THAT(refused("(1 2)"), HasSubstr("h:1:2: an event"));
  EXPECT_THAT(refused("{:process 0 :type :invoke :f :w :value " + std::string(2000, '[')), HasSubstr("nested deeper"));
}

TEST(JepsenLog, ReadsTheConsole) {
  const auto result = read(
      "INFO  jepsen.core - Worker 3 starting\n"
      "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
      "INFO  jepsen.util - 1 :invoke :cas [1 2]\n"
      "INFO  jepsen.util - :nemesis :info :start Cut off {n1 [n2\n"
      "2018-05-01 12:00:00,1{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:fail\t:cas\t[1 2]\t[:not \"1\"]\r\n"
      "INFO  jepsen.util - 0\t:info\t:read\t:timed-out\n");
  EXPECT_EQ(result.format, HistoryFormat::jepsen_log);
  const History& h = result.history;
  EXPECT_EQ(described(h), "0 read -> info\n1 cas [1,2] -> fail\n");
  EXPECT_EQ(h.error(4)->kind, "timed-out");
  EXPECT_EQ(*h.error(3), (EventError{"not", "1"}));
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_THAT(refused("INFO  jepsen.util - 0\t:invoke\t:write\t[1\n"), HasSubstr("h:1:38: no ']' closes"));
  EXPECT_THAT(refused("INFO  jepsen.util - 0\t:invokes\t:write\t1\n"), HasSubstr("h:1:23: the type"));
}

TEST(Porcupine, ReadsKvLogs) {
  const auto result = read(
      "{:process 0, :type :invoke, :f :append, :key \"3\", :value \"x 0 0 y\"}\n"
      "{:process 0, :type :ok, :f :append, :key \"3\", :value \"x 0 0 y\"}\n");
  EXPECT_EQ(result.format, HistoryFormat::porcupine);
  EXPECT_EQ(described(result.history), "0 append \"3\" \"x 0 0 y\" -> ok\n");
}

TEST(Formats, AreFoundByNameOrRefused) {
  EXPECT_EQ(*find_history_format("edn"), HistoryFormat::edn);
  EXPECT_THAT(find_history_format("end").error().message, HasSubstr("did you mean \"edn\""));
  EXPECT_THAT(refused("hello world\n"),
              HasSubstr("h:1: is no history of a known format: it begins with \"hello world\""));
  EXPECT_THAT(refused(std::string("\xFF\xFE{\0", 4)), HasSubstr("UTF-16"));
}

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "ordeal-reader-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

// Both ways of reading, one thread and several, stop at the limits and say why.
TEST(Limits, EndTheReading) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    const std::string process = std::to_string(i % 9), value = std::to_string(i);
    text += R"({"process":)" + process + R"(,"type":"invoke","f":"write","value":)" + value + "}\n";
    text += R"({"process":)" + process + R"(,"type":"ok","f":"write","value":)" + value + "}\n";
  }
  std::stop_source stop;
  stop.request_stop();
  for (const unsigned threads : {1u, 2u}) {
    ReadOptions options;
    options.threads = threads;
    options.parallel_from = 1 << 20;
    options.limits = Limits({}, 0, stop.get_token());
    auto found = read_history(text, "h", options);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::cancelled);
    EXPECT_EQ(found.error().message, "stopped on request while h was being read");
    options.limits = Limits(std::chrono::milliseconds(1), 0);
    found = read_history(text, "h", options);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message, "the time limit was reached while h was being read");
    options.limits = Limits({}, 1 << 20);
    found = read_history(text, "h", options);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().message, "the memory limit was reached while h was being read");
    options.limits = Limits(std::chrono::minutes(5), std::size_t{1} << 40);
    EXPECT_TRUE(read_history(text, "h", options));
  }
}

TEST_F(FileTest, MissingFilesFoldersAndGzip) {
  EXPECT_EQ(read_history_file((folder_ / "none").string()).error().code, ErrorCode::not_found);
  EXPECT_THAT(read_history_file(folder_.string()).error().message, HasSubstr("is a directory"));
  const std::string packed = (folder_ / "h.jsonl.gz").string();
  gzFile file = gzopen(packed.c_str(), "wb");
  gzputs(file, "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n");
  gzclose(file);
  const auto unpacked = read_history_file(packed);
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  EXPECT_EQ(unpacked->history.size(), 1u);
  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) - 9);
  EXPECT_THAT(read_history_file(packed).error().message, HasSubstr("gzip"));
}

// As `zstd` writes them: two frames, a frame to be skipped before them, and what breaks off, is damaged or too large.
TEST_F(FileTest, Zstd) {
  const std::string path = (folder_ / "h.jsonl.zst").string();
  const auto packed = [](const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
  };
  const auto read_back = [&](const std::string& bytes, const ReadOptions& options = {}) {
    std::ofstream(path, std::ios::binary) << bytes;
    return read_history_file(path, options);
  };
  const std::string invoke = packed("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n");
  const std::string ok = packed("{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1}\n");
  const std::string skipped("\x50\x2A\x4D\x18\x02\0\0\0ab", 10);
  for (const std::string& whole : {invoke + ok, skipped + invoke + ok}) {
    const auto read = read_back(whole);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->history.size(), 2u);
  }
  // What fills the room for it to the last byte.
  const std::string line = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n";
  const auto full = read_back(packed(line + std::string((1u << 20) - line.size(), '\n')));
  ASSERT_TRUE(full) << full.error().message;
  for (std::size_t size = 4; size < (invoke + ok).size(); ++size) {
    if (size == invoke.size()) continue;  // one whole frame
    const auto broken = read_back((invoke + ok).substr(0, size));
    ASSERT_FALSE(broken) << size;
    EXPECT_EQ(broken.error().code, ErrorCode::input);
    EXPECT_THAT(broken.error().message, HasSubstr("zstd file")) << size;
  }
  EXPECT_THAT(read_back(invoke + "more").error().message, HasSubstr("the zstd file is damaged"));
  ReadOptions bounded;
  bounded.limits = Limits({}, std::size_t{64} << 20);
  const auto bomb = read_back(packed(std::string(std::size_t{160} << 20, ' ')), bounded);
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code, ErrorCode::cancelled) << bomb.error().message;
}

TEST_F(FileTest, WriterReportsAFullDisk) {
  const auto h = read(R"({"process":0,"type":"invoke","f":"read"})").history;
  const std::string path = (folder_ / "out.jsonl").string();
  ASSERT_TRUE(write_history_jsonl(h, path));
  EXPECT_EQ(read_history_file(path)->history.size(), 1u);
  const auto full = write_history_jsonl(h, "/dev/full");
  ASSERT_FALSE(full);
  EXPECT_THAT(full.error().message, HasSubstr("No space left"));
}

TEST(SharedData, EveryFileIsRead) {
  const char* given = std::getenv("ORDEAL_SHARED_DATA");
  const std::filesystem::path data = given != nullptr ? given : ORDEAL_SHARED_DATA_DIR;
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no shared histories at " << data;
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".edn" && extension != ".log" && extension != ".jsonl") continue;
    ++files;
    const auto result = read_history_file(entry.path().string());
    if (entry.path().filename().string().starts_with("bad-")) {
      EXPECT_FALSE(result) << entry.path();
      continue;
    }
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_FALSE(result->history.operations().empty());
  }
  EXPECT_GT(files, 100);
}

}  // namespace
}  // namespace ordeal
