#include "targets/process/shell_membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/names.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kEachCommand = milliseconds(5'000);
constexpr auto kPause = milliseconds(200);
constexpr const char* kKeys[] = {"process.members", "process.leave", "process.join"};

ShellCommands::Variables asking(const Node& peer) { return {{"PEER", peer.name()}, {"PEER_ADDRESS", peer.address()}}; }

milliseconds left_of(Deadline deadline) { return std::clamp(deadline.remaining(), milliseconds(100), kEachCommand); }

}  // namespace

Result<bool> ShellMembership::wanted(const Options& options) {
  std::vector<std::string> given;
  std::vector<std::string> missing;
  for (const char* key : kKeys) (options.string(key).empty() ? missing : given).emplace_back(key);
  if (given.empty()) return false;
  if (missing.empty()) return true;
  return fail(ErrorCode::usage,
              fmt::format("{} needs {}, too: members leave and come back, and their list is the proof", joined(given),
                          joined(missing)));
}

ShellMembership::ShellMembership(Cluster& cluster, const ShellCommands& commands, Erase erase,
                                 StartJoining start_joining)
    : cluster_(cluster),
      commands_(commands),
      erase_(std::move(erase)),
      start_joining_(std::move(start_joining)),
      seats_(cluster.size()) {}

bool ShellMembership::is_out(const Node& node) const {
  const std::lock_guard lock(mutex_);
  return seats_[commands_.index_of(node)].out;
}

bool ShellMembership::joins(const Node& node) const {
  const std::lock_guard lock(mutex_);
  return seats_[commands_.index_of(node)].joins;
}

std::string ShellMembership::node_of(const std::string& word) const {
  for (const auto& node : cluster_.nodes) {
    const std::string& address = node->address();
    const bool port = word.starts_with(address + ":") || word.starts_with("[" + address + "]:");
    if (word == node->name() || word == address || word.starts_with(node->name() + ":") || port) return node->name();
  }
  return "";
}

Result<std::vector<Target::Membership::Member>> ShellMembership::parse(const std::string& printed,
                                                                       const std::string& who) const {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::target, fmt::format("{}: process.members: {}; a line for each member was expected: ID NODE "
                                               "[joined|announced]",
                                               who, what));
  };
  std::vector<Member> out;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, node, state, more;
    if (!(words >> id)) continue;
    if (!(words >> node)) return wrong(fmt::format("\"{}\" names no node", line));
    words >> state >> more;
    if (!more.empty()) return wrong(fmt::format("\"{}\" has more than three words", line));
    if (!state.empty() && state != "joined" && state != "announced") {
      const std::string near = nearest(state, {"joined", "announced"});
      return wrong(fmt::format("\"{}\" is no state of a member{}", state,
                               near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)));
    }
    Member member{id, node_of(node), state != "announced"};
    if (id == "-" && member.node.empty()) member.id = node;
    if (id == "-" && !member.node.empty()) {
      const std::lock_guard lock(mutex_);
      const auto at =
          static_cast<std::size_t>(std::find_if(cluster_.nodes.begin(), cluster_.nodes.end(),
                                                [&](const auto& one) { return one->name() == member.node; }) -
                                   cluster_.nodes.begin());
      member.id = fmt::format("{} after {} absences", member.node, seats_[at].times_out);
    }
    out.push_back(std::move(member));
  }
  return out;
}

Result<std::vector<Target::Membership::Member>> ShellMembership::ask(Node& from, const Node& peer,
                                                                     Deadline deadline) const {
  const auto printed = commands_.output(from, "process.members", left_of(deadline), asking(peer));
  if (!printed) return fail(printed.error());
  return parse(*printed, from.name());
}

Result<std::vector<Target::Membership::Member>> ShellMembership::members(Node& asked, Deadline deadline) {
  return ask(asked, asked, deadline);
}

