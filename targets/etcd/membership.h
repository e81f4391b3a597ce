#pragma once
// EtcdMembership: members leave and come back while the cluster works, over etcd's member API.
//
// Who is a member is asked of another member right after a linearizable read of the same connection, so that a member
// that lags behind is not believed. Requests are repeated, to one member after the other, until such a look shows what
// was wanted: a removal names the member's id and an addition its address, and etcd refuses either the second time, so
// nothing is ever done twice. With etcd's default --strict-reconfig-check an addition is refused until all members
// have been connected for five seconds; that is waited for.
//
// A node that comes back starts with nothing on its disk, --initial-cluster-state=existing and the members of that
// moment.
//
// Thread-safety: all methods from any thread.

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "harness/interfaces/target.h"
#include "targets/etcd/api.h"
#include "targets/etcd/etcd_scripts.h"

namespace ordeal {

class EtcdMembership final : public Target::Membership {
 public:
  using Erase = std::function<Result<void>(Node&)>;  // ends the member's processes and deletes its data
  using RejoinScript = std::function<std::string(const Node&)>;
  // Borrows the members, which stay as they are.
  EtcdMembership(const std::vector<EtcdMember>& members, std::int64_t client_port, std::int64_t peer_port, Erase erase,
                 RejoinScript rejoin_script);

  Result<std::vector<Member>> members(Node& asked, Deadline deadline) override;
  Result<void> remove(Node& node, Deadline deadline) override;
  Result<void> add(Node& node, Deadline deadline) override;
  std::string rejoin_script(const Node& node) override { return rejoin_script_(node); }

  [[nodiscard]] bool is_out(std::size_t node) const;
  // The argument --initial-cluster for a node that has come back; empty for one that never left.
  [[nodiscard]] std::string joins(std::size_t node, Deadline deadline);

 private:
  using Entries = std::vector<EtcdMemberEntry>;
  struct Seat {
    bool out = false;
    std::string joins;  // of a node that has come back
  };
  [[nodiscard]] std::size_t index_of(const Node& node) const;
  [[nodiscard]] std::string client_url(std::size_t node) const {
    return etcd_url(members_[node].address, client_port_);
  }
  [[nodiscard]] std::string peer_url(std::size_t node) const { return etcd_url(members_[node].address, peer_port_); }
  // The node whose peer address the entry has.
  [[nodiscard]] std::optional<std::size_t> node_of(const EtcdMemberEntry& entry) const;
  [[nodiscard]] std::string cluster_argument(const Entries& entries) const;
  // What another member knows after a linearizable read.
  [[nodiscard]] EtcdAnswer<Entries> look(EtcdApi& api, Deadline deadline) const;
  // Until the node is (not) among the members. Returns the members then.
  [[nodiscard]] Result<Entries> settle(std::size_t node, bool wanted, Deadline deadline);

  const std::vector<EtcdMember>& members_;
  const std::int64_t client_port_;
  const std::int64_t peer_port_;
  const Erase erase_;
  const RejoinScript rejoin_script_;
  mutable std::mutex mutex_;  // guards seats_
  std::vector<Seat> seats_;
};

}  // namespace ordeal
