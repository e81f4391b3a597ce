#include "targets/etcd/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kEachRequest = milliseconds(3'000);
constexpr auto kPause = milliseconds(200);

Deadline within(Deadline deadline, milliseconds patience) { return deadline.within(patience); }

}  // namespace

EtcdMembership::EtcdMembership(const std::vector<EtcdMember>& members, std::int64_t client_port, std::int64_t peer_port,
                               Erase erase, RejoinScript rejoin_script)
    : members_(members),
      client_port_(client_port),
      peer_port_(peer_port),
      erase_(std::move(erase)),
      rejoin_script_(std::move(rejoin_script)),
      seats_(members.size()) {}

std::size_t EtcdMembership::index_of(const Node& node) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].name == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

std::optional<std::size_t> EtcdMembership::node_of(const EtcdMemberEntry& entry) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (std::find(entry.peer_urls.begin(), entry.peer_urls.end(), peer_url(i)) != entry.peer_urls.end()) return i;
  }
  return std::nullopt;
}

bool EtcdMembership::is_out(std::size_t node) const {
  const std::lock_guard lock(mutex_);
  return seats_[node].out;
}

std::string EtcdMembership::cluster_argument(const Entries& entries) const {
  std::string out;
  for (const EtcdMemberEntry& entry : entries) {
    const auto node = node_of(entry);
    // A member that has not joined yet has no name of its own; its node will start under that of the node.
    const std::string name = !entry.name.empty() || !node ? entry.name : members_[*node].name;
    for (const auto& url : entry.peer_urls) out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, url);
  }
  return out;
}

EtcdAnswer<EtcdMembership::Entries> EtcdMembership::look(EtcdApi& api, Deadline deadline) const {
  const auto read = api.range({"ordeal/membership"}, deadline);
  if (!read) return tl::unexpected(read.error());
  return api.members(deadline);
}

Result<EtcdMembership::Entries> EtcdMembership::settle(std::size_t node, bool wanted, Deadline deadline) {
  std::string problem = "there is no other member to ask";
  const std::size_t others = members_.size() - 1;
  for (std::size_t turn = 0; others > 0 && steady_clock::now() < deadline; ++turn) {
    const std::size_t asked = (node + 1 + turn % others) % members_.size();
    if (is_out(asked)) continue;
    EtcdApi api(client_url(asked));
    auto entries = look(api, within(deadline, kEachRequest));
    EtcdAnswer<void> changed;
    if (entries) {
      const auto entry = std::find_if(entries->begin(), entries->end(),
                                      [&](const EtcdMemberEntry& one) { return node_of(one) == node; });
      if ((entry != entries->end()) == wanted) return *std::move(entries);
      const Deadline each = within(deadline, kEachRequest);
      changed = wanted ? api.add_member(peer_url(node), each) : api.remove_member(entry->id, each);
      if (changed) continue;  // looked at in the next turn
      problem = fmt::format("{}: {}", members_[asked].name, changed.error().message);
    } else {
      problem = fmt::format("{}: {}", members_[asked].name, entries.error().message);
    }
    std::this_thread::sleep_for(kPause);
  }
  return fail(ErrorCode::target,
              fmt::format("{} is {} member yet: {}", members_[node].name, wanted ? "no" : "still a", problem));
}

Result<std::vector<Target::Membership::Member>> EtcdMembership::members(Node& asked, Deadline deadline) {
  EtcdApi api(client_url(index_of(asked)));
  const auto entries = api.members(deadline);
  if (!entries) return fail(ErrorCode::target, asked.name() + ": " + entries.error().message);
  std::vector<Member> out;
  for (const EtcdMemberEntry& entry : *entries) {
    const auto node = node_of(entry);
    out.push_back({fmt::format("{:x}", entry.id), node ? members_[*node].name : "", !entry.name.empty()});
  }
  return out;
}

Result<void> EtcdMembership::remove(Node& node, Deadline deadline) {
  const std::size_t self = index_of(node);
  if (auto gone = settle(self, false, deadline); !gone) return fail(gone.error());
  {
    const std::lock_guard lock(mutex_);
    seats_[self].out = true;
  }
  // etcd ends by itself when it hears of its removal, if it does.
  return erase_(node);
}

Result<void> EtcdMembership::add(Node& node, Deadline deadline) {
  const std::size_t self = index_of(node);
  auto entries = settle(self, true, deadline);
  if (!entries) return fail(entries.error());
  const std::lock_guard lock(mutex_);
  // One that was never out keeps its data, and with it everything that it knows of the cluster.
  if (std::exchange(seats_[self].out, false)) seats_[self].joins = cluster_argument(*entries);
  return {};
}

std::string EtcdMembership::joins(std::size_t node, Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (seats_[node].joins.empty()) return "";
  }
  // Others may have come or gone since; etcd insists on the members of the moment when it has nothing on its disk, and
  // does not look at them when it has.
  for (std::size_t i = 1; i < members_.size(); ++i) {
    const std::size_t asked = (node + i) % members_.size();
    if (is_out(asked)) continue;
    EtcdApi api(client_url(asked));
    const auto entries = look(api, within(deadline, kEachRequest));
    if (!entries) continue;
    const std::lock_guard lock(mutex_);
    seats_[node].joins = cluster_argument(*entries);
    break;
  }
  const std::lock_guard lock(mutex_);
  return seats_[node].joins;
}

}  // namespace ordeal
