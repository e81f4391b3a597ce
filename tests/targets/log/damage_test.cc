// What happens to somebody who changes the files of a stopped node: bits of every byte of every file flipped, records
// removed and swapped, tails cut, files of another cluster, of another node and of another time put in. Each is named
// by recovery or by verify, with the file; and what damaged files say is never taken for what the node remembers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/rng.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/tree/merkle.h"
#include "targets/log/server/verify/verify.h"
#include "targets/log/server/wal/leaf_file.h"
#include "targets/log/server/wal/segment.h"
#include "targets/log/server/wal/simulated_disk.h"

namespace ordeal::log {
namespace {

using ::testing::HasSubstr;
using wal::SimulatedDisk;
using wal::StorageOptions;

constexpr const char* kOrigin = "log.example";

tree::SigningKey signing_key() { return {kOrigin, {1}}; }

// The state of this test's log is its leaf hashes; each entry is a leaf.
Result<std::vector<tree::Hash>> leaves_of(const wal::Recovery& found) {
  std::vector<tree::Hash> leaves;
  const std::string state = found.snapshot ? found.snapshot->state : "";
  for (std::size_t at = 0; at + 32 <= state.size(); at += 32) {
    tree::Hash hash;
    std::copy(state.begin() + static_cast<std::ptrdiff_t>(at), state.begin() + static_cast<std::ptrdiff_t>(at + 32),
              hash.begin());
    leaves.push_back(hash);
  }
  for (const raft::Entry& entry : found.entries) leaves.push_back(tree::leaf_hash(entry.data));
  return leaves;
}

struct Node {
  SimulatedDisk disk{Rng(1)};
  StorageOptions options;
  tree::Tree tree;

  // A node that took `entries` entries, a snapshot in between, and stopped, gracefully or killed.
  explicit Node(raft::Index entries = 40, const std::string& cluster = "cluster-a", raft::NodeId id = 1,
                bool graceful = true, std::size_t segment_bytes = 1500) {
    options = {"data", cluster, id, 99, segment_bytes, 2};
    wal::Recovery found;
    auto storage = wal::Storage::open(disk, options, found);
    EXPECT_TRUE(storage);
    (*storage)->set_hard_state({4, 2, 0});
    for (raft::Index i = 1; i <= entries; ++i) {
      const std::string data = "entry " + std::to_string(i) + " of " + cluster + std::string(i % 7 * 20, 'x');
      (*storage)->append(std::vector{raft::Entry{4, i, raft::EntryKind::command, data}});
      if (i % 3 == 0 || i == entries) {
        EXPECT_TRUE((*storage)->sync());
      }
      tree.append(data);
      if (i % 15 == 0) {
        EXPECT_TRUE((*storage)->save_snapshot({i, 4, {{1, 2, 3}, {}, {}}, state()}));
      }
    }
    EXPECT_TRUE(graceful ? (*storage)->close() : (*storage)->sync());
    EXPECT_TRUE(disk.make_directory("data/tree"));
    const auto leaves = wal::LeafFile::open(disk, "data/tree/leaves", cluster);
    EXPECT_TRUE((*leaves)->write(0, tree.leaf_hashes()));
    const tree::SigningKey key = signing_key();
    EXPECT_TRUE(wal::replace_file(disk, "data/tree/checkpoint",
                                  tree::sign_checkpoint({kOrigin, tree.size(), tree.root(), {}}, {&key})));
  }

  [[nodiscard]] std::string state() const {
    std::string bytes;
    for (const tree::Hash& hash : tree.leaf_hashes()) bytes.append(reinterpret_cast<const char*>(hash.data()), 32);
    return bytes;
  }

  [[nodiscard]] VerifyReport verified() {
    const tree::KeyRing ring(kOrigin, {signing_key().verifier()});
    return verify(disk, {options, leaves_of, kOrigin, &ring});
  }

  [[nodiscard]] Result<wal::Recovery> recovered() { return wal::inspect(disk, options); }

