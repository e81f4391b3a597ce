#pragma once
// What the nodes of ordeal-log say to each other. One struct for all kinds: the table says which fields a kind uses;
// all others have their default. On the wire: codec.h.
//
// kind                fields
//
// pre_vote_request    term: the one it would campaign in; index, log_term: of its last entry
// pre_vote_response   granted; term: the one asked for if granted, else the voter's own
// vote_request        index, log_term: of its last entry; forced: on a leader's order, voters heed no lease
// vote_response       granted
// append_request      index, log_term: of the entry before `entries`; entries; commit
// append_response     granted: index is the last entry that certainly matches;
//                     else index, log_term: where to look next, and rejected: the `index` of the request
// heartbeat           commit; round: to be sent back
// heartbeat_response  round
// snapshot_chunk      index, log_term: of the snapshot; configuration, total, offset, data
// snapshot_response   index: of the snapshot; offset: up to where the receiver has it
// timeout_now         the leader orders the receiver to campaign at once [O 3.10]
//
// Thread-safety: a value.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "targets/log/server/raft/types.h"

namespace ordeal::log::raft {

enum class MessageKind : std::uint8_t {
  pre_vote_request = 1,
  pre_vote_response = 2,
  vote_request = 3,
  vote_response = 4,
  append_request = 5,
  append_response = 6,
  heartbeat = 7,
  heartbeat_response = 8,
  snapshot_chunk = 9,
  snapshot_response = 10,
  timeout_now = 11,
};
// "pre_vote_request", …
[[nodiscard]] std::string_view name(MessageKind kind);

struct Message {
  MessageKind kind = MessageKind::heartbeat;
  NodeId from = kNobody;
  NodeId to = kNobody;
  Term term = 0;  // of the sender, but for pre_vote_request
  Index index = 0;
  Term log_term = 0;
  Index commit = 0;
  Index rejected = 0;
  bool granted = false;
  bool forced = false;
  std::uint64_t round = 0;
  std::vector<Entry> entries;
  Configuration configuration;
  std::uint64_t total = 0;   // bytes of the whole snapshot
  std::uint64_t offset = 0;  // bytes before `data`
  std::string data;

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace ordeal::log::raft
