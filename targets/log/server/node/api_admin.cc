// What Api answers beside requests of the state: the public log, status, members, health and metrics.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/value.h"
#include "targets/log/server/node/api.h"

namespace ordeal::log::node {
namespace {

constexpr auto kChangePause = std::chrono::milliseconds(50);
constexpr double kChangePatienceS = 20;

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::optional<std::uint64_t> natural(const std::string& text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string text_of(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : "";
}

bool contains(const std::vector<raft::NodeId>& list, raft::NodeId node) {
  return std::find(list.begin(), list.end(), node) != list.end();
}

}  // namespace

HttpOut Api::other(const HttpIn& in) {
  const std::string& path = in.path;
  const bool get = in.method == "GET";
  if (get && path == "/checkpoint") return {200, transparency_.checkpoint(), "text/plain; charset=utf-8"};
  if (get && path.starts_with("/tile/")) {
    auto tile = transparency_.tile(path.substr(1));
    if (!tile) return error(404, "not-found", tile.error().message, "not-applied");
    return {200, *std::move(tile), "application/octet-stream"};
  }
  if (get && path == "/v1/log/head") return {200, transparency_.head()};
  if (get && path.starts_with("/v1/log/proof/")) return proof(in);
  if (get && path == "/v1/status") return status();
  if (get && path == "/v1/members") return members(in);
  if (in.method == "POST" && path == "/v1/members") return add_member(in);
  if (in.method == "POST" && path == "/v1/members/remove") return remove_member(in);
  if (in.method == "POST" && path == "/v1/leadership") return hand_over(in);
  if (get && path == "/healthz") {
    const Glance now = replica_.glance();
    return now.stopped ? error(503, "stopped", now.trouble, "not-applied") : HttpOut{200, R"({"health":"ok"})"};
  }
  if (get && path == "/readyz") return ready();
  if (get && path == "/metrics") return metrics();
  return error(404, "not-found",
               fmt::format("{} {}: no such request; targets/log/doc/api.md has them all", in.method, path),
               "not-applied");
}

HttpOut Api::proof(const HttpIn& in) const {
  Result<std::string> out =
      fail(ErrorCode::usage,
           "/v1/log/proof/inclusion?index=I&size=N or /v1/log/proof/consistency?first=M&second=N was expected");
  if (in.path == "/v1/log/proof/inclusion") {
    const auto index = natural(in.parameter("index"));
    const auto size = natural(in.parameter("size"));
    if (index && size) out = transparency_.inclusion(*index, *size);
  } else if (in.path == "/v1/log/proof/consistency") {
    const auto first = natural(in.parameter("first"));
    const auto second = natural(in.parameter("second"));
    if (first && second) out = transparency_.consistency(*first, *second);
  }
  if (!out) return error(400, "bad-request", out.error().message, "not-applied");
  return {200, *std::move(out)};
}

HttpOut Api::status() const {
  const auto now = replica_.status(Deadline::after_s(2));
  const Glance glance = replica_.glance();
  if (!now) return error(503, "busy", "the node's thread does not answer", "not-applied");
  std::uint64_t leaves = 0;
  replica_.with_state([&](const state::Machine&, const tree::Tree& tree) { leaves = tree.size(); });
  std::string out = fmt::format(
      R"({{"node":{},"name":{},"cluster":{},"role":"{}","term":{},"leader":{},"commit":{},"applied":{},"first":{},)"
      R"("last":{},"durable":{},"log_size":{},"disk_full":{},"voters":[{}],"outgoing":[{}],"learners":[{}],"members":{}}})",
      now->id, quoted(options_.name), quoted(identity_.cluster), raft::name(now->role), now->term,
      quoted(leader_name(now->leader)), now->commit, glance.applied, now->first, now->last, now->durable, leaves,
      glance.disk_full, fmt::join(now->configuration.voters, ","), fmt::join(now->configuration.outgoing, ","),
      fmt::join(now->configuration.learners, ","), member_list(*now));
  return {200, std::move(out)};
}

std::string Api::member_list(const raft::Status& status) const {
  std::vector<raft::NodeId> all = status.configuration.voters;
  all.insert(all.end(), status.configuration.outgoing.begin(), status.configuration.outgoing.end());
  all.insert(all.end(), status.configuration.learners.begin(), status.configuration.learners.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::string out = "[";
  for (const raft::NodeId id : all) {
    const MemberAddress at = replica_.address_of(id);
    if (out.size() > 1) out += ',';
    out += fmt::format(R"({{"id":{},"name":{},"peer":{},"client":{},"role":"{}","leads":{}}})", id, quoted(at.name),
                       quoted(at.peer), quoted(at.client),
                       contains(status.configuration.learners, id) ? "learner" : "voter", id == status.leader);
  }
  return out + "]";
}

HttpOut Api::members(const HttpIn& in) {
  Manner manner;
  manner.local = in.parameter("consistency") == "local";
  const Outcome outcome = barrier(manner, deadline_of(manner));
  if (outcome.kind != Outcome::Kind::done) return problem(in, outcome);
  const auto now = replica_.status(Deadline::after_s(2));
  if (!now) return error(503, "busy", "the node's thread does not answer", "not-applied");
  return {200,
          fmt::format(R"({{"members":{},"changing":{}}})", member_list(*now), !now->configuration.outgoing.empty())};
}

// Announces a node, which then joins: it gets an id that nobody had, and is a learner until it is up to date.
HttpOut Api::add_member(const HttpIn& in) {
  const auto request = Value::from_json(in.body);
  if (!request) return error(400, "bad-request", request.error().message, "not-applied");
  const std::string name = text_of(*request, "name");
  const std::string peer = text_of(*request, "peer");
  const std::string client = text_of(*request, "client");
  if (name.empty() || !parse_host_port(peer) || !parse_host_port(client)) {
    return error(400, "bad-request", "name, and HOST:PORT as peer and as client, were expected", "not-applied");
  }
  const Deadline deadline = Deadline::after_s(kChangePatienceS);
  if (replica_.glance().role != raft::Role::leader)
    return problem(in, {Outcome::Kind::refused, {}, "not-leader", "ask the leader", 0});
  state::Command announce;
  announce.kind = state::CommandKind::set_member;
  announce.key = name;
  announce.value = peer + " " + client;
  const Outcome announced = submit(announce, {}, deadline);
  if (announced.kind != Outcome::Kind::done) return problem(in, announced);
  const auto answer = Value::from_json(announced.answer.body);
  const auto id = static_cast<raft::NodeId>(answer->find("node")->integer());
  std::string why = "no answer";
  while (!deadline.passed()) {
    const auto refusal = replica_.add_learner(id, deadline);
    if (refusal == raft::Refusal::none) {
      const auto now = replica_.status(deadline);
      if (!now) break;
      return {200, fmt::format(R"({{"id":{},"cluster":{},"members":{}}})", id, quoted(identity_.cluster),
                               member_list(*now))};
    }
    if (refusal) why = raft::name(*refusal);
    if (refusal == raft::Refusal::not_leader) break;
    std::this_thread::sleep_for(kChangePause);
  }
  return error(503, "busy", "the change of members was not taken, ask again: " + why, "unknown");
}

HttpOut Api::remove_member(const HttpIn& in) {
  const auto request = Value::from_json(in.body);
  const Value* wanted = request ? request->find("id") : nullptr;
  if (wanted == nullptr || !wanted->is_integer() || wanted->integer() < 1) {
    return error(400, "bad-request", "{\"id\": a member's id} was expected", "not-applied");
  }
  const auto id = static_cast<raft::NodeId>(wanted->integer());
  const std::string cluster = text_of(*request, "cluster");
  if (!cluster.empty() && cluster != identity_.cluster) {
    return error(409, "other-cluster", "this is cluster " + identity_.cluster + ", not " + cluster, "not-applied");
  }
  const Deadline deadline = Deadline::after_s(kChangePatienceS);
  if (replica_.glance().role != raft::Role::leader)
    return problem(in, {Outcome::Kind::refused, {}, "not-leader", "ask the leader", 0});
  std::string why = "no answer";
  while (!deadline.passed()) {
    const auto refusal = replica_.remove_node(id, deadline);
    if (refusal) why = raft::name(*refusal);
    const auto now = replica_.status(deadline);
    if (!now || (refusal == raft::Refusal::not_leader && id != replica_.id())) break;
    const auto& members = now->configuration;
    const bool gone =
        !contains(members.voters, id) && !contains(members.outgoing, id) && !contains(members.learners, id);
    if (gone && now->commit >= now->configuration_index) {
      state::Command forget;
      forget.kind = state::CommandKind::remove_member;
      forget.token = id;
      (void)submit(forget, {}, deadline.within_s(2));  // only an address: a founder has none to forget
      return {200, fmt::format(R"({{"removed":{}}})", id)};
    }
    std::this_thread::sleep_for(kChangePause);
  }
  return error(503, "busy", "the change of members was not taken or is not over, ask again: " + why, "unknown");
}

HttpOut Api::hand_over(const HttpIn& in) {
  const auto request = Value::from_json(in.body);
  const Value* wanted = request ? request->find("to") : nullptr;
  if (wanted == nullptr || !wanted->is_integer()) {
    return error(400, "bad-request", "{\"to\": a voter's id} was expected", "not-applied");
  }
  const auto refusal = replica_.transfer(static_cast<raft::NodeId>(wanted->integer()), Deadline::after_s(2));
  if (refusal == raft::Refusal::none) return {202, R"({"transferring":true})"};
  const std::string code(refusal ? raft::name(*refusal) : "busy");
  return problem(in, {Outcome::Kind::refused, {}, code == "not_leader" ? "not-leader" : code, "leadership stays", 0});
}

// Ready is who can answer a linearizable read.
HttpOut Api::ready() {
  const Outcome outcome = barrier({}, Deadline::after_s(1));
  if (outcome.kind != Outcome::Kind::done) return error(503, outcome.code, outcome.message, "not-applied");
  const Glance now = replica_.glance();
  if (now.disk_full) return error(503, "disk-full", now.trouble, "not-applied");
  return {200, R"({"ready":true})"};
}

HttpOut Api::metrics() const {
  const Glance now = replica_.glance();
  const Counters counts = replica_.counters();
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    out += fmt::format("# HELP ordeal_log_{0} {1}\n# TYPE ordeal_log_{0} {2}\nordeal_log_{0} {3}\n", name, help, type,
                       value);
  };
  add("term", "gauge", "the current term", now.term);
  add("is_leader", "gauge", "1 when this node leads", now.role == raft::Role::leader ? 1 : 0);
  add("has_leader", "gauge", "1 when a leader is known", now.leader != raft::kNobody ? 1 : 0);
  add("commit_index", "gauge", "the last committed entry", now.commit);
  add("applied_index", "gauge", "the last applied entry", now.applied);
  add("disk_full", "gauge", "1 while writes are refused for want of room", now.disk_full ? 1 : 0);
  add("requests_total", "counter", "requests", requests_.load());
  add("in_flight", "gauge", "requests under way", in_flight_.load());
  add("too_many_total", "counter", "requests answered 429", too_many_.load());
  add("unknown_total", "counter", "requests whose outcome was answered unknown", unknown_.load());
  add("syncs_total", "counter", "group commits", counts.syncs);
  add("applied_total", "counter", "entries applied since the start", counts.applied);
  add("snapshots_total", "counter", "snapshots taken since the start", counts.snapshots);
  add("elections_total", "counter", "elections that this node began since the start", counts.elections);
  add("refused_messages_total", "counter", "messages that no correct peer sends", counts.refused_messages);
  return {200, std::move(out), "text/plain; version=0.0.4; charset=utf-8"};
}

}  // namespace ordeal::log::node
