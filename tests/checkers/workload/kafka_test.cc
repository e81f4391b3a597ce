#include "tests/checkers/workload/histories.h"

namespace ordeal::work {
namespace {

using testing::HasSubstr;

// send(0, "1", "5"): value 5 to key :x, acknowledged at offset 1; without offset: "nil".
std::string send(int process, std::string_view offset, std::string_view value, std::string_view type = "ok") {
  const std::string v(value);
  return op(process, "send", "[[:send :x " + v + "]]", type,
            type == "ok" ? "[[:send :x [" + std::string(offset) + " " + v + "]]]" : "nil");
}
// poll(1, "[0 5] [1 6]"): messages of key :x.
std::string poll(int process, std::string_view messages, std::string_view type = "ok") {
  return op(process, "poll", "[[:poll]]", type, "[[:poll {:x [" + std::string(messages) + "]}]]");
}
std::string assign(int process, std::string_view f = "assign") { return ok(process, f, "[:x]"); }

const std::string kThree = send(0, "0", "1") + send(0, "1", "2") + send(0, "4", "3");

TEST(Kafka, EverythingInOrder) {
  EXPECT_EQ(verdict(judged("kafka", kThree + assign(1) + poll(1, "[0 1] [1 2]") + poll(1, "") + poll(1, "[4 3]") +
                                        assign(1) + poll(1, "[0 1]"))),
            "valid");
  EXPECT_EQ(verdict(judged("kafka", ok(0, "send", "[[:send :x 1]]") + poll(1, "[0 1]"))), "valid");  // no offset given
  EXPECT_EQ(verdict(judged("kafka", send(0, "nil", "1") + poll(1, "[0 1]"))), "valid");
}

TEST(Kafka, PollsThatSkip) {
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(2, "[1 2]") + poll(1, "[0 1] [4 3]"))), "int-poll-skip");
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(2, "[1 2]") + poll(1, "[0 1]") + poll(1, "[4 3]"))), "poll-skip");
  // A message whose send crashed and that nobody saw may not be there.
  EXPECT_EQ(verdict(judged("kafka", send(0, "0", "1") + send(5, "", "2", "info") + send(0, "4", "3") +
                                        poll(1, "[0 1]") + poll(1, "[4 3]"))),
            "valid");
  // … but one that somebody polled is.
  EXPECT_EQ(verdict(judged("kafka", send(0, "0", "1") + send(5, "", "2", "info") + send(0, "4", "3") +
                                        poll(2, "[2 2]") + poll(1, "[0 1] [4 3]"))),
            "int-poll-skip");
}

TEST(Kafka, PollsThatGoBack) {
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(1, "[0 1] [1 2] [4 3] [1 2]"))), "int-nonmonotonic-poll");
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(1, "[0 1] [1 2] [4 3]") + poll(1, "[4 3]"))), "nonmonotonic-poll");
}

TEST(Kafka, SubscribersMayBeMoved) {
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(2, "[1 2]") + assign(1, "subscribe") + poll(1, "[0 1]") +
                                        poll(1, "[4 3]") + poll(1, "[0 1]"))),
            "valid");
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(2, "[1 2]") + poll(1, "[0 1]") + assign(1) + poll(1, "[4 3]"))),
            "valid");
}

TEST(Kafka, LostWrites) {
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(1, "[4 3]"))), "lost-write lost-write");
  EXPECT_EQ(verdict(judged("kafka", kThree + poll(1, "[0 1]"))), "valid");  // nobody got that far
  // A consumer that crashed may have been given them.
  const auto crashed = judged("kafka", kThree + poll(5, "", "info") + poll(1, "[4 3]"));
  EXPECT_EQ(verdict(crashed), "valid");
  EXPECT_EQ(count(crashed, "unseen"), 2);
}

std::string empties(int process, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += ok(process, "poll", "[[:poll]]", "[[:poll {}]]");
  return out;
}

TEST(Kafka, ALostTail) {
  const std::string begun = assign(1) + kThree + poll(1, "[0 1] [1 2]");
  EXPECT_EQ(verdict(judged("kafka", begun + empties(1, 10))), "lost-write");
  // Too few polls, in two parts, or before the acknowledgement: the message may still come.
  EXPECT_EQ(verdict(judged("kafka", begun + empties(1, 9))), "valid");
  EXPECT_EQ(verdict(judged("kafka", begun + empties(1, 9), with("kafka", {{"kafka.end-polls", "9"}}))), "lost-write");
  EXPECT_EQ(verdict(judged("kafka", begun + empties(1, 5) + assign(1) + empties(1, 9))), "valid");
  EXPECT_EQ(
      verdict(judged("kafka", assign(1) + send(0, "0", "1") + poll(1, "[0 1]") + empties(1, 10) + send(0, "1", "2"))),
      "valid");
  // A subscriber may have been moved, and one that never polled may stand anywhere.
  EXPECT_EQ(verdict(judged("kafka", assign(1, "subscribe") + kThree + poll(1, "[0 1] [1 2]") + empties(1, 20))),
            "valid");
  EXPECT_EQ(verdict(judged("kafka", kThree + assign(2) + poll(2, "[0 1] [1 2]") + assign(1) + empties(1, 20))),
            "valid");
  // Somebody got it.
  EXPECT_EQ(verdict(judged("kafka", begun + empties(1, 10) + assign(3) + poll(3, "[0 1] [1 2] [4 3]"))), "valid");
}

