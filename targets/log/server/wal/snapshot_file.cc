#include "targets/log/server/wal/snapshot_file.h"

#include <algorithm>

#include "targets/log/server/bugs.h"
#include "targets/log/server/wal/bytes.h"
#include "targets/log/server/wal/crc32c.h"
#include "targets/log/server/wal/segment.h"

namespace ordeal::log::wal {
namespace {

constexpr std::string_view kMagic("ORDLSNP\x01", 8);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kBlock = std::size_t{64} << 10;
constexpr std::size_t kFixedBytes = 8 + 4 + 4 + kMaxCluster + 8 + 8 + 12 + 8;  // magic … state's length

tl::unexpected<SnapshotDamage> damage(std::uint64_t offset, std::string what) {
  return tl::unexpected(SnapshotDamage{offset, std::move(what)});
}

void put_members(std::string& out, const std::vector<raft::NodeId>& members) {
  for (const raft::NodeId id : members) put_number(out, id);
}

void take_members(ByteReader& reader, std::uint32_t count, std::vector<raft::NodeId>& members) {
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) members.push_back(reader.number<std::uint64_t>());
}

}  // namespace

std::string encode_snapshot(const std::string& cluster, const raft::Snapshot& snapshot) {
  const raft::Configuration& members = snapshot.configuration;
  std::string out(kMagic);
  out.reserve(kFixedBytes + snapshot.state.size() + snapshot.state.size() / kBlock * 4 + 1024);
  put_number(out, kVersion);
  put_cluster(out, cluster);
  put_number(out, snapshot.index);
  put_number(out, snapshot.term);
  put_number(out, static_cast<std::uint32_t>(members.voters.size()));
  put_number(out, static_cast<std::uint32_t>(members.outgoing.size()));
  put_number(out, static_cast<std::uint32_t>(members.learners.size()));
  put_number(out, static_cast<std::uint64_t>(snapshot.state.size()));
  put_members(out, members.voters);
  put_members(out, members.outgoing);
  put_members(out, members.learners);
  std::uint32_t chain = crc32c(out);
  put_number(out, chain);
  for (std::size_t at = 0; at < snapshot.state.size(); at += kBlock) {
    const std::string_view block = std::string_view(snapshot.state).substr(at, kBlock);
    chain = crc32c(block, chain);
    put_number(out, chain);
    out += block;
  }
  return out;
}

tl::expected<SnapshotFile, SnapshotDamage> decode_snapshot(std::string_view file) {
  const bool check = !bug(Bug::crc_not_checked);
  if (!file.starts_with(kMagic)) return damage(0, "it does not begin as a snapshot does");
  ByteReader reader(file.substr(kMagic.size()));
  const auto version = reader.number<std::uint32_t>();
  if (version != kVersion) return damage(kMagic.size(), "it has version " + std::to_string(version) + " of the format");
  SnapshotFile out;
  out.cluster = take_cluster(reader);
  out.snapshot.index = reader.number<std::uint64_t>();
  out.snapshot.term = reader.number<std::uint64_t>();
  const auto voters = reader.number<std::uint32_t>();
  const auto outgoing = reader.number<std::uint32_t>();
  const auto learners = reader.number<std::uint32_t>();
  const auto state_bytes = reader.number<std::uint64_t>();
  take_members(reader, voters, out.snapshot.configuration.voters);
  take_members(reader, outgoing, out.snapshot.configuration.outgoing);
  take_members(reader, learners, out.snapshot.configuration.learners);
  const std::size_t header_bytes = file.size() - reader.rest().size();
  std::uint32_t chain = crc32c(file.substr(0, header_bytes));
  const auto crc = reader.number<std::uint32_t>();
  if (!reader.ok()) return damage(0, "its header is not there whole");
  if (crc != chain && check) return damage(0, "the checksum of its header is wrong");
  while (out.snapshot.state.size() < state_bytes) {
    const std::uint64_t offset = file.size() - reader.rest().size();
    const auto block_crc = reader.number<std::uint32_t>();
    const std::size_t length = std::min<std::uint64_t>(kBlock, state_bytes - out.snapshot.state.size());
    const std::string_view block = reader.bytes(length);
    if (!reader.ok()) return damage(offset, "it ends before its state does");
    chain = crc32c(block, chain);
    if (block_crc != chain && check) return damage(offset, "the checksum of a block of its state is wrong");
    out.snapshot.state += block;
  }
  if (!reader.rest().empty()) return damage(file.size() - reader.rest().size(), "bytes follow after its state");
  return out;
}

std::string snapshot_name(raft::Index index) {
  std::string name = segment_name(index);
  name.resize(name.size() - 4);
  return name + ".snap";
}

std::optional<raft::Index> snapshot_index(std::string_view name) {
  if (!name.ends_with(".snap")) return std::nullopt;
  return segment_number(std::string(name.substr(0, name.size() - 5)) + ".wal");
}

}  // namespace ordeal::log::wal
