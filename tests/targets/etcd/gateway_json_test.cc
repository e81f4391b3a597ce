// What the gateway is asked and what it answers, as bytes.

#include "targets/etcd/gateway_json.h"

#include <gtest/gtest.h>

namespace ordeal {
namespace {

TEST(GatewayJson, Requests) {
  EXPECT_EQ(gateway_request(EtcdRange{"ordeal/kv/1"}), R"({"key":"b3JkZWFsL2t2LzE="})");
  EXPECT_EQ(gateway_request(EtcdRange{"a", "b", true, true}),
            R"({"key":"YQ==","range_end":"Yg==","serializable":true,"count_only":true})");
  EXPECT_EQ(gateway_request(EtcdPut{"a", "", 7}), R"({"key":"YQ==","value":"","lease":"7"})");
  EtcdTxn txn;
  EXPECT_EQ(gateway_request(txn), R"({"compare":[],"success":[],"failure":[]})");
  txn.compare = {{"a", EtcdCompare::Target::value, "1"},
                 {"a", EtcdCompare::Target::mod_revision, "", 5},
                 {"a", EtcdCompare::Target::create_revision}};
  txn.success = {EtcdPut{"a", "2"}, EtcdDelete{"b"}};
  txn.failure = {EtcdRange{"a"}};
  EXPECT_EQ(gateway_request(txn),
            R"({"compare":[{"result":"EQUAL","key":"YQ==","target":"VALUE","value":"MQ=="},)"
            R"({"result":"EQUAL","key":"YQ==","target":"MOD","mod_revision":"5"},)"
            R"({"result":"EQUAL","key":"YQ==","target":"CREATE","create_revision":"0"}],)"
            R"("success":[{"request_put":{"key":"YQ==","value":"Mg=="}},{"request_delete_range":{"key":"Yg=="}}],)"
            R"("failure":[{"request_range":{"key":"YQ=="}}]})");
}

TEST(GatewayJson, RepliesToRangesAndPuts) {
  const auto range = gateway_reply(
      R"({"header":{"cluster_id":"1","revision":"9007199254740993","raft_term":"2"},"kvs":[)"
      R"({"key":"YQ==","create_revision":"2","mod_revision":3,"version":"4","value":"Mg==","lease":"5","new":[{}]},)"
      R"({"key":"Yg=="}],"more":true,"count":"2"})");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->revision, 9007199254740993);
  ASSERT_EQ(range->kvs.size(), 2U);
  const EtcdKeyValue& first = range->kvs[0];
  EXPECT_EQ(first.key + first.value, "a2");
  EXPECT_EQ(first.create_revision, 2);
  EXPECT_EQ(first.mod_revision, 3);
  EXPECT_EQ(first.version, 4);
  EXPECT_EQ(first.lease, 5);
  EXPECT_EQ(range->kvs[1].key, "b");
  EXPECT_EQ(range->kvs[1].value, "");
  EXPECT_EQ(range->kvs[1].version, 0);
  const auto nothing = gateway_reply("{}");
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->kvs.empty());
  EXPECT_EQ(nothing->revision, 0);
}

TEST(GatewayJson, RepliesToTransactions) {
  const auto reply = gateway_reply(
      R"({"succeeded":true,"responses":[{"response_put":{"header":{"revision":"8"}}},)"
      R"({"response_range":{"kvs":[{"key":"YQ==","value":"MQ=="}],"count":"1"}},{"response_range":{}},{}],)"
      R"("header":{"revision":"7"}})");
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->succeeded);
  EXPECT_EQ(reply->revision, 7) << "of the reply, not of a response in it";
  ASSERT_EQ(reply->responses.size(), 4U);
  EXPECT_FALSE(reply->responses[0]);
  ASSERT_TRUE(reply->responses[1]);
  ASSERT_EQ(reply->responses[1]->size(), 1U);
  EXPECT_EQ(reply->responses[1]->front().value, "1");
  ASSERT_TRUE(reply->responses[2]);
  EXPECT_TRUE(reply->responses[2]->empty());
  EXPECT_FALSE(reply->responses[3]);
  const auto failed = gateway_reply(R"({"header":{"revision":"7"}})");
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->succeeded);
}

TEST(GatewayJson, ErrorsAndWhatIsNoReply) {
  const auto error = gateway_reply(R"({"error":"etcdserver: leader changed","code":14})");
  ASSERT_TRUE(error);
  EXPECT_TRUE(error->error);
  for (const char* text :
       {"", "[]", "null", "{", R"({"kvs":{}})", R"({"kvs":[{"key":"YQ="}]})", R"({"kvs":[{"key":1}]})",
        R"({"kvs":[1]})", R"({"responses":[[]]})", R"({"header":{"revision":"3"})", "{} {}"}) {
    EXPECT_FALSE(gateway_reply(text)) << text;
  }
}

}  // namespace
}  // namespace ordeal
