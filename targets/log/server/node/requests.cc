#include "targets/log/server/node/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace ordeal::log::node {
namespace {

using state::Command;
using state::CommandKind;
using state::Query;
using state::Step;

tl::unexpected<Error> bad(std::string_view member, std::string_view expected) {
  return fail(ErrorCode::usage, fmt::format("\"{}\": {} was expected", member, expected));
}

// Reads the members of a request; the first that is wrong is what good() tells.
class Members {
 public:
  explicit Members(const Value& request) : request_(request) {}

  std::string text(const char* name, bool needed = true) {
    const Value* found = find(name, needed);
    if (found == nullptr) return "";
    if (found->is_string()) return found->string();
    return complain(name, "a text"), "";
  }
  // Any JSON, as text.
  std::string json(const char* name) {
    const Value* found = request_.find(name);
    if (found == nullptr) return complain(name, "any JSON value"), "";
    return found->to_json();
  }
  std::int64_t integer(const char* name, std::optional<std::int64_t> otherwise = {}) {
    const Value* found = find(name, !otherwise);
    if (found == nullptr) return otherwise.value_or(0);
    if (found->is_integer()) return found->integer();
    return complain(name, "a whole number"), 0;
  }
  std::uint64_t natural(const char* name, std::optional<std::int64_t> otherwise = {}) {
    const std::int64_t number = integer(name, otherwise);
    if (number < 0) complain(name, "a whole number, not negative,");
    return number < 0 ? 0 : static_cast<std::uint64_t>(number);
  }
  const Value* find(const char* name, bool needed) {
    const Value* found = request_.find(name);
    if (found != nullptr && found->is_nil()) found = nullptr;
    if (found == nullptr && needed) complain(name, "a value");
    return found;
  }
  void complain(std::string_view name, std::string_view expected) {
    if (problem_.empty()) problem_ = fmt::format("\"{}\": {} was expected", name, expected);
  }
  Result<Asked> done(Asked asked) {
    if (!problem_.empty()) return fail(ErrorCode::usage, problem_);
    if (auto* command = std::get_if<Command>(&asked)) command->idempotency_key = text("idempotency_key", false);
    if (!problem_.empty()) return fail(ErrorCode::usage, problem_);
    return asked;
  }

