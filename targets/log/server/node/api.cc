#include "targets/log/server/node/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/value.h"
#include "targets/log/server/bugs.h"
#include "targets/log/server/node/planted.h"

namespace ordeal::log::node {
namespace {

using std::chrono::milliseconds;

constexpr auto kRetryPause = milliseconds(15);

int status_of(state::AnswerCode code) {
  switch (code) {
    case state::AnswerCode::ok:
      return 200;
    case state::AnswerCode::invalid:
      return 400;
    case state::AnswerCode::conflict:
    case state::AnswerCode::held:
    case state::AnswerCode::not_held:
      return 409;
    case state::AnswerCode::wrong_type:
    case state::AnswerCode::key_reused:
      return 422;
    case state::AnswerCode::not_found:
      return 404;
    case state::AnswerCode::too_large:
      return 413;
    case state::AnswerCode::gone:
      return 410;
  }
  return 500;
}

// Nothing happened, and in a moment it may be otherwise.
bool passes(const std::string& code) {
  static constexpr std::array<std::string_view, 4> kPassing = {"no-leader", "not-leader", "leader-changed",
                                                               "transferring"};
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

// As long as no time is lost by it: equal texts are not told apart from others by how long it takes.
bool same_secret(std::string_view shown, std::string_view secret) {
  unsigned difference = shown.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    difference |= static_cast<unsigned char>(shown[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  }
  return difference == 0;
}

// What anybody may ask: health, and the public log.
bool open_to_all(const HttpIn& in) {
  return in.path == "/healthz" || in.path == "/readyz" || in.path == "/checkpoint" || in.path.starts_with("/tile/");
}

class Counted {
 public:
  explicit Counted(std::atomic<std::uint64_t>& count) : count_(count), now_(++count) {}
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  [[nodiscard]] std::uint64_t now() const { return now_; }

 private:
  std::atomic<std::uint64_t>& count_;
  const std::uint64_t now_;
};

}  // namespace

HttpOut Api::handle(const HttpIn& in) {
  ++requests_;
  if (!options_.token.empty() && !open_to_all(in) && !same_secret(in.authorization, "Bearer " + options_.token)) {
    return error(401, "unauthorized", "the header \"Authorization: Bearer TOKEN\" is missing or wrong", "not-applied");
  }
  const Counted here(in_flight_);
  if (here.now() > options_.max_in_flight && !open_to_all(in)) {
    ++too_many_;
    HttpOut out = error(429, "too-many-requests", "as many requests as --max-in-flight are under way", "not-applied");
    out.headers["Retry-After"] = "1";
    return out;
  }
  if (const Verb* verb = find_verb(in.path)) {
    if (in.method != "POST") return error(405, "bad-request", "POST was expected", "not-applied");
    return ask(*verb, in);
  }
  return other(in);
}

HttpOut Api::ask(const Verb& verb, const HttpIn& in) {
  const auto request = Value::from_json(in.body.empty() ? "{}" : in.body);
  if (!request || !request->is_map()) {
    return error(400, "bad-request", request ? "a JSON object was expected" : request.error().message, "not-applied");
  }
  const auto asked = verb.read(*request);
  if (!asked) return error(400, "bad-request", asked.error().message, "not-applied");
  const auto manner = manner_of(*request, options_.redirect);
  if (!manner) return error(400, "bad-request", manner.error().message, "not-applied");
  if (const auto* command = std::get_if<state::Command>(&*asked)) return change(verb, in, *command, *manner);
  return look(verb, in, std::get<state::Query>(*asked), *manner);
}

Deadline Api::deadline_of(const Manner& manner) const {
  return Deadline::after(milliseconds(manner.timeout_ms == 0 ? options_.request_timeout_ms : manner.timeout_ms));
}

HttpOut Api::change(const Verb& verb, const HttpIn& in, const state::Command& command, const Manner& manner) {
#ifdef ORDEAL_LOG_BUGS
  const Outcome outcome = answer_wrongly(
      replica_, command, [&](const state::Command& spoiled) { return submit(spoiled, manner, deadline_of(manner)); });
#else
  const Outcome outcome = submit(command, manner, deadline_of(manner));
#endif
  if (outcome.kind != Outcome::Kind::done) return problem(in, outcome);
  return answer(verb, outcome.answer, outcome.term);
}

// A request of which it is certain that it was not taken is tried again; one of unknown outcome only when the client
// wants that (at least once) or it does no harm (an idempotency key).
Outcome Api::submit(const state::Command& command, const Manner& manner, Deadline deadline) {
  std::optional<Outcome> unknown;
  while (true) {
    Outcome outcome = replica_.submit(command, !manner.redirect, deadline);
    if (outcome.kind == Outcome::Kind::done) return outcome;
    const bool again =
        outcome.kind == Outcome::Kind::refused ? passes(outcome.code) : manner.repeat || bug(Bug::retry_without_key);
    if (outcome.kind == Outcome::Kind::unknown && !unknown) unknown = outcome;
    const bool redirects = manner.redirect && outcome.code == "not-leader";
    // What was unknown once stays so, whatever became of the repetitions.
    if (!again || redirects || Deadline::after(kRetryPause) >= deadline) return unknown ? *unknown : outcome;
    std::this_thread::sleep_for(kRetryPause);
  }
}

Outcome Api::barrier(const Manner& manner, Deadline deadline) {
  if (manner.local || bug(Bug::follower_reads)) return {Outcome::Kind::done, {}, {}, {}, replica_.glance().term};
  while (true) {
    Outcome outcome = replica_.read_barrier(!manner.redirect, deadline);
    const bool redirects = manner.redirect && outcome.code == "not-leader";
    const bool over = Deadline::after(kRetryPause) >= deadline;
    if (outcome.kind == Outcome::Kind::done || redirects || over || !passes(outcome.code)) return outcome;
    std::this_thread::sleep_for(kRetryPause);
  }
}

HttpOut Api::look(const Verb& verb, const HttpIn& in, const state::Query& query, const Manner& manner) {
  const Deadline deadline = deadline_of(manner);
  const Outcome outcome = barrier(manner, deadline);
  if (outcome.kind != Outcome::Kind::done) return problem(in, outcome);
  state::Answer found = replica_.query(query);
  const auto empty = [&found] {
    return found.body.starts_with("{\"entries\":[]") || found.body.starts_with("{\"events\":[]");
  };
  const Deadline news = Deadline::after(milliseconds(manner.wait_ms));
  while (manner.wait_ms > 0 && empty() && replica_.await_applied(found.index, news)) found = replica_.query(query);
  return answer(verb, found, outcome.term);
}

std::string Api::leader_name(raft::NodeId leader) const {
  if (leader == raft::kNobody) return "";
  const MemberAddress address = replica_.address_of(leader);
  return address.name.empty() ? std::to_string(leader) : address.name;
}

HttpOut Api::answer(const Verb& verb, const state::Answer& answer, raft::Term term) const {
  const std::string body = verb.one_result ? last_result(answer.body) : answer.body;
  if (answer.code != state::AnswerCode::ok) {
    const std::string code(state::name(answer.code));
    return error(status_of(answer.code), code, "the request does not fit what is there", "not-applied", answer.body);
  }
  const Glance now = replica_.glance();
  std::string out = fmt::format("{{\"result\":{},\"index\":{},\"term\":{},\"leader\":", body, answer.index, term);
  append_json_string(out, leader_name(now.leader));
  out += answer.repeated ? ",\"repeated\":true}" : "}";
  return {200, std::move(out)};
}

HttpOut Api::problem(const HttpIn& in, const Outcome& outcome) const {
  if (outcome.kind == Outcome::Kind::unknown && !bug(Bug::timeout_said_failed)) {
    ++unknown_;
    return error(504, outcome.code, outcome.message, "unknown");
  }
  int status = 503;
  if (outcome.code == "busy") status = 429;
  if (outcome.code == "too_large") status = 413;
  if (outcome.code == "disk-full") status = 507;
  const raft::NodeId leader = replica_.glance().leader;
  std::string client;
  if (outcome.code == "not-leader" && leader != raft::kNobody && leader != replica_.id()) {
    client = replica_.address_of(leader).client;
  }
  std::string details = "{}";
  if (!client.empty()) {
    details = "{\"client\":";
    append_json_string(details, client);
    details += '}';
    status = 307;
  }
  HttpOut out = error(status, outcome.code, outcome.message, "not-applied", details);
  if (status == 429 || status == 503) out.headers["Retry-After"] = "1";
  if (status == 307) out.headers["Location"] = "http://" + client + in.path;
  return out;
}

HttpOut Api::error(int status, std::string_view code, std::string_view message, std::string_view outcome,
                   std::string_view details) const {
  const Glance now = replica_.glance();
  std::string out = "{\"error\":{\"code\":";
  append_json_string(out, code);
  out += ",\"message\":";
  append_json_string(out, message);
  out += fmt::format(",\"outcome\":\"{}\",\"details\":{}}},\"index\":{},\"term\":{},\"leader\":", outcome, details,
                     now.applied, now.term);
  append_json_string(out, leader_name(now.leader));
  return {status, out + "}"};
}

}  // namespace ordeal::log::node
