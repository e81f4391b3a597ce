#include "targets/process/conformance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/value.h"
#include "targets/process/sample_requests.h"

namespace ordeal {
namespace {

using ::testing::HasSubstr;

std::vector<ConformanceCase> tried(const std::string& mistake, std::vector<std::string> only = {}) {
  ConformanceSetup setup;
  setup.timeout = std::chrono::seconds(60);  // an interpreter on a busy machine
  setup.adapter.words = {"python3", POLITE_ADAPTER, mistake};
  setup.only = std::move(only);
  const auto cases = conformance(setup);
  EXPECT_TRUE(cases) << cases.error().message;
  return cases ? *cases : std::vector<ConformanceCase>{};
}

std::vector<std::string> failed(const std::vector<ConformanceCase>& cases) {
  std::vector<std::string> out;
  for (const auto& one : cases) {
    if (one.outcome == ConformanceCase::Outcome::failed) out.push_back(one.name);
  }
  return out;
}

TEST(Conformance, APoliteAdapterPassesEverything) {
  const auto cases = tried("");
  for (const auto& one : cases) {
    EXPECT_EQ(name(one.outcome), "passed") << one.name << ": " << one.what << " " << one.said;
  }
  EXPECT_EQ(cases.size(), 13u);
  EXPECT_THAT(cases[0].what, HasSubstr("operations read, write and cas; 10 clients"));
  EXPECT_EQ(cases[4].what, "write ok, read ok, cas ok, cas fail");
}

TEST(Conformance, EachMistakeIsFoundAndToldWithWhatTheAdapterSaid) {
  struct Mistake {
    const char* name;
    const char* found_by;
    const char* what;
    const char* said;
  };
  const Mistake kMistakes[] = {{"any-version", "other-version", "error kind protocol", "operations"},
                               {"members", "unknown-members", "as without it", "fail"},
                               {"greeting", "silence", "", "hello"},
                               {"chatter", "silence", "one line to one request", "{}"},
                               {"no-value", "operations of register", "ok without a \"value\"", "ok"},
                               {"type", "operations of register", "must be ok, fail or info", "done"},
                               {"error", "operations of register", "must be an object", "no"},
                               {"id", "operations of register", "must have the id 42", "1"},
                               {"not-json", "operations of register", "a JSON object", "ok"},
                               {"unknown-ok", "unknown-operation", "answered with fail", "ok"},
                               {"unknown-exit", "unknown-operation", "its output ended", "exited with status 3"},
                               {"no-open", "open", "no client could be opened, of register", ""},
                               {"slow-open", "nobody-there", "no reply in time", ""},
                               {"client-id", "several-clients", "the id", ""},
                               {"close-all", "several-clients", "the others go on", "exited with status 0"},
                               {"close", "close", "type ok", "info"},
                               {"stays", "end-of-input", "must end", "nothing more"},
                               {"garbage-hangs", "garbage", "neither ends nor answers", "nothing more"},
                               {"garbage-ok", "garbage", "must not be answered with ok", "ok"},
                               {"no-operations", "describe", "a list of names", "protocol"}};
  for (const Mistake& mistake : kMistakes) {
    const auto cases = tried(mistake.name, {mistake.found_by});
    const ConformanceCase* found = nullptr;
    for (const auto& one : cases) {
      if (one.name == mistake.found_by) found = &one;
    }
    ASSERT_NE(found, nullptr) << mistake.name;
    EXPECT_EQ(name(found->outcome), "failed") << mistake.name;
    EXPECT_THAT(found->what, HasSubstr(mistake.what)) << mistake.name;
    EXPECT_LE(found->said.size(), 2000u);
    EXPECT_THAT(found->said, HasSubstr(mistake.said)) << mistake.name;
  }
}

TEST(Conformance, OneThatServesOneClientIsNotAskedForMore) {
  const auto cases = tried("one-client");
  EXPECT_TRUE(failed(cases).empty());
  EXPECT_EQ(std::count_if(cases.begin(), cases.end(),
                          [](const auto& one) { return one.outcome == ConformanceCase::Outcome::skipped; }),
            1);
}

TEST(Conformance, WhatCannotBeStartedIsWrongUsage) {
  ConformanceSetup setup;
  setup.adapter.words = {"/nonexistent/adapter"};
  const auto cases = conformance(setup);
  ASSERT_FALSE(cases);
  EXPECT_EQ(cases.error().code, ErrorCode::usage);
}

TEST(SampleRequests, AreOfTheVocabulary) {
  std::map<std::string, int> types;
  for (const SampleType& type : sample_types()) {
    EXPECT_EQ(types[type.data_type]++, 0) << type.data_type;
    for (const SampleRequest& request : type.requests) EXPECT_TRUE(Value::from_json(request.value)) << request.value;
  }
  EXPECT_EQ(samples_of({"read"}).size(), 0u);
  EXPECT_EQ(samples_of({"read", "write"}).front().requests.size(), 2u);
  EXPECT_EQ(without_sample({"write", "dance"}), std::vector<std::string>{"dance"});
}

}  // namespace
}  // namespace ordeal
