#include "targets/log/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace ordeal {
namespace {

using std::chrono::milliseconds;

constexpr auto kEachRequest = milliseconds(5'000);
constexpr auto kPause = milliseconds(200);

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

}  // namespace

LogMembership::LogMembership(const Options& options, const std::vector<LogMember>& members, Erase erase,
                             RejoinScript rejoin_script)
    : options_(options),
      members_(members),
      erase_(std::move(erase)),
      rejoin_script_(std::move(rejoin_script)),
      seats_(members.size()) {}

std::size_t LogMembership::index_of(const Node& node) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].name == node.name()) return i;
  }
  ORDEAL_CHECK(false, "a node that is not of this cluster");
}

std::string LogMembership::url(std::size_t node) const {
  return "http://" + log_client_address(options_, members_[node]);
}

bool LogMembership::is_out(std::size_t node) const {
  const std::lock_guard lock(mutex_);
  return seats_[node].out;
}

bool LogMembership::joins(std::size_t node) const {
  const std::lock_guard lock(mutex_);
  return seats_[node].joins;
}

LogAnswer<std::vector<LogMembership::Entry>> LogMembership::look(std::size_t asked, const char* consistency,
                                                                 Deadline deadline) const {
  LogApi api(url(asked));
  const auto answer = api.get(std::string("/v1/members?consistency=") + consistency, deadline);
  if (!answer) return tl::unexpected(answer.error());
  const Value* list = answer->find("members");
  std::vector<Entry> out;
  if (list == nullptr || !list->is_list())
    return tl::unexpected(LogProblem{false, "foreign-answer", "no members", 200});
  for (const Value& one : list->items()) {
    const Value* id = one.find("id");
    if (id == nullptr || !id->is_integer()) continue;
    out.push_back({id->integer(), text_of(one, "peer"), text_of(one, "role") == "voter"});
  }
  return out;
}

Result<void> LogMembership::settle(std::size_t node, bool wanted, Deadline deadline) {
  const std::string peer = log_peer_address(options_, members_[node]);
  std::string problem = "there is no other member to ask";
  // The others first; who shall leave is asked as well, since it may be the leader, which alone can change members.
  const std::size_t choices = wanted ? members_.size() - 1 : members_.size();
  for (std::size_t turn = 0; members_.size() > 1 && !deadline.passed(); ++turn) {
    const std::size_t asked = (node + 1 + turn % choices) % members_.size();
    if (is_out(asked)) continue;
    const auto entries = look(asked, "linearizable", deadline.within(kEachRequest));
    if (entries) {
      const auto entry =
          std::find_if(entries->begin(), entries->end(), [&](const Entry& one) { return one.peer == peer; });
      if ((entry != entries->end()) == wanted) return {};
      Value request;
      if (wanted) {
        request.set("name", members_[node].name);
        request.set("peer", peer);
        request.set("client", log_client_address(options_, members_[node]));
      } else {
        request.set("id", entry->id);
      }
      LogApi api(url(asked));
      const auto changed = api.post(wanted ? "/v1/members" : "/v1/members/remove", request, deadline.within_s(25));
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

Result<std::vector<Target::Membership::Member>> LogMembership::members(Node& asked, Deadline deadline) {
  const auto entries = look(index_of(asked), "local", deadline);
  if (!entries) return fail(ErrorCode::target, asked.name() + ": " + entries.error().message);
  std::vector<Member> out;
  for (const Entry& entry : *entries) {
    std::string name;
    for (const LogMember& member : members_) {
      if (log_peer_address(options_, member) == entry.peer) name = member.name;
    }
    out.push_back({std::to_string(entry.id), name, entry.voter});
  }
  return out;
}

Result<void> LogMembership::remove(Node& node, Deadline deadline) {
  const std::size_t self = index_of(node);
  if (auto gone = settle(self, false, deadline); !gone) return gone;
  {
    const std::lock_guard lock(mutex_);
    seats_[self] = {true, true};
  }
  return erase_(node);
}

Result<void> LogMembership::add(Node& node, Deadline deadline) {
  const std::size_t self = index_of(node);
  if (auto there = settle(self, true, deadline); !there) return there;
  const std::lock_guard lock(mutex_);
  seats_[self].out = false;
  return {};
}

}  // namespace ordeal