 private:
  const Value& request_;
  std::string problem_;
};

template <CommandKind kind>
Result<Asked> keyed(const Value& request) {
  Members in(request);
  Command out;
  out.kind = kind;
  out.key = in.text("key");
  return in.done(out);
}

template <CommandKind kind>
Result<Asked> keyed_value(const Value& request) {
  Members in(request);
  Command out;
  out.kind = kind;
  out.key = in.text("key");
  out.value = in.json("value");
  return in.done(out);
}

template <CommandKind kind>
Result<Asked> keyed_token(const Value& request) {
  Members in(request);
  Command out;
  out.kind = kind;
  out.key = in.text("key");
  out.token = in.natural("token");
  out.ttl_ms = in.natural("ttl_ms", 0);
  return in.done(out);
}

template <Query::Kind kind>
Result<Asked> look_at(const Value& request) {
  Members in(request);
  Query out;
  out.kind = kind;
  out.key = in.text("key");
  return in.done(out);
}

Result<Asked> append(const Value& request) {
  Members in(request);
  Command out;
  out.kind = CommandKind::append;
  out.value = in.text("entry");
  return in.done(out);
}

Result<Asked> entries(const Value& request) {
  Members in(request);
  Query out;
  out.kind = Query::Kind::entries;
  out.from = in.natural("from", 0);
  out.limit = std::clamp<std::uint64_t>(in.natural("limit", 1000), 1, 10'000);
  return in.done(out);
}

Result<Asked> events(const Value& request) {
  Members in(request);
  Query out;
  out.kind = Query::Kind::events;
  out.key = in.text("prefix", false);
  out.from = in.natural("from");
  out.limit = std::clamp<std::uint64_t>(in.natural("limit", 1000), 1, 10'000);
  return in.done(out);
}

Result<Asked> range(const Value& request) {
  Members in(request);
  Query out;
  out.kind = Query::Kind::range;
  out.key = in.text("prefix", false);
  out.after = in.text("after", false);
  out.limit = std::clamp<std::uint64_t>(in.natural("limit", 1000), 1, 10'000);
  return in.done(out);
}

Result<Asked> get(const Value& request) {
  Members in(request);
  Query out;
  out.steps = {{Step::Kind::read, in.text("key")}};
  return in.done(out);
}

Command steps_of(std::vector<Step> steps) {
  Command out;
  out.kind = CommandKind::transact;
  out.steps = std::move(steps);
  return out;
}

// A write may be fenced: {"lock": name, "token": its fencing token}.
std::vector<Step> fence(Members& in) {
  if (in.find("lock", false) == nullptr) return {};
  return {{Step::Kind::check_lock, in.text("lock"), "", in.natural("token")}};
}

Result<Asked> put(const Value& request) {
  Members in(request);
  std::vector<Step> steps = fence(in);
  steps.push_back({Step::Kind::write, in.text("key"), in.json("value")});
  return in.done(steps_of(std::move(steps)));
}

Result<Asked> remove(const Value& request) {
  Members in(request);
  std::vector<Step> steps = fence(in);
  steps.push_back({Step::Kind::remove, in.text("key")});
  return in.done(steps_of(std::move(steps)));
}

Result<Asked> cas(const Value& request) {
  Members in(request);
  const std::string key = in.text("key");
  return in.done(steps_of({{Step::Kind::check_value, key, in.json("old")}, {Step::Kind::write, key, in.json("new")}}));
}

Result<Asked> cas_version(const Value& request) {
  Members in(request);
  const std::string key = in.text("key");
  return in.done(steps_of(
      {{Step::Kind::check_version, key, "", in.natural("version")}, {Step::Kind::write, key, in.json("value")}}));
}

Result<Asked> counter_add(const Value& request) {
  Members in(request);
  const std::string key = in.text("key");
  return in.done(steps_of({{Step::Kind::add, key, "", 0, in.integer("amount", 1)}}));
}

// ["r",k] ["w",k,v] ["append",k,v] ["delete",k] ["add",k,n] ["check-version",k,n] ["check-value",k,v]
// ["check-lock",k,token]; a null behind a key counts for nothing.
std::optional<Step> step_of(const Value& text) {
  if (!text.is_list() || text.items().size() < 2 || text.items().size() > 3) return std::nullopt;
  const auto& parts = text.items();
  if (!parts[0].is_string() || !parts[1].is_string()) return std::nullopt;
  const std::string& what = parts[0].string();
  Step step;
  step.key = parts[1].string();
  const bool three = parts.size() == 3;
  const bool number = three && parts[2].is_integer();
  if (what == "r" || what == "delete") {
    step.kind = what == "r" ? Step::Kind::read : Step::Kind::remove;
    if (three && !parts[2].is_nil()) return std::nullopt;
  } else if (what == "w" || what == "append" || what == "check-value") {
    step.kind = what == "w" ? Step::Kind::write : what == "append" ? Step::Kind::append : Step::Kind::check_value;
    if (!three) return std::nullopt;
    step.value = parts[2].to_json();
  } else if (what == "add") {
    step.kind = Step::Kind::add;
    if (!number) return std::nullopt;
    step.amount = parts[2].integer();
  } else if (what == "check-version" || what == "check-lock") {
    step.kind = what == "check-lock" ? Step::Kind::check_lock : Step::Kind::check_version;
    if (!number || parts[2].integer() < 0) return std::nullopt;
    step.version = static_cast<std::uint64_t>(parts[2].integer());
  } else {
    return std::nullopt;
  }
  return step;
}

Result<Asked> transact(const Value& request) {
  Members in(request);
  const Value* list = request.find("steps");
  if (list == nullptr || !list->is_list() || list->items().empty() || list->items().size() > state::kMaxSteps) {
    return bad("steps", fmt::format("a list of 1 to {} steps", state::kMaxSteps));
  }
  std::vector<Step> steps;
  for (const Value& one : list->items()) {
    auto step = step_of(one);
    if (!step) return bad("steps", R"(a step such as ["r",key], ["w",key,value], …, not )" + one.to_json());
    steps.push_back(*std::move(step));
  }
  Command command = steps_of(std::move(steps));
  // One that changes nothing needs no place in the log.
  if (!command.read_only()) return in.done(std::move(command));
  Query query;
  query.steps = std::move(command.steps);
  return in.done(std::move(query));
}

Result<Asked> dequeue(const Value& request) {
  Members in(request);
  Command out;
  out.kind = CommandKind::dequeue;
  out.key = in.text("key");
  out.amount = in.integer("limit", 1);
  out.ttl_ms = in.natural("ttl_ms", 0);
  out.attempts = in.natural("attempts", 0);
  return in.done(out);
}

Result<Asked> drain_dead(const Value& request) {
  Members in(request);
  Command out;
  out.kind = CommandKind::drain_dead;
  out.key = in.text("key");
  out.amount = in.integer("limit", 1000);
  return in.done(out);
}

Result<Asked> acquire(const Value& request) {
  Members in(request);
  Command out;
  out.kind = CommandKind::acquire;
  out.key = in.text("key");
  out.value = in.json("owner");
  out.ttl_ms = in.natural("ttl_ms");
  return in.done(out);
}

Result<Asked> generate(const Value& request) {
  Members in(request);
  Command out;
  out.kind = CommandKind::generate;
  return in.done(out);
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"/v1/log/append", append},
      {"/v1/log/read", entries},
      {"/v1/kv/get", get, true},
      {"/v1/kv/put", put, true},
      {"/v1/kv/delete", remove, true},
      {"/v1/kv/cas", cas, true},
      {"/v1/kv/cas-version", cas_version, true},
      {"/v1/kv/range", range},
      {"/v1/txn", transact},
      {"/v1/counter/add", counter_add, true},
      {"/v1/counter/read", get, true},
      {"/v1/set/add", keyed_value<CommandKind::set_add>},
      {"/v1/set/remove", keyed_value<CommandKind::set_remove>},
      {"/v1/set/read", look_at<Query::Kind::set>},
      {"/v1/queue/enqueue", keyed_value<CommandKind::enqueue>},
      {"/v1/queue/dequeue", dequeue},
      {"/v1/queue/ack", keyed_token<CommandKind::ack>},
      {"/v1/queue/nack", keyed_token<CommandKind::nack>},
      {"/v1/queue/drain-dead", drain_dead},
      {"/v1/queue/look", look_at<Query::Kind::queue>},
      {"/v1/lock/acquire", acquire},
      {"/v1/lock/keep-alive", keyed_token<CommandKind::keep_alive>},
      {"/v1/lock/release", keyed_token<CommandKind::release>},
      {"/v1/lock/holder", look_at<Query::Kind::lock>},
      {"/v1/id", generate},
      {"/v1/watch", events},
  };
  return all;
}

const Verb* find_verb(std::string_view path) {
  for (const Verb& one : verbs()) {
    if (one.path == path) return &one;
  }
  return nullptr;
}

Result<Manner> manner_of(const Value& request, bool redirect) {
  Manner out;
  out.redirect = redirect;
  const auto choice = [&](const char* name, std::initializer_list<std::string_view> known) -> Result<std::string> {
    const Value* found = request.find(name);
    if (found == nullptr) return std::string();
    if (found->is_string() && std::find(known.begin(), known.end(), found->string()) != known.end()) {
      return found->string();
    }
    return fail(ErrorCode::usage, fmt::format("\"{}\": one of {} was expected", name, fmt::join(known, ", ")));
  };
  const auto follower = choice("on_follower", {"proxy", "redirect"});
  if (!follower) return fail(follower.error());
  if (!follower->empty()) out.redirect = *follower == "redirect";
  const auto consistency = choice("consistency", {"linearizable", "local"});
  if (!consistency) return fail(consistency.error());
  out.local = *consistency == "local";
  const auto delivery = choice("delivery", {"at-most-once", "at-least-once", "exactly-once"});
  if (!delivery) return fail(delivery.error());
  const Value* key = request.find("idempotency_key");
  const bool has_key = key != nullptr && key->is_string() && !key->string().empty();
  if (*delivery == "exactly-once" && !has_key) return bad("idempotency_key", "a text, for exactly-once delivery,");
  out.repeat = *delivery == "at-least-once" || (has_key && *delivery != "at-most-once");
  for (const auto& [name, to] : {std::pair{"wait_ms", &out.wait_ms}, std::pair{"timeout_ms", &out.timeout_ms}}) {
    const Value* found = request.find(name);
    if (found == nullptr) continue;
    if (!found->is_integer() || found->integer() < 0 || found->integer() > 60'000) return bad(name, "0 to 60000");
    *to = static_cast<std::uint64_t>(found->integer());
  }
  return out;
}

std::string last_result(const std::string& body) {
  constexpr std::string_view kHead = "{\"results\":[";
  constexpr std::string_view kChecked = "null,";
  if (!body.starts_with(kHead) || !body.ends_with("]}")) return body;
  std::string_view rest = std::string_view(body).substr(kHead.size(), body.size() - kHead.size() - 2);
  while (rest.starts_with(kChecked)) rest.remove_prefix(kChecked.size());
  return std::string(rest);
}

}  // namespace ordeal::log::node
