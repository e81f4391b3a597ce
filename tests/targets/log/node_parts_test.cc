// Parts of a node without a cluster: frames between nodes, requests as commands, options.

#include <gtest/gtest.h>

#include <fstream>

#include "base/rng.h"
#include "support/program.h"
#include "targets/log/server/node/frames.h"
#include "targets/log/server/node/options.h"
#include "targets/log/server/node/requests.h"

namespace ordeal::log::node {
namespace {

TEST(Frames, SurviveAStreamOfBytes) {
  Rng rng(3);
  std::vector<std::string> payloads;
  std::string stream;
  for (int i = 0; i < 50; ++i) {
    payloads.push_back(std::string(rng.below(3000), static_cast<char>('a' + i % 26)));
    stream += frame(FrameKind::command, payloads.back());
  }
  FrameReader reader;
  std::size_t seen = 0;
  while (!stream.empty()) {
    const std::size_t piece = std::min<std::size_t>(1 + rng.below(700), stream.size());
    reader.add(stream.substr(0, piece));
    stream.erase(0, piece);
    while (const auto next = reader.next()) {
      ASSERT_LT(seen, payloads.size());
      EXPECT_EQ(next->payload, payloads[seen++]);
    }
  }
  EXPECT_EQ(seen, payloads.size());
  EXPECT_EQ(reader.broken(), "");
}

TEST(Frames, WhatIsDamagedEndsTheStream) {
  const std::string good = frame(FrameKind::consensus, "a message");
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    FrameReader reader;
    reader.add(bad);
    EXPECT_FALSE(reader.next()) << "bit " << bit;  // damaged, or longer than what came
  }
  FrameReader huge;
  huge.add("\xff\xff\xff\xff????");
  EXPECT_FALSE(huge.next());
  EXPECT_NE(huge.broken(), "");
}

TEST(Frames, PayloadsOfHostilePeers) {
  Rng rng(5);
  const std::string hello = encode(Hello{"cluster", 3, "n3", "a:1 b:2"});
  const std::string forwarded = encode(Forwarded{7, Forwarded::Status::unknown, 4, "body"});
  ASSERT_EQ(decode_hello(hello)->addresses, "a:1 b:2");
  ASSERT_EQ(decode_forwarded(forwarded)->status, Forwarded::Status::unknown);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = i % 2 == 0 ? hello : forwarded;
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    bytes.resize(rng.below(bytes.size() + 1));
    (void)decode_hello(bytes);
    (void)decode_forwarded(bytes);
  }
  EXPECT_FALSE(decode_hello(hello + "x"));
  EXPECT_FALSE(decode_hello(encode(Hello{"cluster", 0, "", ""})));
}

Result<Asked> read(const char* path, const char* request) {
  return find_verb(path)->read(Value::from_json(request).value());
}

TEST(Requests, BecomeCommands) {
  const auto cas = std::get<state::Command>(read("/v1/kv/cas", R"({"key":"k","old":null,"new":{"a": 1}})").value());
  ASSERT_EQ(cas.steps.size(), 2U);
  EXPECT_EQ(cas.steps[0], (state::Step{state::Step::Kind::check_value, "k", "null"}));
  EXPECT_EQ(cas.steps[1], (state::Step{state::Step::Kind::write, "k", R"({"a":1})"}));
  const auto txn = std::get<state::Command>(
      read("/v1/txn", R"({"steps":[["r","a",null],["append","b",[1, 2]],["add","n",-3]],"idempotency_key":"i"})")
          .value());
  EXPECT_EQ(txn.steps[1].value, "[1,2]");
  EXPECT_EQ(txn.steps[2].amount, -3);
  EXPECT_EQ(txn.idempotency_key, "i");
  // One that changes nothing is a query.
  EXPECT_TRUE(std::holds_alternative<state::Query>(read("/v1/txn", R"({"steps":[["r","a"]]})").value()));
}

TEST(Requests, WhatIsWrongIsNamed) {
  const auto problem = [](const char* path, const char* request) {
    const auto asked = read(path, request);
    return asked ? std::string("accepted") : asked.error().message;
  };
  EXPECT_EQ(problem("/v1/kv/put", "{}"), "\"key\": a value was expected");
  EXPECT_EQ(problem("/v1/kv/put", R"({"key":"k"})"), "\"value\": any JSON value was expected");
  EXPECT_EQ(problem("/v1/kv/put", R"({"key":5,"value":1})"), "\"key\": a text was expected");
  EXPECT_EQ(problem("/v1/queue/ack", R"({"key":"q","token":-1})"),
            "\"token\": a whole number, not negative, was expected");
  for (const char* steps : {"[]", "[[]]", R"([["r"]])", R"([["q","k"]])", R"([["w","k"]])", R"([["add","k","1"]])",
                            R"([["check-version","k",-1]])", R"([["r","k",1]])", R"([["r",1]])", "7"}) {
    EXPECT_NE(problem("/v1/txn", ("{\"steps\":" + std::string(steps) + "}").c_str()), "accepted") << steps;
  }
  EXPECT_EQ(find_verb("/v1/kv/putt"), nullptr);
}

