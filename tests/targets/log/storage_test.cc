// Storage on a simulated and on a real disk: what it remembers, crashes and power losses by the thousand, full and
// failing disks, and the formats' own pieces.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "targets/log/server/wal/crc32c.h"
#include "targets/log/server/wal/leaf_file.h"
#include "targets/log/server/wal/posix_files.h"
#include "tests/targets/log/storage_model.h"

namespace ordeal::log::wal {
namespace {

using ::testing::HasSubstr;
using testing::storage_options;
using testing::StorageRun;

raft::Entry entry(raft::Index index, raft::Term term = 1, const std::string& data = "data") {
  return {term, index, raft::EntryKind::command, data + std::to_string(index)};
}

std::unique_ptr<Storage> open(FileSystem& files, Recovery& found, StorageOptions options = storage_options()) {
  found = {};
  auto storage = Storage::open(files, std::move(options), found);
  EXPECT_TRUE(storage) << (storage ? "" : storage.error().message);
  return storage ? std::move(*storage) : nullptr;
}

TEST(Crc32c, PublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283U);
}

TEST(Storage, RemembersWhatWasSynced) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  EXPECT_TRUE(found.fresh);
  storage->set_hard_state({3, 2, 0});
  storage->append(std::vector{entry(1), entry(2), entry(3)});
  ASSERT_TRUE(storage->sync());
  storage->append(std::vector{entry(4)});
  EXPECT_GT(storage->unsynced_bytes(), 0U);
  storage.reset();
  disk.cut_power(true);
  storage = open(disk, found);
  EXPECT_FALSE(found.fresh);
  EXPECT_EQ(found.hard_state, (raft::HardState{3, 2, 0}));
  EXPECT_EQ(found.entries, (std::vector{entry(1), entry(2), entry(3)}));
  EXPECT_THAT(found.remarks, ::testing::IsEmpty());
}

TEST(Storage, GroupCommitIsOneSync) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found, storage_options(std::size_t{1} << 20));
  const std::uint64_t before = disk.syncs();
  for (raft::Index i = 1; i <= 100; ++i) storage->append(std::vector{entry(i)});
  ASSERT_TRUE(storage->sync());
  EXPECT_EQ(disk.syncs(), before + 1);
  ASSERT_TRUE(storage->sync());
  EXPECT_EQ(disk.syncs(), before + 1) << "nothing to write";
}

TEST(Storage, ConflictingSuffixIsReplaced) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->append(std::vector{entry(1), entry(2), entry(3), entry(4)});
  ASSERT_TRUE(storage->sync());
  storage->append(std::vector{entry(2, 2, "new")});
  ASSERT_TRUE(storage->sync());
  EXPECT_EQ(storage->last_index(), 2U);
  storage.reset();
  storage = open(disk, found);
  EXPECT_EQ(found.entries, (std::vector{entry(1), entry(2, 2, "new")}));
}

raft::Snapshot snapshot(raft::Index index, raft::Term term = 1) {
  return {index, term, {{1, 2, 3}, {}, {4}}, "state" + std::to_string(index) + std::string(200'000, 'x')};
}

TEST(Storage, SnapshotCutsTheLogAndKeepsTermAndVote) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->set_hard_state({7, 3, 0});
  for (raft::Index i = 1; i <= 300; ++i) {
    storage->append(std::vector{entry(i)});
    ASSERT_TRUE(storage->sync());
    if (i % 100 == 0) {
      ASSERT_TRUE(storage->save_snapshot(snapshot(i - 10)));
    }
  }
  EXPECT_LT(storage->log_bytes(), 12'000U) << "what the oldest kept snapshot covers is gone";
  storage.reset();
  storage = open(disk, found);
  EXPECT_EQ(found.hard_state, (raft::HardState{7, 3, 290}));
  EXPECT_EQ(found.snapshot, snapshot(290));
  ASSERT_EQ(found.entries.size(), 10U);
  EXPECT_EQ(found.entries.front(), entry(291));
  EXPECT_EQ(disk.list("data/snap")->size(), 2U);
}

TEST(Storage, SnapshotOfTheLeaderReplacesALogThatIsNotItsOwn) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->append(std::vector{entry(1), entry(2), entry(3)});
  ASSERT_TRUE(storage->save_snapshot(snapshot(2, 5)));
  EXPECT_EQ(storage->last_index(), 2U) << "entry 2 is of another term: what follows it went too";
  ASSERT_TRUE(storage->save_snapshot(snapshot(40, 6)));
  storage->append(std::vector{entry(41, 6)});
  ASSERT_TRUE(storage->sync());
  storage.reset();
  storage = open(disk, found);
  EXPECT_EQ(found.snapshot, snapshot(40, 6));
  EXPECT_EQ(found.entries, std::vector{entry(41, 6)});
}

TEST(Storage, FirstConfigurationIsASnapshotAtZero) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  const raft::Snapshot first{0, 0, {{1, 2, 3}, {}, {}}, ""};
  ASSERT_TRUE(storage->save_snapshot(first));
  storage->append(std::vector{entry(1)});
  ASSERT_TRUE(storage->sync());
  storage.reset();
  disk.cut_power();
  storage = open(disk, found);
  EXPECT_EQ(found.snapshot, first);
  EXPECT_EQ(found.entries, std::vector{entry(1)});
}

