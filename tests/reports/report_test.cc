#include "reports/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/base64.h"
#include "reports/columns.h"
#include "reports/facts.h"
#include "tests/reports/synthetic.h"

namespace ordeal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A folder of the test's own, removed when it ends.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-report-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Python's parser judges the XML: it refuses what is not well formed.
int parse_xml(const std::string& xml) {
  Folder folder;
  const auto file = folder.path / "junit.xml";
  std::ofstream(file, std::ios::binary) << xml;
  const std::string command =
      "python3 -c 'import sys, xml.etree.ElementTree as e; r = e.parse(sys.argv[1]).getroot();"
      "c = list(r.iter(\"testcase\")); s = r[0];"
      "assert int(s.get(\"tests\")) == len(c);"
      "assert int(s.get(\"failures\")) == len(list(r.iter(\"failure\")));"
      "assert int(s.get(\"errors\")) == len(list(r.iter(\"error\")));"
      "assert int(s.get(\"skipped\")) == len(list(r.iter(\"skipped\")))' " +
      file.string();
  return std::system(command.c_str());
}

TEST(HtmlReport, SameInputSameBytes) {
  const auto run = synthetic_run();
  EXPECT_EQ(html_report(run.input), html_report(synthetic_run().input));
}

TEST(HtmlReport, SaysTheVerdictWithoutScripts) {
  const std::string page = html_report(synthetic_run().input);
  EXPECT_THAT(page, HasSubstr("<h1 id=\"verdict-word\">Anomaly</h1>"));
  EXPECT_THAT(page, HasSubstr("A read returned 3, which a completed write had replaced"));
  EXPECT_THAT(page, HasSubstr("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\""));
  EXPECT_THAT(page, HasSubstr("class=\"diagram\""));
  EXPECT_THAT(page, HasSubstr("--seed 42"));
  EXPECT_THAT(page, HasSubstr("n1 cannot reach n3: 2 of 2 probes timed out"));
}

TEST(HtmlReport, AllowsNoNetworkAndNoForeignScript) {
  const std::string page = html_report(synthetic_run().input);
  EXPECT_THAT(page, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe-inline")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(page, Not(HasSubstr(" style=")));
}

TEST(HtmlReport, HostileDataNeverBecomesMarkup) {
  SyntheticOptions options;
  options.hostile = true;
  for (const Verdict verdict : {Verdict::valid, Verdict::invalid, Verdict::unknown}) {
    options.verdict = verdict;
    const std::string page = html_report(synthetic_run(options).input);
    EXPECT_THAT(page, Not(HasSubstr("<img")));
    EXPECT_THAT(page, Not(HasSubstr("<svg onload")));
    EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
    EXPECT_THAT(page, Not(HasSubstr("\xff")));
    // Two scripts of ours: the data and the code.
    std::size_t scripts = 0;
    for (std::size_t at = page.find("<script"); at != std::string::npos; at = page.find("<script", at + 1)) ++scripts;
    EXPECT_EQ(scripts, 2u);
  }
}

TEST(HtmlReport, ABareHistoryIsEnough) {
  SyntheticOptions options;
  options.faults = false;
  options.times = false;
  const auto run = synthetic_run(options);
  ReportInput bare;
  bare.history = run.history.get();
  const std::string page = html_report(bare);
  EXPECT_THAT(page, HasSubstr("Unknown"));
  EXPECT_THAT(page, HasSubstr("The history has no times"));
  EXPECT_THAT(page, Not(HasSubstr("id=\"faults\"")));
  const History empty;
  bare.history = &empty;
  EXPECT_THAT(html_report(bare), HasSubstr("The history has no operation of a client."));
}

// A run that was cut short said "Holds linearizable" beside "Unknown": nobody knows of the rest.
TEST(RegressHtmlReport, AnUnknownRunHoldsNothingButSoFar) {
  SyntheticOptions options;
  options.verdict = Verdict::valid;
  auto run = synthetic_run(options);
  ASSERT_FALSE(run.input.results.empty());
  EXPECT_THAT(html_report(run.input), AllOf(HasSubstr(">Holds<"), Not(HasSubstr("Holds so far"))));
  run.input.verdict = Verdict::unknown;
  EXPECT_THAT(html_report(run.input), AllOf(HasSubstr("Holds so far"), Not(HasSubstr(">Holds<"))));
}

TEST(HtmlReport, FilesAreWrittenWhole) {
  Folder folder;
  const auto run = synthetic_run();
  const auto anomalies = folder.path / "anomalies";
  ASSERT_TRUE(write_html_report(run.input, folder.path / "report.html", anomalies));
  EXPECT_EQ(read(folder.path / "report.html"), html_report(run.input));
  EXPECT_THAT(read(anomalies / "1-nonlinearizable.dot"), HasSubstr("digraph"));
  EXPECT_THAT(read(anomalies / "1-nonlinearizable.svg"), HasSubstr("</svg>"));
  EXPECT_FALSE(std::filesystem::exists(folder.path / "report.html.part"));
  const auto failed = write_html_report(run.input, folder.path / "none" / "report.html", "");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::io);
}

