#include "tests/fuzz/log_inputs.h"

#include "targets/log/server/tree/audit.h"
#include "targets/log/server/tree/key_ring.h"
#include "targets/log/server/tree/tiles.h"
#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/crc32c.h"
#include "targets/log/server/wal/mark.h"
#include "targets/log/server/wal/segment.h"
#include "targets/log/server/wal/simulated_disk.h"
#include "targets/log/server/wal/snapshot_file.h"
#include "targets/log/server/wal/storage.h"

namespace ordeal::testing {
namespace {

using namespace ordeal::log;
using wal::ByteReader;

constexpr std::uint64_t kSalt = 7;
constexpr const char* kOrigin = "log.example";

wal::StorageOptions options() { return {"data", "c", 1, kSalt, 4096, 2}; }

tree::SigningKey key() { return {kOrigin, {1}}; }

template <class T>
Refusal refusal(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error();
}

template <class Read>
std::function<Refusal(const std::string&)> total(Read read) {
  return [read](const std::string& text) {
    read(text);
    return Refusal();
  };
}

void put(std::string& bytes, std::size_t at, std::uint32_t number) {
  std::string encoded;
  wal::put_number(encoded, number);
  bytes.replace(at, encoded.size(), encoded);
}

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  return ByteReader(std::string_view(bytes).substr(at)).number<std::uint32_t>();
}

// All checksums of a segment put right, as far as its lengths lead, so that what lies behind them is read.
std::string with_right_checksums(std::string segment) {
  if (segment.size() < wal::kSegmentHeaderBytes) return segment;
  put(segment, wal::kSegmentHeaderBytes - 4,
      wal::crc32c(std::string_view(segment).substr(0, wal::kSegmentHeaderBytes - 4)));
  const auto header = wal::decode_segment_header(segment);
  if (!header) return segment;
  std::string salt;
  wal::put_number(salt, header->salt);
  std::uint32_t chain = header->chain;
  for (std::size_t at = wal::kSegmentHeaderBytes; at + wal::kBatchHeaderBytes <= segment.size();) {
    put(segment, at + 20, chain);
    put(segment, at + wal::kBatchHeaderBytes - 4,
        wal::crc32c(std::string_view(segment).substr(at, wal::kBatchHeaderBytes - 4), wal::crc32c(salt)));
    const std::size_t end = at + wal::kBatchHeaderBytes + number_at(segment, at + 4);
    at += wal::kBatchHeaderBytes;
    while (at + wal::kRecordHeaderBytes <= std::min(end, segment.size())) {
      const std::size_t length = number_at(segment, at);
      const std::string_view all = segment;
      chain = wal::crc32c(all.substr(at + wal::kRecordHeaderBytes, length), wal::crc32c(all.substr(at, 4), chain));
      put(segment, at + 4, chain);
      at += wal::kRecordHeaderBytes + length;
    }
  }
  return segment;
}

std::string segment_sample() {
  std::string segment = wal::encode_segment_header({"c", 1, 1, 1, kSalt, 0});
  wal::BatchWriter first(0);
  first.add(raft::HardState{3, 2, 1});
  first.add(wal::LogBase{0, 0, true});
  first.add(raft::Entry{3, 1, raft::EntryKind::no_op, ""});
  segment += first.finish(1, kSalt);
  wal::BatchWriter second(first.chain());
  second.add(raft::Entry{3, 2, raft::EntryKind::command, "put k 1"});
  second.add(raft::Entry{3, 3, raft::EntryKind::configuration, "1,2,3"});
  return segment + second.finish(2, kSalt);
}

// A node that finds this segment, as it is and with its checksums put right, recovers or refuses, and goes on.
void segment(const std::string& text) {
  for (const std::string& bytes : {text, with_right_checksums(text)}) {
    wal::SimulatedDisk disk(Rng(1));
    for (const char* folder : {"data", "data/wal", "data/snap"}) (void)disk.make_directory(folder);
    const std::string slot = wal::encode_mark_slot({"c", 1, 0, 0, 0, 0});
    disk.overwrite("data/wal/mark", slot + slot);
    disk.overwrite("data/wal/" + wal::segment_name(1), bytes);
    wal::Recovery found;
    const auto storage = wal::Storage::open(disk, options(), found);
    if (!storage) continue;
    const raft::Index next = (*storage)->last_index() + 1;
    (*storage)->append(std::vector{raft::Entry{4, next, raft::EntryKind::command, "next"}});
    ORDEAL_CHECK((*storage)->sync().has_value(), "what was recovered goes on");
    const auto again = wal::inspect(disk, options());
    ORDEAL_CHECK(again && again->entries.size() == found.entries.size() + 1, "and is recovered again");
  }
}

std::string snapshot_sample() {
  return wal::encode_snapshot("c", {7, 3, {{1, 2, 3}, {1, 2}, {4}}, std::string(70'000, 's')});
}

// As it is, and as one whose header's checksum is right.
void snapshot(const std::string& text) {
  (void)wal::decode_snapshot(text);
  static constexpr std::size_t kCounts = 8 + 4 + 68 + 16;
  if (text.size() < kCounts + 20) return;
  const std::uint64_t members =
      std::uint64_t{number_at(text, kCounts)} + number_at(text, kCounts + 4) + number_at(text, kCounts + 8);
  const std::uint64_t crc_at = kCounts + 20 + 8 * members;
  if (crc_at + 4 > text.size()) return;
  std::string right = text;
  put(right, crc_at, wal::crc32c(std::string_view(right).substr(0, crc_at)));
  const auto file = wal::decode_snapshot(right);
  ORDEAL_CHECK(!file || file->snapshot.configuration.voters.size() <= members, "no more members than are counted");
}

void mark(const std::string& text) {
  (void)wal::decode_mark_file(text);
  std::string right = text;
  right.resize(wal::kMarkBytes, '\0');
  for (const std::size_t slot : {std::size_t{0}, wal::kMarkSlotBytes}) {
    put(right, slot + wal::kMarkSlotBytes - 4,
        wal::crc32c(std::string_view(right).substr(slot, wal::kMarkSlotBytes - 4)));
  }
  (void)wal::decode_mark_file(right);
}

std::string note_sample() {
  const tree::SigningKey ours = key();
  return tree::sign_checkpoint({kOrigin, 12, tree::empty_root(), {"more"}}, {&ours});
}

Refusal note(const std::string& text) {
  const auto parsed = tree::parse_note(text);
  (void)tree::KeyRing(kOrigin, {key().verifier()}).open(text);
  if (!parsed) return parsed.error();
  const auto again = tree::parse_note(tree::format_note(*parsed));
  ORDEAL_CHECK(again && *again == *parsed, "a note is read as it is written");
  return std::nullopt;
}

Refusal checkpoint(const std::string& text) {
  const auto parsed = tree::parse_checkpoint(text);
  if (!parsed) return parsed.error();
  ORDEAL_CHECK(tree::format_checkpoint(*parsed) == text, "a checkpoint has one spelling");
  return std::nullopt;
}

Refusal tile_path(const std::string& text) {
  const auto parsed = tree::parse_tile_path(text);
  if (!parsed) return parsed.error();
  ORDEAL_CHECK(tree::tile_path(*parsed) == text, "a tile's path has one spelling");
  return std::nullopt;
}

std::string bundle_sample() {
  std::string bundle;
  for (const char* entry : {"first", "", "third"}) tree::add_to_bundle(bundle, entry);
  return bundle;
}

std::string audit_sample() {
  const tree::SigningKey ours = key();
  auto audit = tree::Audit::begin(tree::KeyRing(kOrigin, {ours.verifier()}), "");
  const std::string entry = "entry";
  const std::string head = tree::sign_checkpoint({kOrigin, 1, tree::leaf_hash(entry), {}}, {&ours});
  (void)audit->round({{"n1", [&](const std::string& path) -> Result<std::string> {
                         tree::Tree tree;
                         tree.append(entry);
                         if (path == "checkpoint") return head;
                         const auto tile = tree::parse_tile_path(path);
                         if (tile && !tile->entries) return tree::tile_bytes(tree, *tile);
                         std::string bundle;
                         tree::add_to_bundle(bundle, entry);
                         return bundle;
                       }}});
  return audit->kept();
}

}  // namespace

std::vector<FuzzedInput> log_inputs() {
  const std::string change =
      tree::format_key_change({tree::KeyChange::Kind::retire, kOrigin, {}, key().verifier().label(), 9});
  return {
      {"log_segment", segment_sample(), total(segment), true},
      {"log_snapshot", snapshot_sample(), total(snapshot), true},
      {"log_mark",
       std::string(wal::encode_mark_slot({"c", 1, 1, 2, 3, 4})) + wal::encode_mark_slot({"c", 1, 1, 3, 4, 5}),
       total(mark), true},
      {"log_note", note_sample(), note},
      {"log_checkpoint", tree::parse_note(note_sample())->text, checkpoint},
      {"log_key", key().verifier().text(),
       [](const std::string& text) { return refusal(tree::VerifierKey::parse(text)); }},
      {"log_key_change", change, [](const std::string& text) { return refusal(tree::parse_key_change(text)); }},
      {"log_tile_path", "tile/1/x001/x234/067.p/17", tile_path},
      {"log_bundle", bundle_sample(), [](const std::string& text) { return refusal(tree::parse_bundle(text, 3)); }},
      {"log_audit", audit_sample(),
       [](const std::string& text) {
         return refusal(tree::Audit::begin(tree::KeyRing(kOrigin, {key().verifier()}), text));
       }},
  };
}

}  // namespace ordeal::testing
