// The spellings of enumerators.

#include "targets/log/server/raft/message.h"
#include "targets/log/server/raft/raft.h"

namespace ordeal::log::raft {

std::string_view name(MessageKind kind) {
  switch (kind) {
    case MessageKind::pre_vote_request:
      return "pre_vote_request";
    case MessageKind::pre_vote_response:
      return "pre_vote_response";
    case MessageKind::vote_request:
      return "vote_request";
    case MessageKind::vote_response:
      return "vote_response";
    case MessageKind::append_request:
      return "append_request";
    case MessageKind::append_response:
      return "append_response";
    case MessageKind::heartbeat:
      return "heartbeat";
    case MessageKind::heartbeat_response:
      return "heartbeat_response";
    case MessageKind::snapshot_chunk:
      return "snapshot_chunk";
    case MessageKind::snapshot_response:
      return "snapshot_response";
    case MessageKind::timeout_now:
      return "timeout_now";
  }
  return "?";
}

std::string_view name(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre_candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "?";
}

std::string_view name(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::not_leader:
      return "not_leader";
    case Refusal::transferring:
      return "transferring";
    case Refusal::busy:
      return "busy";
    case Refusal::too_large:
      return "too_large";
    case Refusal::change_pending:
      return "change_pending";
    case Refusal::bad_members:
      return "bad_members";
    case Refusal::lagging:
      return "lagging";
    case Refusal::bad_target:
      return "bad_target";
  }
  return "?";
}

}  // namespace ordeal::log::raft