TEST(Requests, Manner) {
  const auto manner = [](const char* text) { return manner_of(Value::from_json(text).value(), false); };
  EXPECT_FALSE(manner("{}")->repeat);
  EXPECT_TRUE(manner(R"({"delivery":"at-least-once"})")->repeat);
  EXPECT_TRUE(manner(R"({"idempotency_key":"k"})")->repeat);
  EXPECT_FALSE(manner(R"({"idempotency_key":"k","delivery":"at-most-once"})")->repeat);
  EXPECT_FALSE(manner(R"({"delivery":"exactly-once"})"));  // without a key
  EXPECT_FALSE(manner(R"({"consistency":"strong"})"));
  EXPECT_FALSE(manner(R"({"timeout_ms":1.5})"));
  EXPECT_TRUE(manner(R"({"on_follower":"redirect"})")->redirect);
}

TEST(Requests, LastResult) {
  EXPECT_EQ(last_result(R"({"results":[null,null,{"version":3}]})"), R"({"version":3})");
  EXPECT_EQ(last_result(R"({"results":[{"value":[1,"null,"],"version":3}]})"), R"({"value":[1,"null,"],"version":3})");
  EXPECT_EQ(last_result("{}"), "{}");
}

TEST(Options, FlagsWinOverTheFile) {
  const testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/n1.toml";
  std::ofstream(file) << "data = \"/x\"\nname = \"n2\"\nelection-ms = 400\nredirect = true\n"
                         "cluster = [\"n1=a:1/a:2\", \"n2=b:1/b:2\"]\n";
  const auto parsed = parse_options({"--config", file, "--election-ms", "500"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.data, "/x");
  EXPECT_EQ(parsed->options.election_ms, 500U);
  EXPECT_TRUE(parsed->options.redirect);
  const auto identity = founder(parsed->options);
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->id, 2U);
  EXPECT_EQ(identity->founders[0], (MemberAddress{1, "n1", "a:1", "a:2"}));
}

TEST(Options, WrongOnesAreNamed) {
  const testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/n1.toml";
  std::ofstream(file) << "data = \"/x\"\n\nname = 1.5\n";
  const auto problem = [](const std::vector<std::string>& arguments) {
    const auto parsed = parse_options(arguments);
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_NE(problem({"--config", file}).find(file + ":3:"), std::string::npos) << problem({"--config", file});
  EXPECT_NE(problem({}).find("--data"), std::string::npos);
  EXPECT_NE(problem({"--data", "d", "--nonsense"}).find("nonsense"), std::string::npos);
  EXPECT_NE(problem({"--data", "d", "--heartbeat-ms", "200"}).find("--heartbeat-ms"), std::string::npos);
  EXPECT_NE(problem({"--data", "d", "--listen-peer", "7301"}).find("HOST:PORT"), std::string::npos);
  EXPECT_NE(problem({"--data", "d", "--join", "a:1", "--cluster", "n1=a:1/a:2"}).find("--join"), std::string::npos);
  NodeOptions stranger;
  stranger.cluster = {"n2=a:1/a:2"};
  EXPECT_NE(founder(stranger).error().message.find("not in the list"), std::string::npos);
  stranger.cluster = {"n1=a:1/a:2", "n1=b:1/b:2"};
  EXPECT_NE(founder(stranger).error().message.find("twice"), std::string::npos);
}

TEST(Options, IdentityIsKept) {
  const testing::TemporaryDirectory directory;
  bool there = true;
  EXPECT_TRUE(load_identity(directory.path(), there));
  EXPECT_FALSE(there);
  Identity identity{1007, "cluster", {}, {{1, "n1", "a:1", "a:2"}}};
  ASSERT_TRUE(save_identity(directory.path(), identity));
  const auto loaded = load_identity(directory.path(), there);
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(there);
  EXPECT_EQ(loaded->id, 1007U);
  EXPECT_EQ(loaded->known, identity.known);
  std::ofstream(directory.path() + "/node.json") << "{}";
  EXPECT_FALSE(load_identity(directory.path(), there));
}

}  // namespace
}  // namespace ordeal::log::node
