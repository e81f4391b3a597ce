// Messages as bytes: what was encoded comes back, and no bytes whatever break the decoder.

#include "targets/log/server/raft/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace ordeal::log::raft {
namespace {

std::uint64_t any_number(Rng& rng) { return rng.next() >> rng.below(64); }

std::string any_text(Rng& rng) {
  std::string text(rng.below(40), '\0');
  for (char& c : text) c = static_cast<char>(rng.below(256));
  return text;
}

std::vector<NodeId> any_ids(Rng& rng, NodeId from) {
  std::vector<NodeId> ids;
  for (NodeId id = from; id < from + 300 && ids.size() < 6; id += 1 + rng.below(150)) ids.push_back(id);
  return ids;
}

Message any_message(Rng& rng) {
  Message m;
  m.kind = static_cast<MessageKind>(1 + rng.below(11));
  for (std::uint64_t* field :
       {&m.from, &m.to, &m.term, &m.index, &m.log_term, &m.commit, &m.rejected, &m.round, &m.total, &m.offset}) {
    *field = any_number(rng);
  }
  m.granted = rng.chance(0.5);
  m.forced = rng.chance(0.5);
  for (std::uint64_t i = rng.below(5); i > 0; --i) {
    m.entries.push_back({any_number(rng), any_number(rng), static_cast<EntryKind>(rng.below(3)), any_text(rng)});
  }
  m.configuration = {any_ids(rng, 1), any_ids(rng, 1 + rng.below(9)), any_ids(rng, 1000)};
  m.data = any_text(rng);
  return m;
}

TEST(RaftCodec, MessagesComeBack) {
  Rng rng(1);
  for (int i = 0; i < 3000; ++i) {
    const Message message = any_message(rng);
    const Result<Message> decoded = decode_message(encode(message));
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_EQ(*decoded, message);
  }
}

TEST(RaftCodec, ConfigurationsComeBack) {
  Rng rng(2);
  for (int i = 0; i < 500; ++i) {
    const Configuration configuration{any_ids(rng, 1), any_ids(rng, 3), any_ids(rng, 1000)};
    ASSERT_EQ(decode_configuration(encode(configuration)).value(), configuration);
  }
}

// One message has one encoding: whatever is decoded is encoded to the same bytes.
TEST(RaftCodec, MutatedBytesAreRefusedOrMeanWhatTheySay) {
  Rng rng(3);
  std::size_t refused = 0, taken = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = encode(any_message(rng));
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) {
      const std::size_t at = rng.below(bytes.size());
      if (rng.chance(0.2)) {
        bytes.resize(at + 1);
      } else if (rng.chance(0.2)) {
        bytes.insert(at, 1, static_cast<char>(rng.below(256)));
      } else {
        bytes[at] = static_cast<char>(rng.below(256));
      }
    }
    const Result<Message> decoded = decode_message(bytes);
    ++(decoded ? taken : refused);
    if (decoded) {
      ASSERT_EQ(encode(*decoded), bytes);
    }
  }
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(taken, 1000U);
}

TEST(RaftCodec, EveryTruncationIsRefused) {
  Rng rng(4);
  for (int i = 0; i < 50; ++i) {
    const std::string bytes = encode(any_message(rng));
    for (std::size_t size = 0; size < bytes.size(); ++size) ASSERT_FALSE(decode_message(bytes.substr(0, size)));
    ASSERT_FALSE(decode_message(bytes + '\0'));
  }
}

// A count is held against the bytes that are left before anything is allocated.
TEST(RaftCodec, ACountThatPromisesMoreThanThereIsIsRefused) {
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
  std::string bytes = encode(Message{});
  bytes.replace(12, 1, huge);  // version, kind, ten fields, then the number of entries
  const Result<Message> decoded = decode_message(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, testing::HasSubstr("entries"));
  EXPECT_FALSE(decode_configuration(huge));
}

TEST(RaftCodec, AnotherVersionIsNamed) {
  std::string bytes = encode(Message{});
  bytes[0] = 2;
  EXPECT_THAT(decode_message(bytes).error().message, testing::HasSubstr("version 2, this node knows 1"));
}

TEST(RaftCodec, ConfigurationsThatCannotBeAreRefused) {
  EXPECT_FALSE(decode_configuration(encode(Configuration{{2, 1}, {}, {}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{{1, 1}, {}, {}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{{0, 1}, {}, {}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{{1, 2}, {}, {2}})));
  EXPECT_TRUE(decode_configuration(encode(Configuration{{1, 2}, {3}, {3}})));  // it becomes a learner
}

}  // namespace
}  // namespace ordeal::log::raft