TEST(JUnit, WellFormedWhateverTheDataHolds) {
  SyntheticOptions options;
  options.hostile = true;
  for (const Verdict verdict : {Verdict::valid, Verdict::invalid, Verdict::unknown}) {
    options.verdict = verdict;
    EXPECT_EQ(parse_xml(junit_xml(synthetic_run(options).input)), 0) << name(verdict);
  }
}

// The children of the test case of that name, in a suite's XML; "none": there is no such case.
std::string inside_case(const std::string& xml, const std::string& title) {
  const std::size_t begin = xml.find("name=\"" + title + "\"");
  if (begin == std::string::npos) return "none";
  const std::size_t end = xml.find('>', begin);
  if (xml[end - 1] == '/') return "";
  return xml.substr(end + 1, xml.find("</testcase>", end) - end - 1);
}
std::size_t occurrences(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

// The case named "verdict" alone decides for whoever looks at one case; the sums for whoever looks at the suite. That
// of the checker has what it found, and a checker that found nothing stays green.
TEST(JUnit, GreenExactlyWhenValid) {
  SyntheticOptions options;
  options.verdict = Verdict::valid;
  const std::string valid = junit_xml(synthetic_run(options).input);
  EXPECT_EQ(inside_case(valid, "verdict"), "");
  EXPECT_EQ(inside_case(valid, "linearizable cas-register linearizable"), "");
  EXPECT_THAT(valid, HasSubstr("failures=\"0\" errors=\"0\""));
  EXPECT_THAT(valid, Not(HasSubstr("<failure")));
  EXPECT_THAT(valid, Not(HasSubstr("<error")));
  EXPECT_THAT(valid, HasSubstr("<skipped type=\"unconfirmed\""));

  options.verdict = Verdict::invalid;
  const std::string invalid = junit_xml(synthetic_run(options).input);
  EXPECT_THAT(inside_case(invalid, "verdict"), HasSubstr("<failure type=\"invalid\""));
  EXPECT_THAT(inside_case(invalid, "linearizable cas-register linearizable"),
              HasSubstr("<failure type=\"nonlinearizable\""));
  EXPECT_EQ(inside_case(invalid, "stats"), "");
  EXPECT_EQ(occurrences(invalid, "failures=\"2\" errors=\"0\""), 2u) << "of the suite and of all suites";

  options.verdict = Verdict::unknown;
  const std::string unknown = junit_xml(synthetic_run(options).input);
  EXPECT_THAT(inside_case(unknown, "verdict"), HasSubstr("<error type=\"unknown\""));
  EXPECT_THAT(inside_case(unknown, "linearizable cas-register linearizable"), HasSubstr("<error type=\"unknown\""));
  EXPECT_EQ(occurrences(unknown, "failures=\"0\" errors=\"2\""), 2u);

  auto failed = synthetic_run(options);
  failed.input.failure = "n2 is gone";
  const std::string xml = junit_xml(failed.input);
  EXPECT_THAT(inside_case(xml, "run"), HasSubstr("<error type=\"failed\" message=\"n2 is gone\""));
  EXPECT_EQ(occurrences(xml, "errors=\"3\""), 2u);
}

// The run as a whole is invalid or unknown for a reason that no checker has (a node that did not come back, a run that
// was cut short): the checkers' cases are green, the verdict's is not.
TEST(JUnit, TheVerdictIsThatOfTheRun) {
  SyntheticOptions options;
  options.verdict = Verdict::valid;
  auto run = synthetic_run(options);
  run.input.verdict = Verdict::invalid;
  EXPECT_THAT(inside_case(junit_xml(run.input), "verdict"), HasSubstr("<failure"));
  EXPECT_EQ(occurrences(junit_xml(run.input), "failures=\"1\" errors=\"0\""), 2u);
  run.input.verdict = Verdict::unknown;
  run.input.reason = "interrupted";
  EXPECT_THAT(inside_case(junit_xml(run.input), "verdict"),
              HasSubstr("<error type=\"unknown\" message=\"Interrupted.\""));
  EXPECT_EQ(occurrences(junit_xml(run.input), "failures=\"0\" errors=\"1\""), 2u);
}

// Three ok, two failed, four info: each number stands where it belongs, on the page and in the results.
TEST(Outcomes, AreCountedAsWhatTheyWere) {
  HistoryBuilder builder;
  ProcessId process = 0;
  const auto operation = [&](const char* f, EventType outcome) {
    for (const EventType type : {EventType::invoke, outcome}) {
      Event e;
      e.process = process;
      e.type = type;
      e.f = *builder.function(f);
      ASSERT_TRUE(builder.add(e));
    }
    ++process;
  };
  for (const auto& [outcome, reads, writes] :
       {std::tuple{EventType::ok, 1, 2}, {EventType::fail, 2, 0}, {EventType::info, 1, 3}}) {
    for (int i = 0; i < reads; ++i) operation("read", outcome);
    for (int i = 0; i < writes; ++i) operation("write", outcome);
  }
  Event open;
  open.process = process;
  open.f = *builder.function("write");
  ASSERT_TRUE(builder.add(open));  // never completed: nobody knows, as with info
  const History history = builder.finish();
  ReportInput input;
  input.history = &history;
  const Facts facts = facts_of(input);
  EXPECT_EQ(facts.all.ok, 3u);
  EXPECT_EQ(facts.all.fail, 2u);
  EXPECT_EQ(facts.all.info, 5u);
  EXPECT_EQ(facts.all.total(), 10u);
  ASSERT_EQ(facts.by_function.size(), 2u);
  EXPECT_EQ(facts.by_function[0].first, "read");
  EXPECT_EQ(facts.by_function[0].second.ok, 1u);
  EXPECT_EQ(facts.by_function[0].second.fail, 2u);
  EXPECT_EQ(facts.by_function[0].second.info, 1u);
  EXPECT_EQ(facts.by_function[1].first, "write");
  EXPECT_EQ(facts.by_function[1].second.ok, 2u);
  EXPECT_EQ(facts.by_function[1].second.fail, 0u);
  EXPECT_EQ(facts.by_function[1].second.info, 4u);
  const Value operations = *results_value(input).find("operations");
  EXPECT_EQ(operations.find("ok")->integer(), 3);
  EXPECT_EQ(operations.find("fail")->integer(), 2);
  EXPECT_EQ(operations.find("info")->integer(), 5);
}

// The value of a number on the page's first strip.
std::string stat_of(const std::string& page, const std::string& title) {
  const std::size_t at = page.find("<dt>" + title + "</dt>");
  return at == std::string::npos ? "none" : page.substr(at, page.find("</div>", at) - at);
}

// A level stands under "Holds" only when a checker decided it, and under "Ruled out" only when one refuted it.
TEST(HtmlReport, ALevelHoldsOnlyWhenItWasDecided) {
  SyntheticOptions options;
  for (const Verdict verdict : {Verdict::valid, Verdict::invalid, Verdict::unknown}) {
    options.verdict = verdict;
    auto run = synthetic_run(options);
    for (const Verdict whole : {Verdict::valid, Verdict::invalid, Verdict::unknown}) {
      run.input.verdict = whole;
      const std::string page = html_report(run.input);
      const std::string held = whole == Verdict::unknown ? "Holds so far" : "Holds";
      EXPECT_EQ(stat_of(page, held) != "none", verdict == Verdict::valid) << name(verdict);
      EXPECT_EQ(stat_of(page, "Ruled out") != "none", verdict == Verdict::invalid) << name(verdict);
    }
  }
}

// What the page carries, unpacked as the page unpacks it.
struct Packed {
  Value header;
  std::string bytes;

  explicit Packed(const std::string& text) {
    const auto compressed = base64_decode(text);
    EXPECT_TRUE(compressed);
    std::string raw(1 << 20, '\0');
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    std::string input = *compressed;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(raw.data());
    stream.avail_out = static_cast<uInt>(raw.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    raw.resize(stream.total_out);
    inflateEnd(&stream);
    std::size_t length = 0;
    for (std::size_t i = 4; i-- > 0;) length = length << 8 | static_cast<unsigned char>(raw[i]);
    header = *Value::from_json(raw.substr(4, length));
    bytes = raw.substr(4 + length);
  }
  [[nodiscard]] std::string column(const char* name) const {
    const Value& place = *header.find("columns")->find(name);
    return bytes.substr(static_cast<std::size_t>(place.items()[0].integer()),
                        static_cast<std::size_t>(place.items()[1].integer()));
  }
};

TEST(Columns, CarryEachOperationAsItWas) {
  HistoryBuilder builder;
  std::int64_t time = 0;
  const auto add = [&](ProcessId process, EventType type, const char* f, const Value& value) {
    Event e;
    e.process = process;
    e.type = type;
    e.f = *builder.function(f);
    e.value = builder.values().intern(value);
    e.time = time += 5;
    if (type == EventType::fail) e.error = EventError{"refused", "no"};
    ASSERT_TRUE(builder.add(e));
  };
  add(0, EventType::invoke, "write", 7);
  add(0, EventType::ok, "write", 7);
  add(1, EventType::invoke, "read", Value());
  add(1, EventType::fail, "read", Value());
  add(2, EventType::invoke, "read", Value());
  add(2, EventType::info, "read", Value());
  add(3, EventType::invoke, "write", std::string(100'000, 'x'));
  const History history = builder.finish();
  ReportInput input;
  input.history = &history;
  CheckResult result;
  Anomaly anomaly;
  anomaly.type = "stale-read";
  anomaly.operations = {0, 2};
  result.anomalies = {anomaly};
  input.results = {result};
  const Packed packed(packed_operations(input, facts_of(input), facts_of(input).operations));
  EXPECT_EQ(packed.header.find("operations")->integer(), 4);
  EXPECT_EQ(packed.header.find("functions")->to_json(), R"(["write","read"])");
  EXPECT_EQ(packed.header.find("anomalies")->to_json(), R"([{"type":"stale-read","events":[0,2]}])");
  EXPECT_EQ(packed.header.find("cut")->integer(), 1);
  EXPECT_EQ(packed.column("outcome"), std::string({0, 1, 2, 2})) << "ok, fail, info, and one that never ended";
  EXPECT_EQ(packed.column("function"), std::string({0, 1, 1, 0}));
  EXPECT_EQ(packed.column("process"), std::string({0, 2, 4, 6})) << "zigzag";
  EXPECT_EQ(packed.column("time"), std::string({5, 10, 10, 10})) << "since the one before";
  EXPECT_EQ(packed.column("duration"), std::string({6, 6, 6, 0})) << "one more than it took; 0: it never ended";
  EXPECT_EQ(packed.column("completion"), std::string({1, 1, 1, 0}));
  EXPECT_EQ(packed.column("place"), std::string({0, 2, 2, 2}));
  EXPECT_EQ(packed.column("error"), std::string({0, 1, 0, 0}));
  EXPECT_EQ(packed.column("error_bytes"), "refused: no");
  EXPECT_THAT(packed.column("value_bytes"), HasSubstr("7"));
  EXPECT_THAT(packed.column("value_bytes"), HasSubstr("(100,002 bytes)"));
}

// Of a long run the page has a sample, and all around what an anomaly names; it says so.
TEST(Columns, ALongRunIsSampledAroundItsAnomalies) {
  HistoryBuilder builder;
  for (int i = 0; i < 10'000; ++i) {
    for (const EventType type : {EventType::invoke, EventType::ok}) {
      Event e;
      e.process = i % 3;
      e.type = type;
      e.f = *builder.function("write");
      e.value = builder.values().intern(Value(i));
      e.time = 2 * i;
      ASSERT_TRUE(builder.add(e));
    }
  }
  const History history = builder.finish();
  ReportInput input;
  input.history = &history;
  CheckResult result;
  Anomaly anomaly;
  anomaly.operations = {10'001};  // the completion of the operation invoked at 10,000
  result.anomalies = {anomaly};
  input.results = {result};
  const Facts facts = facts_of(input);
  EXPECT_EQ(operations_for_page(input, facts, 10'000).size(), 10'000U);
  EXPECT_EQ(page_note(10'000, 10'000), "");
  // Never more than asked for, however much is around the anomalies.
  EXPECT_LE(operations_for_page(input, facts, 100).size(), 100U);
  const auto some = operations_for_page(input, facts, 1000);
  EXPECT_GT(some.size(), 500U);
  EXPECT_LE(some.size(), 700U);
  EXPECT_EQ(some.front().invocation, 0U);
  EXPECT_GT(some.back().invocation, 19'900U);
  for (EventIndex e = 10'000 - 198; e <= 10'000 + 198; e += 2) {
    EXPECT_TRUE(std::any_of(some.begin(), some.end(), [&](OperationEvents op) { return op.invocation == e; })) << e;
  }
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end(),
                             [](OperationEvents a, OperationEvents b) { return a.invocation < b.invocation; }));
  const Packed packed(packed_operations(input, facts, some));
  EXPECT_EQ(packed.header.find("operations")->integer(), static_cast<std::int64_t>(some.size()));
  EXPECT_EQ(packed.header.find("of")->integer(), 10'000);
  EXPECT_THAT(page_note(some.size(), 10'000), HasSubstr("of 10,000 operations: a sample at equal distances"));
}

// Of several checkers the one that could not decide is named in the sentence.
TEST(HtmlReport, AnUnknownRunSaysWhichCheckerCouldNotDecide) {
  SyntheticOptions options;
  options.verdict = Verdict::unknown;
  auto run = synthetic_run(options);
  run.input.reason.clear();
  run.input.results[0].reason = "out of time";
  EXPECT_EQ(verdict_sentence(run.input, facts_of(run.input)), "Linearizable: out of time.");
  run.input.results[0].reason.clear();
  EXPECT_EQ(verdict_sentence(run.input, facts_of(run.input)), "No checker could decide.");
}

// "No reads while partitioned" is said of confirmed faults only.
TEST(Limits, WhatNeverSucceededUnderAFaultIsNamed) {
  for (const bool confirmed : {true, false}) {
    HistoryBuilder builder;
    std::int64_t time = 0;
    const auto add = [&](ProcessId process, EventType type, const char* f, const Value& value) {
      Event e;
      e.process = process;
      e.type = type;
      e.f = *builder.function(f);
      e.value = builder.values().intern(value);
      e.time = time += 10;
      ASSERT_TRUE(builder.add(e));
    };
    const auto step = [&](const char* what) {
      add(kNemesis, EventType::info, "kill", Value::map({{"id", 1}, {"step", what}}));
    };
    add(0, EventType::invoke, "read", Value());
    add(0, EventType::ok, "read", 1);
    step("inject");
    step("injected");
    if (confirmed) step("confirmed");
    add(1, EventType::invoke, "write", 1);
    add(1, EventType::ok, "write", 1);
    step("heal");
    step("healed");
    step("recovered");
    const History history = builder.finish();
    ReportInput input;
    input.history = &history;
    const auto limits = limits_of(input, facts_of(input));
    EXPECT_EQ(std::count(limits.begin(), limits.end(), "No read succeeded while a kill was in force."),
              confirmed ? 1 : 0);
    EXPECT_EQ(std::count(limits.begin(), limits.end(), "No write succeeded while a kill was in force."), 0);
    // A fault that was confirmed in the first nanosecond was confirmed.
    Facts facts = facts_of(input);
    ASSERT_EQ(facts.faults.size(), 1u);
    facts.faults[0].confirmed_ns = 0;
    const auto at_once = limits_of(input, facts);
    EXPECT_EQ(std::count(at_once.begin(), at_once.end(), "No read succeeded while a kill was in force."), 1);
  }
}

TEST(HtmlReport, FaultsInjectedAreNotCalledConfirmed) {
  HistoryBuilder builder;
  std::int64_t time = 0;
  const auto step = [&](const char* f, int id, const char* what) {
    Event e;
    e.time = time += 10;
    e.process = kNemesis;
    e.type = EventType::info;
    e.f = *builder.function(f);
    e.value = builder.values().intern(Value::map({{"id", id}, {"step", what}}));
    ASSERT_TRUE(builder.add(e));
  };
  for (int id = 1; id <= 7; ++id) {
    const char* kind = id <= 3 ? "kill" : "pause";
    for (const char* what : {"inject", "injected"}) step(kind, id, what);
    if (id == 1 || id == 4 || id == 5) step(kind, id, "confirmed");
  }
  const History history = builder.finish();
  ReportInput input;
  input.history = &history;
  const std::string shown = stat_of(html_report(input), "Faults confirmed");
  EXPECT_THAT(shown, HasSubstr("3 <span class=\"of\">of 7</span>"));
  EXPECT_THAT(shown, HasSubstr("kill 1/3"));
  EXPECT_THAT(shown, HasSubstr("pause 2/4"));
}

TEST(Results, ReadableAndComplete) {
  const auto run = synthetic_run();
  const auto value = Value::from_json(results_value(run.input).to_json());
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(value->find("verdict")->string(), "invalid");
  EXPECT_EQ(value->find("operations")->find("total")->integer(), 2000);
  EXPECT_EQ(value->find("checks")->items().size(), 2u);
  EXPECT_EQ(value->find("faults")->items().size(), 9u);
  EXPECT_EQ(value->find("fault_kinds")->find("pause")->find("confirmed")->integer(), 3);
  EXPECT_EQ(value->find("fault_kinds")->find("kill")->find("confirmed")->integer(), 2);
}

TEST(Facts, FaultsCanBeReadFromTheHistory) {
  Value inject = Value::map({{"id", 7}, {"step", "inject"}, {"nodes", Value::list({"n1"})}, {"fault", "all"}});
  Value confirmed = Value::map({{"id", 7}, {"step", "confirmed"}, {"evidence", "gone"}});
  HistoryBuilder builder;
  std::int64_t time = 10;
  for (const Value* value : {&inject, &confirmed}) {
    Event e;
    e.time = time += 5;
    e.process = kNemesis;
    e.type = EventType::info;
    e.f = *builder.function("kill");
    e.value = builder.values().intern(*value);
    ASSERT_TRUE(builder.add(e));
  }
  const History history = builder.finish();
  const auto faults = faults_in(history);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].fault, "kill");
  EXPECT_EQ(faults[0].inject_ns, 15);
  EXPECT_EQ(faults[0].confirmed_ns, 20);
  EXPECT_EQ(faults[0].heal_ns, -1);
  EXPECT_EQ(faults[0].evidence, "gone");
  EXPECT_EQ(in_force(faults[0], 99).to, 99);
}

TEST(Facts, OffsetsOfClocksAreReadFromTheHistoryAndDrawn) {
  const auto measured = [](int id, Value offsets) {
    return Value::map({{"id", id}, {"step", "measured"}, {"values", Value::map({{"offset_s", std::move(offsets)}})}});
  };
  const std::vector<Value> values = {
      Value::map({{"id", 1}, {"step", "inject"}}), measured(1, Value::map({{"n1", 0.25}, {"n3", -3600}})),
      measured(1, Value::map({{"n1", 0.5}})), Value::map({{"id", 2}, {"step", "recovered"}}),
      Value::map({{"id", 1}, {"step", "recovered"}})};
  HistoryBuilder builder;
  std::int64_t time = 0;
  const auto add = [&](ProcessId process, EventType type, const char* f, const Value& value) {
    Event e;
    e.time = time += 10;
    e.process = process;
    e.type = type;
    e.f = *builder.function(f);
    e.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(e));
  };
  add(0, EventType::invoke, "read", Value());
  add(0, EventType::ok, "read", Value(1));
  for (const Value& value : values) add(kNemesis, EventType::info, "clock", value);
  const History history = builder.finish();
  const auto clocks = clocks_in(history);
  ASSERT_EQ(clocks.size(), 5u);
  EXPECT_EQ(clocks[0].node + clocks[1].node + clocks[2].node + clocks[3].node + clocks[4].node, "n1n3n1n1n3");
  EXPECT_EQ(clocks[0].time_ns, 40);
  EXPECT_EQ(clocks[0].offset_ns, 250'000'000);
  EXPECT_EQ(clocks[1].offset_ns, -3'600'000'000'000);
  EXPECT_EQ(clocks[2].offset_ns, 500'000'000);
  EXPECT_EQ(clocks[3].offset_ns, 0);
  EXPECT_EQ(clocks[4].time_ns, 70);
  ReportInput input;
  input.history = &history;
  EXPECT_THAT(html_report(input), HasSubstr("id=\"clock-canvas\""));
}

// From the injection to the healing, its ends included; what began before and was still under way counts as attempted.
TEST(Facts, OperationsUnderAFaultAreCounted) {
  HistoryBuilder builder;
  const auto add = [&](std::int64_t time, ProcessId process, EventType type, const char* f, const Value& value) {
    Event e;
    e.time = time;
    e.process = process;
    e.type = type;
    e.f = *builder.function(f);
    e.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(e));
  };
  const auto fault = [&](std::int64_t time, const char* step) {
    add(time, kNemesis, EventType::info, "kill", Value::map({{"id", 1}, {"step", step}}));
  };
  add(10, 0, EventType::invoke, "read", {});  // over before
  add(20, 0, EventType::ok, "read", 1);
  add(30, 1, EventType::invoke, "read", {});  // under way when it begins
  fault(40, "inject");
  fault(41, "injected");
  fault(42, "confirmed");
  add(50, 1, EventType::ok, "read", 1);
  add(60, 2, EventType::invoke, "read", {});  // fails
  add(70, 2, EventType::fail, "read", {});
  add(80, 3, EventType::invoke, "read", {});  // under way when it ends
  fault(90, "healed");
  add(100, 3, EventType::ok, "read", 1);
  const History history = builder.finish();
  ReportInput input;
  input.history = &history;
  const Value results = results_value(input);
  const Value* kill = results.find("fault_kinds")->find("kill");
  EXPECT_EQ(kill->find("attempted")->integer(), 3);
  EXPECT_EQ(kill->find("succeeded")->integer(), 1);
}

TEST(Facts, WhatWasPlannedInjectedConfirmedAndHealedIsCounted) {
  HistoryBuilder builder;
  std::int64_t time = 0;
  const auto add = [&](const char* f, const Value& value) {
    Event e;
    e.time = time += 10;
    e.process = kNemesis;
    e.type = EventType::info;
    e.f = *builder.function(f);
    e.value = builder.values().intern(value);
    ASSERT_TRUE(builder.add(e));
  };
  add("nemesis", *Value::from_json(R"({"step":"plan","schedule":"random","left_out_by_swarm":["clock"],
                                       "inapplicable":{"files":"no processes"}})"));
  const auto step = [&](const char* f, int id, const char* what) { add(f, Value::map({{"id", id}, {"step", what}})); };
  for (const char* what : {"planned", "inject", "injected", "confirmed", "heal", "healed", "recovered"})
    step("kill", 1, what);
  step("kill", 2, "planned");  // waited until the run ended
  step("kill", 3, "planned");
  add("kill", Value::map({{"id", 3}, {"step", "error"}, {"message", "n1: no process"}}));
  const History history = builder.finish();
  CheckResult recovery;
  recovery.checker = "recovery";
  recovery.details = *Value::from_json(
      R"({"healings":1,"judged":1,"bound_s":9.0,"slowest_fault":1,"slowest_s":1.25,"heals":[{"id":1,"fault":"kill","took_s":1.25,"verdict":"in time"}]})");
  ReportInput input;
  input.history = &history;
  input.results.push_back(recovery);
  input.plan = *Value::from_json(R"({"nemesis":["kill","clock","files"]})");
  const Value results = results_value(input);
  EXPECT_EQ(results.find("fault_kinds")->to_json(),
            R"({"clock":{"planned":0,"injected":0,"confirmed":0,"healed":0,"attempted":0,"succeeded":0},)"
            R"("files":{"planned":0,"injected":0,"confirmed":0,"healed":0,"attempted":0,"succeeded":0},)"
            R"("kill":{"planned":3,"injected":1,"confirmed":1,"healed":1,"attempted":0,"succeeded":0}})")
      << "those of the plan that never came are named as well";
  EXPECT_EQ(results.find("nemesis_plan")->find("schedule")->string(), "random");
  EXPECT_EQ(results.find("recovery")->find("summary")->string(),
            "all nodes served again at most 1.25 s after a healing (fault 1); the bound is 9 s, and 1 of 1 healing "
            "could be judged");
  const std::string limits = results.find("cannot_show")->to_json();
  EXPECT_THAT(limits, HasSubstr("that a majority is left): kill (1 of 3)."));
  EXPECT_THAT(limits, HasSubstr("1 of 2 attempted injections of kill failed: n1: no process."));
  EXPECT_THAT(limits, HasSubstr("the fault clock, but it was never injected: the seed's swarm left it out"));
  EXPECT_THAT(limits, HasSubstr("the fault files, but it was never injected: it does not apply (no processes)"));
  EXPECT_THAT(limits, Not(HasSubstr("The healing of")));
  const std::string page = html_report(input);
  EXPECT_THAT(page, HasSubstr("All nodes served again"));
  EXPECT_THAT(page, HasSubstr("after 1.25 s; in time"));
}

TEST(Facts, FaultsOfOtherToolsArePaired) {
  HistoryBuilder builder;
  std::int64_t time = 0;
  for (const char* f : {"start-partition", "start-partition", "kill", "kill", "start", "start", "stop-partition",
                        "stop-partition", "pause", "pause"}) {
    Event e;
    e.time = time += 10;
    e.process = kNemesis;
    e.type = EventType::info;
    e.f = *builder.function(f);
    ASSERT_TRUE(builder.add(e));
  }
  const History history = builder.finish();
  const auto faults = faults_in(history);
  ASSERT_EQ(faults.size(), 3u);
  EXPECT_EQ(faults[0].fault, "partition");
  EXPECT_EQ(faults[0].inject_ns, 10);
  EXPECT_EQ(faults[0].injected_ns, 20);
  EXPECT_EQ(faults[0].heal_ns, 70);
  EXPECT_EQ(faults[0].healed_ns, 80);
  EXPECT_EQ(faults[1].fault, "kill");
  EXPECT_EQ(faults[1].inject_ns, 30);
  EXPECT_EQ(faults[1].healed_ns, 60);
  EXPECT_EQ(faults[2].fault, "pause");
  EXPECT_EQ(faults[2].healed_ns, -1);
  EXPECT_EQ(faults[2].confirmed_ns, -1);
}

TEST(HtmlReport, ThousandsOfAnomaliesAreListedNotDrawn) {
  Folder folder;
  auto run = synthetic_run();
  const Anomaly one = run.input.results[0].anomalies[0];
  run.input.results[0].anomalies.assign(3000, one);
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(write_html_report(run.input, folder.path / "report.html", folder.path / "anomalies"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  const auto files = std::distance(std::filesystem::directory_iterator(folder.path / "anomalies"), {});
  EXPECT_EQ(files, 100 + 12);
  EXPECT_THAT(read(folder.path / "report.html"),
              AllOf(HasSubstr("2,988 more"), HasSubstr("3,000 anomalies were found")));
}

TEST(Limits, SayWhatWasNotSeen) {
  const auto run = synthetic_run();
  ReportInput input = run.input;
  input.plan = Value::map({{"nemesis", Value::list({"partition", "clock"})}});
  const auto limits = limits_of(input, facts_of(input));
  EXPECT_THAT(limits, ::testing::Contains(HasSubstr("1 of 3 injections of kill could not be confirmed")));
  EXPECT_THAT(limits, ::testing::Contains(HasSubstr("fault clock, but it was never injected")));
  EXPECT_THAT(limits, Not(::testing::Contains(HasSubstr("partition, but"))));
}

}  // namespace
}  // namespace ordeal
