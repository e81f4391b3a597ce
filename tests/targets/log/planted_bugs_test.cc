// Each planted bug of storage and tree is found by the tests that the correct build passes, within a thousand seeds;
// the same program without a bug passes them, so that it is the bug that is found.

#include <gtest/gtest.h>

#include <string>

#include "targets/log/server/bugs.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/tree/merkle.h"
#include "tests/targets/log/storage_model.h"

namespace ordeal::log {
namespace {

// Plants a bug for as long as it lives.
class Planted {
 public:
  explicit Planted(Bug bug) { planted_bug = bug; }
  ~Planted() { planted_bug = Bug::none; }
};

class StorageBugs : public ::testing::TestWithParam<Bug> {};

TEST_P(StorageBugs, AreFoundWithinAThousandSeeds) {
  const Planted planted(GetParam());
  std::string broken;
  std::uint64_t seed = 0;
  while (broken.empty() && seed < 1000) {
    wal::testing::StorageRun run(++seed);
    broken = run.run(60);
  }
  EXPECT_NE(broken, "") << "not found in " << seed << " seeds";
  RecordProperty("seeds", std::to_string(seed));
  RecordProperty("found", broken);
}

INSTANTIATE_TEST_SUITE_P(Wal, StorageBugs,
                         ::testing::Values(Bug::vote_not_durable, Bug::torn_tail_accepted, Bug::fsync_error_ignored,
                                           Bug::full_disk_acknowledged, Bug::snapshot_not_synced,
                                           Bug::directory_not_synced, Bug::batch_not_synced,
                                           Bug::hard_state_cut_with_log),
                         [](const auto& test) {
                           for (const BugEntry& entry : kBugs) {
                             if (entry.bug == test.param) return std::string(entry.name);
                           }
                           return std::string("unknown");
                         });

TEST(StorageBugs, NoneIsFoundWithoutOne) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) EXPECT_EQ(wal::testing::StorageRun(seed).run(60), "");
}

// A flipped bit in an entry's data: refused, or served as if the client had written it.
TEST(StorageBugs, UncheckedCrcServesAFlippedBit) {
  const auto recovered = [] {
    wal::SimulatedDisk disk(Rng(1));
    wal::Recovery found;
    auto storage = wal::Storage::open(disk, wal::testing::storage_options(), found);
    (*storage)->append(std::vector{raft::Entry{1, 1, raft::EntryKind::command, "payload"}});
    EXPECT_TRUE((*storage)->close());
    storage->reset();
    const std::string path = "data/wal/00000000000000000001.wal";
    disk.flip_bit(path, 8 * disk.read(path)->find("payload"));
    return wal::Storage::open(disk, wal::testing::storage_options(), found) ? found.entries.at(0).data : "refused";
  };
  EXPECT_EQ(recovered(), "refused");
  const Planted planted(Bug::crc_not_checked);
  EXPECT_EQ(recovered(), "qayload");
}

TEST(TreeBugs, OrderAfterARestart) {
  tree::Tree grown;
  std::vector<std::string> entries;
  for (int i = 0; i < 10; ++i) entries.push_back(std::to_string(i));
  for (const std::string& entry : entries) (void)grown.append(entry);
  EXPECT_EQ(tree::restored(entries).root(), grown.root());
  const Planted planted(Bug::merkle_order_after_restart);
  EXPECT_NE(tree::restored(entries).root(), grown.root());
}

TEST(TreeBugs, RevokedKey) {
  const tree::SigningKey root("log.example", {1}), stolen("log.example", {2});
  tree::KeyRing ring("log.example", {root.verifier(), stolen.verifier()});
  tree::Note note{
      tree::format_key_change({tree::KeyChange::Kind::revoke, "log.example", {}, stolen.verifier().label(), 0}), {}};
  tree::sign(note, root);
  ASSERT_TRUE(ring.apply(tree::format_note(note), 0));
  const std::string head = tree::sign_checkpoint({"log.example", 0, tree::empty_root(), {}}, {&stolen});
  EXPECT_FALSE(ring.open(head));
  const Planted planted(Bug::revoked_key_accepted);
  EXPECT_TRUE(ring.open(head));
}

}  // namespace
}  // namespace ordeal::log