TEST(Storage, FullDiskLosesNothingAndGoesOn) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->append(std::vector{entry(1)});
  ASSERT_TRUE(storage->sync());
  disk.set_capacity(disk.used() + 30);
  storage->append(std::vector{entry(2, 1, std::string(400, 'x'))});
  const auto refused = storage->sync();
  ASSERT_FALSE(refused);
  EXPECT_EQ(storage->health(), Health::full);
  EXPECT_THAT(storage->trouble(), HasSubstr("nothing is lost"));
  EXPECT_FALSE(storage->sync());
  EXPECT_FALSE(storage->save_snapshot(snapshot(1)));
  disk.set_capacity(UINT64_MAX);
  ASSERT_TRUE(storage->sync());
  EXPECT_EQ(storage->health(), Health::ok);
  storage.reset();
  disk.cut_power(true);
  storage = open(disk, found);
  EXPECT_EQ(found.entries.size(), 2U);
}

// A node starts and reads on a full disk, and what a snapshot covers makes room.
TEST(Storage, StartsOnAFullDiskAndASnapshotMakesRoom) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  for (raft::Index i = 1; i <= 200; ++i) {
    storage->append(std::vector{entry(i)});
    ASSERT_TRUE(storage->sync());
  }
  const auto small = [](raft::Index index) { return raft::Snapshot{index, 1, {{1}, {}, {}}, "s"}; };
  for (const raft::Index index : {20, 150}) ASSERT_TRUE(storage->save_snapshot(small(index)));
  storage.reset();
  disk.set_capacity(disk.used());
  storage = open(disk, found);
  ASSERT_NE(storage, nullptr);
  EXPECT_EQ(found.entries.size(), 50U);
  storage->append(std::vector{entry(201)});
  EXPECT_FALSE(storage->sync());
  disk.set_capacity(disk.used() + 500);  // too little for a new segment with its header and more, enough for a snapshot
  EXPECT_TRUE(storage->sync());
  const std::uint64_t before = disk.used();
  EXPECT_TRUE(storage->save_snapshot(small(200)));
  EXPECT_LT(disk.used(), before - 1000);
  storage.reset();
  storage = open(disk, found);
  EXPECT_EQ(found.snapshot, small(200));
  EXPECT_EQ(found.entries, std::vector{entry(201)});
}

// A segment that was begun without room and removed came back after a power loss, and the torn tail of the one before,
// in which the log had gone on, passed for damage in the middle.
TEST(RegressStorage, AnUnfinishedSegmentDoesNotComeBack) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimulatedDisk disk{Rng(seed)};
    Recovery found;
    auto storage = open(disk, found);
    disk.set_capacity(disk.used() + 2000);
    storage->append(std::vector{entry(1, 1, std::string(1900, 'x'))});
    ASSERT_TRUE(storage->sync()) << "the batch fits, the next segment does not";
    disk.set_capacity(UINT64_MAX);
    storage->append(std::vector{entry(2, 1, std::string(1500, 'x'))});
    disk.stop_at_change(2);  // at its sync
    EXPECT_FALSE(storage->sync());
    storage.reset();
    disk.set_broken(false);
    storage = open(disk, found);
    ASSERT_NE(storage, nullptr) << seed;
    EXPECT_GE(found.entries.size(), 1U);
  }
}

TEST(Storage, FailedSyncIsForGood) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->append(std::vector{entry(1)});
  disk.fail_syncs(EIO);
  EXPECT_FALSE(storage->sync());
  EXPECT_EQ(storage->health(), Health::failed);
  EXPECT_FALSE(storage->sync()) << "the disk would say yes now, and mean nothing by it";
  EXPECT_FALSE(storage->save_snapshot(snapshot(1)));
  EXPECT_FALSE(storage->close());
}

// After a failed sync the kernel shows what is not on the disk. Whoever starts again reads it and must write it again.
TEST(Storage, WhatAnotherProcessDidNotSyncIsSyncedAtStart) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->append(std::vector{entry(1)});
  disk.fail_syncs(EIO);
  EXPECT_FALSE(storage->sync());
  storage.reset();
  storage = open(disk, found);
  ASSERT_EQ(found.entries.size(), 1U) << "reads show it";
  storage.reset();
  disk.cut_power(true);
  storage = open(disk, found);
  EXPECT_EQ(found.entries.size(), 1U) << "it was told, so it must stay";
}

