#pragma once
// Api: what clients see of a node, as HTTP and JSON. doc: targets/log/doc/api.md.
//
// Every answer tells term, index and leader. An error has one shape, {"error":{"code","message","outcome","details"}},
// whose `outcome` is honest: "not-applied" (it certainly had no effect and never will) or "unknown".
// Thread-safety: handle() from any thread.

#include <atomic>
#include <string>

#include "targets/log/server/node/http_server.h"
#include "targets/log/server/node/replica.h"
#include "targets/log/server/node/requests.h"
#include "targets/log/server/node/transparency.h"

namespace ordeal::log::node {

class Api {
 public:
  // Borrows all of them.
  Api(const NodeOptions& options, const Identity& identity, Replica& replica, const Transparency& transparency)
      : options_(options), identity_(identity), replica_(replica), transparency_(transparency) {}

  [[nodiscard]] HttpOut handle(const HttpIn& in);

 private:
  // Requests of the state.
  [[nodiscard]] HttpOut ask(const Verb& verb, const HttpIn& in);
  [[nodiscard]] HttpOut change(const Verb& verb, const HttpIn& in, const state::Command& command, const Manner& manner);
  [[nodiscard]] HttpOut look(const Verb& verb, const HttpIn& in, const state::Query& query, const Manner& manner);
  [[nodiscard]] Outcome submit(const state::Command& command, const Manner& manner, Deadline deadline);
  [[nodiscard]] Outcome barrier(const Manner& manner, Deadline deadline);
  [[nodiscard]] HttpOut answer(const Verb& verb, const state::Answer& answer, raft::Term term) const;
  [[nodiscard]] HttpOut problem(const HttpIn& in, const Outcome& outcome) const;
  [[nodiscard]] HttpOut error(int status, std::string_view code, std::string_view message, std::string_view outcome,
                              std::string_view details = "{}") const;
  [[nodiscard]] std::string leader_name(raft::NodeId leader) const;
  [[nodiscard]] Deadline deadline_of(const Manner& manner) const;

  // Everything else: api_admin.cc.
  [[nodiscard]] HttpOut other(const HttpIn& in);
  [[nodiscard]] HttpOut proof(const HttpIn& in) const;
  [[nodiscard]] HttpOut status() const;
  [[nodiscard]] HttpOut members(const HttpIn& in);
  [[nodiscard]] HttpOut add_member(const HttpIn& in);
  [[nodiscard]] HttpOut remove_member(const HttpIn& in);
  [[nodiscard]] HttpOut hand_over(const HttpIn& in);
  [[nodiscard]] HttpOut ready();
  [[nodiscard]] HttpOut metrics() const;
  [[nodiscard]] std::string member_list(const raft::Status& status) const;

  const NodeOptions& options_;
  const Identity& identity_;
  Replica& replica_;
  const Transparency& transparency_;
  std::atomic<std::uint64_t> in_flight_ = 0;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<std::uint64_t> too_many_ = 0;
  mutable std::atomic<std::uint64_t> unknown_ = 0;
};

}  // namespace ordeal::log::node