Result<void> ShellMembership::settle(Node& node, bool wanted, Deadline deadline) {
  const std::size_t self = commands_.index_of(node);
  const std::size_t others = cluster_.size() - 1;
  std::string problem = "there is no other member to ask";
  for (std::size_t turn = 0; others > 0 && steady_clock::now() < deadline; ++turn) {
    Node& peer = cluster_.at((self + 1 + turn % others) % cluster_.size());
    if (is_out(peer)) continue;
    const auto list = members(peer, deadline);
    if (list) {
      const bool listed =
          std::any_of(list->begin(), list->end(), [&](const Member& one) { return one.node == node.name(); });
      if (listed == wanted) return {};
      const char* key = wanted ? "process.join" : "process.leave";
      const auto changed = commands_.output(node, key, left_of(deadline), asking(peer));
      problem = changed ? fmt::format("{} has succeeded, and {} {} it", key, peer.name(),
                                      wanted ? "does not list" : "still lists")
                        : changed.error().message;
    } else {
      problem = list.error().message;
    }
    std::this_thread::sleep_for(kPause);
  }
  return fail(ErrorCode::target,
              fmt::format("{} is {} member yet: {}", node.name(), wanted ? "no" : "still a", problem));
}

Result<void> ShellMembership::remove(Node& node, Deadline deadline) {
  if (is_out(node)) return {};
  if (auto gone = settle(node, false, deadline); !gone) return gone;
  {
    const std::lock_guard lock(mutex_);
    Seat& seat = seats_[commands_.index_of(node)];
    seat.out = seat.joins = true;
    ++seat.times_out;
  }
  return erase_(node);
}

Result<void> ShellMembership::add(Node& node, Deadline deadline) {
  if (auto in = settle(node, true, deadline); !in) return in;
  const std::lock_guard lock(mutex_);
  seats_[commands_.index_of(node)].out = false;
  return {};
}

// Finds a member that answers; a node that it does not list has left, so that what is left of it is removed first.
std::string ShellMembership::rejoin_script(const Node& node) {
  if (!commands_.runs_as_root()) return "";
  const auto text = [&](const char* key) { return "(\n" + commands_.script(node, key) + "\n)"; };
  std::string out = commands_.environment(node);
  out += "for asked in";
  for (const auto& peer : cluster_.nodes) {
    if (peer->name() != node.name()) out += " " + shell_quote(peer->name() + " " + peer->address());
  }
  // An address with a port is one, too, and so is one in brackets.
  out += fmt::format(R"sh(; do
  export PEER="${{asked%% *}}" PEER_ADDRESS="${{asked#* }}"
  list=$(timeout 5 /bin/sh -c {members}) && [ -n "$list" ] || continue
  listed=
  while read -r id member state; do
    case "$member" in "$NODE" | "$NODE":* | "$NODE_ADDRESS" | "$NODE_ADDRESS":* | "[$NODE_ADDRESS]":*) listed=yes ;; esac
  done <<END_OF_LIST
$list
END_OF_LIST
  if [ -z "$listed" ]; then
    {kill}
    {wipe} || exit 1
    timeout 5 /bin/sh -c {join} || continue
  fi
  (
{start}
  ) && exit 0
done
echo "$NODE could not get in again: no member let it" >&2
exit 1
)sh",
                     fmt::arg("members", shell_quote(commands_.text("process.members"))),
                     fmt::arg("join", shell_quote(commands_.text("process.join"))),
                     fmt::arg("kill", commands_.given("process.kill") ? text("process.kill") : kill_by_pids()),
                     fmt::arg("wipe", commands_.given("process.wipe") ? text("process.wipe") : ":"),
                     fmt::arg("start", start_joining_(node)));
  return out;
}

std::string ShellMembership::kill_by_pids() const {
  return commands_.given("process.pids") ? "kill -9 $(" + commands_.text("process.pids") + "\n) 2>/dev/null" : ":";
}

}  // namespace ordeal