TEST(Storage, WrongOptionsAreWrongUsage) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  for (const StorageOptions& wrong :
       {StorageOptions{"d", "", 1}, StorageOptions{"d", std::string(65, 'c'), 1}, StorageOptions{"d", "c", 0}}) {
    EXPECT_EQ(Storage::open(disk, wrong, found).error().code, ErrorCode::usage);
  }
}

TEST(Storage, DamagedLogIsSetAsideWithItsTerm) {
  SimulatedDisk disk(Rng(1));
  Recovery found;
  auto storage = open(disk, found);
  storage->set_hard_state({9, 2, 0});
  storage->append(std::vector{entry(1, 9)});
  ASSERT_TRUE(storage->close());
  storage.reset();
  disk.flip_bit("data/wal/00000000000000000001.wal", 8 * (disk.read("data/wal/00000000000000000001.wal")->size() - 1));
  ASSERT_FALSE(Storage::open(disk, storage_options(), found));
  raft::HardState kept;
  const auto aside = set_aside(disk, storage_options(), kept);
  ASSERT_TRUE(aside);
  EXPECT_EQ(*aside, "data/damaged-1");
  EXPECT_TRUE(disk.read("data/damaged-1/wal-00000000000000000001.wal"));
  storage = open(disk, found);
  EXPECT_TRUE(found.fresh);
}

class StorageProperty : public ::testing::TestWithParam<int> {};

TEST_P(StorageProperty, KeepsItsPromises) {
  int recoveries = 0;
  for (int i = 0; i < 150; ++i) {
    const std::uint64_t seed = static_cast<std::uint64_t>(GetParam()) * 1000 + static_cast<std::uint64_t>(i);
    StorageRun run(seed);
    ASSERT_EQ(run.run(80), "") << "seed " << seed;
    recoveries += run.recoveries();
  }
  EXPECT_GT(recoveries, 600);
}

INSTANTIATE_TEST_SUITE_P(Seeds, StorageProperty, ::testing::Range(0, 8));

// The real disk.
class PosixStorage : public ::testing::Test {
 protected:
  PosixStorage() {
    std::string name = ::testing::TempDir() + "ordeal-log-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~PosixStorage() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(PosixStorage, RoundTrip) {
  PosixFiles files;
  StorageOptions options = storage_options();
  options.directory = directory_ + "/n1";
  Recovery found;
  auto storage = open(files, found, options);
  storage->set_hard_state({2, 1, 0});
  for (raft::Index i = 1; i <= 100; ++i) storage->append(std::vector{entry(i)});
  ASSERT_TRUE(storage->sync());
  ASSERT_TRUE(storage->save_snapshot(snapshot(60)));
  ASSERT_TRUE(storage->close());
  storage.reset();
  storage = open(files, found, options);
  EXPECT_EQ(found.snapshot, snapshot(60));
  EXPECT_EQ(found.entries.size(), 40U);
  EXPECT_EQ(found.hard_state, (raft::HardState{2, 1, 60}));
  const auto leaves = LeafFile::open(files, directory_ + "/n1/wal/leaves", "cluster-a");
  ASSERT_TRUE(leaves);
  ASSERT_TRUE((*leaves)->write(0, std::vector<LeafHash>(3)));
  EXPECT_EQ(LeafFile::read(files, directory_ + "/n1/wal/leaves", "cluster-a")->size(), 3U);
  EXPECT_EQ(LeafFile::read(files, directory_ + "/n1/wal/leaves", "cluster-b").error().code, ErrorCode::input);
}

TEST_F(PosixStorage, OneProcessADirectory) {
  const auto first = DirectoryLock::take(directory_);
  ASSERT_TRUE(first);
  const auto second = DirectoryLock::take(directory_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::target);
  EXPECT_THAT(second.error().message, HasSubstr("LOCK"));
}

TEST_F(PosixStorage, WhatCannotBeReadIsAnErrorWithItsPath) {
  PosixFiles files;
  StorageOptions options = storage_options();
  options.directory = directory_ + "/not/there";
  Recovery found;
  const auto storage = Storage::open(files, options, found);
  ASSERT_FALSE(storage);
  EXPECT_THAT(storage.error().message, HasSubstr(directory_ + "/not/there"));
  std::filesystem::create_directories(directory_ + "/n2/wal/00000000000000000001.wal");
  std::filesystem::create_directories(directory_ + "/n2/snap");
  options.directory = directory_ + "/n2";
  EXPECT_FALSE(Storage::open(files, options, found)) << "a folder where a segment should be";
}

}  // namespace
}  // namespace ordeal::log::wal