TEST(Kafka, SendsWithoutOffsetsAreLostAllTheSame) {
  const std::string sent = assign(1) + send(0, "nil", "1") + ok(0, "send", "[[:send :x 2]]");
  EXPECT_EQ(verdict(judged("kafka", sent + poll(1, "[0 1]") + empties(1, 10))), "lost-write");
  EXPECT_EQ(verdict(judged("kafka", sent + poll(1, "[0 1] [1 2]") + empties(1, 10))), "valid");
  EXPECT_EQ(verdict(judged("kafka", assign(1) + send(0, "nil", "1") + send(5, "", "2", "info") + poll(1, "[0 1]") +
                                        empties(1, 10))),
            "valid");
}

TEST(Kafka, ACrashedPollExcusesOnlyWhatItMayHaveTaken) {
  const std::string crashed = poll(7, "", "info");
  EXPECT_EQ(verdict(judged("kafka", crashed + assign(1) + kThree + poll(1, "[0 1]") + poll(1, "[4 3]"))),
            "lost-write poll-skip");
  EXPECT_EQ(verdict(judged("kafka", crashed + assign(1) + kThree + poll(1, "[0 1] [1 2]") + empties(1, 10))),
            "lost-write");
  EXPECT_EQ(verdict(judged("kafka", crashed + kThree + poll(1, "[1 2] [4 3]"))), "valid");
}

TEST(Kafka, OffsetsAndDuplicates) {
  EXPECT_EQ(verdict(judged("kafka", send(0, "0", "1") + send(0, "1", "2") + poll(1, "[0 2]"))),
            "inconsistent-offsets duplicate-message lost-write");
  EXPECT_EQ(verdict(judged("kafka", send(0, "0", "1") + poll(1, "[0 1] [3 1]"))), "duplicate-message");
  // Sent twice, once without an answer.
  EXPECT_EQ(verdict(judged("kafka", send(5, "", "1", "info") + send(0, "0", "1") + poll(1, "[0 1] [3 1]"))), "valid");
}

TEST(Kafka, ReadsOfWhatIsNotThere) {
  EXPECT_EQ(verdict(judged("kafka", send(0, "0", "1", "fail") + poll(1, "[0 1]"))), "aborted-read");
  EXPECT_EQ(verdict(judged("kafka", poll(1, "[0 1]"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("kafka", poll(1, "[0 1]") + send(0, "0", "1"))), "unexpected-element");
  EXPECT_EQ(verdict(judged("kafka", ok(0, "txn", "[[:send :x 1] [:poll]]", "[[:send :x [0 1]] [:poll {:x [[0 1]]}]]"))),
            "precommitted-read");
}

TEST(Kafka, SendsThatGoBack) {
  EXPECT_EQ(verdict(judged("kafka", send(0, "4", "1") + send(0, "3", "2") + poll(1, "[3 2] [4 1]"))),
            "nonmonotonic-send");
  EXPECT_EQ(verdict(judged("kafka", send(0, "4", "1") + send(1, "3", "2") + poll(1, "[3 2] [4 1]"))),
            "valid");  // another process
  EXPECT_EQ(
      verdict(judged("kafka", ok(0, "send", "[[:send :x 1] [:send :x 2]]", "[[:send :x [1 1]] [:send :x [0 2]]]") +
                                  poll(1, "[0 2] [1 1]"))),
      "int-nonmonotonic-send");
}

TEST(Kafka, UnknownWhenNothingWasSeenOrUnderstood) {
  EXPECT_THAT(verdict(judged("kafka", kThree + poll(1, ""))), HasSubstr("no poll returned a message"));
  EXPECT_THAT(verdict(judged("kafka", kThree + ok(1, "poll", "[[:look]]"))), HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("kafka", kThree + ok(1, "poll", "[[:poll]]", "[[:poll [1 2]]]"))),
              HasSubstr("was expected"));
  EXPECT_THAT(verdict(judged("kafka", kThree + ok(1, "seek", "[:x]"))), HasSubstr("not seek"));
}

}  // namespace
}  // namespace ordeal::work