  [[nodiscard]] std::vector<std::string> segments() {
    std::vector<std::string> paths;
    for (const std::string& path : disk.paths()) {
      if (path.ends_with(".wal")) paths.push_back(path);
    }
    return paths;
  }
};

bool names(const VerifyReport& report, const std::string& file) {
  for (const VerifyFinding& finding : report.findings) {
    if (finding.file == file || finding.message.find(file) != std::string::npos) return true;
  }
  return false;
}

std::string all_of(const VerifyReport& report) {
  std::string text;
  for (const VerifyFinding& finding : report.findings) text += finding.file + ": " + finding.message + '\n';
  return text;
}

TEST(Damage, AnUndamagedNodeIsClean) {
  for (const bool graceful : {true, false}) {
    Node node(40, "cluster-a", 1, graceful);
    const VerifyReport report = node.verified();
    EXPECT_EQ(all_of(report), "");
    EXPECT_THAT(report.remarks, ::testing::IsEmpty());
    EXPECT_EQ(report.leaves, 40U);
    EXPECT_GE(report.segments, 2U);
    EXPECT_EQ(report.snapshots, 2U);
    EXPECT_EQ(node.recovered()->entries.size(), 10U);
  }
}

// One bit, now this one and now that one, of each byte of each file.
void expect_every_byte_is_named(bool graceful) {
  Node node(20, "cluster-a", 1, graceful);
  const wal::Recovery before = *node.recovered();
  std::size_t files = 0;
  for (const std::string& path : node.disk.paths()) {
    const std::string contents = *node.disk.read(path);
    for (std::uint64_t bit = 0; bit < 8 * contents.size(); bit += 7) {  // every byte
      node.disk.flip_bit(path, bit);
      const VerifyReport report = node.verified();
      ASSERT_TRUE(names(report, path)) << path << ", bit " << bit << ": " << all_of(report);
      const auto found = node.recovered();
      if (found) {
        ASSERT_EQ(found->entries, before.entries) << path << ", bit " << bit;
        ASSERT_EQ(found->hard_state.term, before.hard_state.term);
        ASSERT_EQ(found->hard_state.vote, before.hard_state.vote);
        ASSERT_EQ(found->snapshot, before.snapshot);
      }
      node.disk.overwrite(path, contents);
    }
    ++files;
  }
  EXPECT_GE(files, 5U) << "segments, a snapshot, the mark, leaves and head";
}

TEST(Damage, EveryByteOfAGracefullyStoppedNodeIsNamed) { expect_every_byte_is_named(true); }
TEST(Damage, EveryByteOfAKilledNodeIsNamed) { expect_every_byte_is_named(false); }

// Where batches begin in a segment, and its end.
std::vector<std::uint64_t> batches_of(const std::string& segment) {
  std::vector<std::uint64_t> places;
  for (std::size_t at = segment.find(std::string("OLB\x01", 4)); at != std::string::npos;
       at = segment.find(std::string("OLB\x01", 4), at + 1)) {
    places.push_back(at);
  }
  places.push_back(segment.size());
  return places;
}

TEST(Damage, RemovedAndSwappedBatchesAreNamed) {
  Node node(40, "cluster-a", 1, true, 100'000);
  const std::string path = node.segments().back();
  const std::string contents = *node.disk.read(path);
  const auto places = batches_of(contents);
  ASSERT_GE(places.size(), 4U);
  const auto batch = [&](std::size_t i) { return contents.substr(places[i], places[i + 1] - places[i]); };
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    std::string without = contents;
    without.erase(places[i], places[i + 1] - places[i]);
    node.disk.overwrite(path, without);
    EXPECT_TRUE(names(node.verified(), path)) << "batch " << i << " removed";
    EXPECT_FALSE(node.recovered());
    if (i + 2 >= places.size()) continue;
    node.disk.overwrite(path, contents.substr(0, places[i]) + batch(i + 1) + batch(i) + contents.substr(places[i + 2]));
    EXPECT_TRUE(names(node.verified(), path)) << "batches " << i << " and the next swapped";
    EXPECT_FALSE(node.recovered());
  }
}

// Two records within one batch, of the same length, so that all lengths stay right.
TEST(Damage, SwappedRecordsAreNamed) {
  SimulatedDisk disk(Rng(1));
  const StorageOptions options{"data", "cluster-a", 1, 99};
  wal::Recovery found;
  auto storage = wal::Storage::open(disk, options, found);
  std::vector<raft::Entry> entries;
  for (raft::Index i = 1; i <= 3; ++i)
    entries.push_back({1, i, raft::EntryKind::command, "record" + std::to_string(i)});
  (*storage)->append(entries);
  ASSERT_TRUE((*storage)->close());
  const std::string path = "data/wal/00000000000000000001.wal";
  const std::string contents = *disk.read(path);
  const auto parsed = wal::read_segment(contents);
  ASSERT_TRUE(parsed);
  std::vector<std::uint64_t> offsets;
  for (const wal::Record& record : parsed->records) {
    if (record.entry) offsets.push_back(record.offset);
  }
  const std::size_t length = offsets[1] - offsets[0];
  std::string swapped = contents;
  swapped.replace(offsets[0], length, contents.substr(offsets[1], length));
  swapped.replace(offsets[1], length, contents.substr(offsets[0], length));
  disk.overwrite(path, swapped);
  const auto refused = wal::inspect(disk, options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(path + ", offset " + std::to_string(offsets[0])));
  EXPECT_THAT(refused.error().message, HasSubstr("let it join again"));
}

TEST(Damage, ATailCutAnywhereIsNamed) {
  Node node(40, "cluster-a", 1, false, 100'000);
  const std::string path = node.segments().back();
  const std::string contents = *node.disk.read(path);
  for (std::size_t size = 0; size < contents.size(); size += 7) {
    node.disk.overwrite(path, contents.substr(0, size));
    ASSERT_TRUE(names(node.verified(), path)) << "cut to " << size;
    ASSERT_FALSE(node.recovered());
  }
  const auto places = batches_of(contents);
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {  // at the end of a batch: the mark tells
    node.disk.overwrite(path, contents.substr(0, places[i]));
    EXPECT_TRUE(names(node.verified(), path)) << "cut before batch " << i;
  }
  node.disk.erase(path);
  EXPECT_FALSE(node.recovered());
  EXPECT_FALSE(node.verified().findings.empty());
}

// The mark after a power loss may be an old one. Then the leaf file and the signed head tell of the tail.
TEST(Damage, ATailCutTogetherWithTheMarkIsToldByTheTree) {
  Node longer(40, "cluster-a", 1, true, 100'000);
  Node shorter(36, "cluster-a", 1, true, 100'000);
  for (const std::string& path : longer.disk.paths()) {
    if (path.find("/wal/") != std::string::npos) longer.disk.overwrite(path, *shorter.disk.read(path));
  }
  ASSERT_TRUE(longer.recovered()) << "the log alone cannot know";
  const VerifyReport report = longer.verified();
  EXPECT_THAT(all_of(report), HasSubstr("the log's tail was cut"));
  EXPECT_THAT(all_of(report), HasSubstr("a head of 40 leaves was signed"));
  EXPECT_EQ(report.findings.at(0).leaf, 36U);
}

TEST(Damage, FilesOfAnotherClusterAndNodeAreRefused) {
  Node other(40, "cluster-b"), third(40, "cluster-a", 3);
  for (const std::string& path : other.disk.paths()) {
    Node node;
    if (!node.disk.read(path) || path == "data/tree/checkpoint") continue;
    node.disk.overwrite(path, *other.disk.read(path));
    EXPECT_TRUE(names(node.verified(), path)) << path;
    if (path != "data/tree/leaves") {
      EXPECT_FALSE(node.recovered()) << path;
      EXPECT_THAT(node.recovered().error().message, HasSubstr("of the cluster cluster-b")) << path;
    }
  }
  Node node;
  for (const std::string& path : third.disk.paths()) {
    if (path.find("/wal/") != std::string::npos) node.disk.overwrite(path, *third.disk.read(path));
  }
  EXPECT_THAT(node.recovered().error().message, HasSubstr("of node 3, this is node 1"));
}

TEST(Damage, MissingFilesAreNamed) {
  Node whole;
  for (const std::string& path : whole.disk.paths()) {
    if (path.find("/tree/") != std::string::npos) continue;  // both can be made anew
    Node node;
    node.disk.erase(path);
    const auto found = node.recovered();
    if (path == whole.segments().front() || path.ends_with("15.snap")) continue;  // the newer snapshot covers it
    const VerifyReport report = node.verified();
    EXPECT_TRUE(!found || !report.findings.empty() || !report.remarks.empty()) << path;
    if (path.ends_with("30.snap")) {
      ASSERT_TRUE(found) << "the older snapshot and the log replace it: " << found.error().message;
      EXPECT_EQ(found->snapshot->index, 15U);
      EXPECT_EQ(found->entries.size(), 25U);
      EXPECT_THAT(found->remarks.at(0), HasSubstr("30.snap: the snapshot is missing"));
    } else {
      EXPECT_FALSE(found) << path;
    }
  }
}

TEST(Damage, DamagedNewestSnapshotIsNamedAndReplacedByTheOlderOne) {
  Node node;
  const std::string path = "data/snap/00000000000000000030.snap";
  node.disk.flip_bit(path, 8 * 300);
  wal::Recovery found;
  const auto storage = wal::Storage::open(node.disk, node.options, found);
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ(found.snapshot->index, 15U);
  EXPECT_EQ(found.entries.size(), 25U);
  EXPECT_THAT(found.remarks.at(0), HasSubstr(path + ", offset "));
  ASSERT_TRUE((*storage)->save_snapshot({40, 4, {{1, 2, 3}, {}, {}}, node.state()}));
  EXPECT_TRUE(node.recovered());
  // Both damaged: nothing is left to start from.
  Node both;
  both.disk.flip_bit(path, 8 * 300);
  both.disk.flip_bit("data/snap/00000000000000000015.snap", 8 * 300);
  EXPECT_FALSE(both.recovered());
}

TEST(Damage, AChangedLeafIsNamed) {
  Node node;
  std::string leaves = *node.disk.read("data/tree/leaves");
  leaves[wal::LeafFile::offset(23) + 5] ^= 1;
  node.disk.overwrite("data/tree/leaves", leaves);
  const VerifyReport report = node.verified();
  ASSERT_EQ(report.findings.size(), 1U) << all_of(report);
  EXPECT_EQ(report.findings[0].leaf, 23U);
  EXPECT_EQ(report.findings[0].offset, wal::LeafFile::offset(23));
}

// An attacker who knows the format writes a log of other entries, checksums and mark right: the tree tells the leaf.
TEST(Damage, ARewrittenLogWithRightChecksumsIsToldByTheTree) {
  Node node;
  SimulatedDisk disk(Rng(1));
  wal::Recovery found;
  {
    auto storage = wal::Storage::open(disk, node.options, found);
    (*storage)->set_hard_state({4, 2, 0});
    auto entries = node.recovered()->entries;
    ASSERT_TRUE((*storage)->save_snapshot(*node.recovered()->snapshot));
    entries[5].data = "forged";
    (*storage)->append(entries);
    ASSERT_TRUE((*storage)->close());
  }
  for (const char* file : {"leaves", "checkpoint"}) {
    ASSERT_TRUE(disk.make_directory("data/tree"));
    disk.overwrite(std::string("data/tree/") + file, *node.disk.read(std::string("data/tree/") + file));
  }
  const tree::KeyRing ring(kOrigin, {signing_key().verifier()});
  const VerifyReport report = verify(disk, {node.options, leaves_of, kOrigin, &ring});
  ASSERT_EQ(report.findings.size(), 2U) << all_of(report);
  EXPECT_EQ(report.findings[0].leaf, 35U);
  EXPECT_EQ(report.findings[1].file, "data/tree/checkpoint");
}

TEST(Damage, HeadsOfStrangersAreNamed) {
  Node node;
  const tree::SigningKey stranger(kOrigin, {2}), ours = signing_key();
  const std::string path = "data/tree/checkpoint";
  node.disk.overwrite(path, tree::sign_checkpoint({kOrigin, 40, node.tree.root(), {}}, {&stranger}));
  EXPECT_THAT(all_of(node.verified()), HasSubstr("no known key signed"));
  node.disk.overwrite(path, tree::sign_checkpoint({"other.example", 40, node.tree.root(), {}}, {&ours}));
  EXPECT_THAT(all_of(node.verified()), HasSubstr("other.example"));
  node.disk.overwrite(path, "not a note");
  EXPECT_TRUE(names(node.verified(), path));
}

}  // namespace
}  // namespace ordeal::log
