#include "targets/log/server/node/join.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "base/value.h"
#include "targets/http/http_session.h"

namespace ordeal::log::node {
namespace {

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

// The leader's address, when that is what a member answered.
std::string leader_in(const std::string& body) {
  const auto answer = Value::from_json(body);
  const Value* error = answer ? answer->find("error") : nullptr;
  const Value* details = error == nullptr ? nullptr : error->find("details");
  return details == nullptr ? "" : text_of(*details, "client");
}

Result<Identity> read_answer(const std::string& body) {
  const auto answer = Value::from_json(body);
  const Value* id = answer ? answer->find("id") : nullptr;
  const Value* members = answer ? answer->find("members") : nullptr;
  if (id == nullptr || !id->is_integer() || id->integer() < 1 || members == nullptr || !members->is_list()) {
    return fail(ErrorCode::target, "not the answer of a member");
  }
  Identity out;
  out.id = static_cast<raft::NodeId>(id->integer());
  out.cluster = text_of(*answer, "cluster");
  for (const Value& one : members->items()) {
    const Value* who = one.find("id");
    if (who == nullptr || !who->is_integer()) continue;
    out.known.push_back({static_cast<raft::NodeId>(who->integer()), text_of(one, "name"), text_of(one, "peer"),
                         text_of(one, "client")});
  }
  return out;
}

// Asks one member after the other until one says yes; that one's answer.
Result<std::string> ask_members(const NodeOptions& options, const std::vector<std::string>& members,
                                const std::string& path, const Value& request, Deadline deadline) {
  std::string said = "nobody was asked";
  std::deque<std::string> ask(members.begin(), members.end());
  while (!deadline.passed() && !ask.empty()) {
    const std::string at = ask.front();
    ask.pop_front();
    if (std::find(members.begin(), members.end(), at) != members.end()) ask.push_back(at);
    HttpSession session;
    HttpRequest message;
    message.url = "http://" + at + path;
    message.body = request.to_json();
    message.idempotent = true;  // the same addresses again are the same member, and who is gone stays gone
    message.bearer = options.token;
    const auto reply = session.perform(message, deadline.within_s(25));
    if (reply && reply->status == 200) return reply->body;
    if (reply && reply->status == 307) {
      // The leader may be none of those that were named.
      if (const std::string leader = leader_in(reply->body); !leader.empty()) ask.push_front(leader);
    }
    said = at + ": " + (reply ? reply->body.substr(0, 300) : reply.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return fail(ErrorCode::timeout, said);
}

}  // namespace

Result<Identity> join_cluster(const NodeOptions& options, Deadline deadline) {
  Value request;
  request.set("name", options.name);
  request.set("peer", options.advertise_peer);
  request.set("client", options.advertise_client);
  const auto answer = ask_members(options, options.join, "/v1/members", request, deadline);
  if (!answer) {
    return fail(ErrorCode::timeout, "no member let this node in; the last one said: " + answer.error().message);
  }
  return read_answer(*answer);
}

Result<void> leave_cluster(const NodeOptions& options, const Identity& who, Deadline deadline) {
  Value request;
  request.set("id", static_cast<std::int64_t>(who.id));
  request.set("cluster", who.cluster);
  const auto answer = ask_members(options, options.join, "/v1/members/remove", request, deadline);
  if (answer) return {};
  return fail(ErrorCode::timeout,
              fmt::format("no member removed node {}; the last one said: {}", who.id, answer.error().message));
}

}  // namespace ordeal::log::node
