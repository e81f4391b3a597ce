#include "targets/process/process_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <semaphore>
#include <thread>

#include "base/text.h"
#include "targets/process/words.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// An adapter that answers at its time-out is not yet silent.
constexpr milliseconds kGrace(250);
constexpr milliseconds kGoodbye(300);

Value timeout_ms(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return Value(std::max<std::int64_t>(left, 0));
}

std::string text_in(const Value& map, const char* name) {
  const Value* found = map.find(name);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

EventError error_in(const Value& reply, const char* kind_otherwise) {
  const Value* error = reply.find("error");
  if (error == nullptr) return {kind_otherwise, ""};
  std::string kind = text_in(*error, "kind");
  return {kind.empty() ? kind_otherwise : shown(kind, 100), text_in(*error, "message").substr(0, 2000)};
}

// Programs that are being started at the same time, until they answer: more would only keep each other from the
// processors, and all would be late.
class StartingTurn {
 public:
  explicit StartingTurn(Deadline deadline) : mine_(gate().try_acquire_until(deadline)) {}
  ~StartingTurn() {
    if (mine_) gate().release();
  }
  StartingTurn(const StartingTurn&) = delete;
  StartingTurn& operator=(const StartingTurn&) = delete;
  [[nodiscard]] bool mine() const { return mine_; }

 private:
  static std::counting_semaphore<>& gate() {
    static std::counting_semaphore<> all(std::max(4, 2 * static_cast<int>(std::thread::hardware_concurrency())));
    return all;
  }
  const bool mine_;
};

// A reply to open or describe: anything but ok is an error of the target.
Result<Value> asked(Conversation& adapter, Value request, const char* what, Deadline deadline) {
  auto reply = adapter.ask(std::move(request), deadline);
  if (!reply)
    return fail(ErrorCode::target, fmt::format("{}: {}: {}", what, reply.error().kind, reply.error().message));
  if (text_in(*reply, "type") != "ok") {
    const EventError error = error_in(*reply, "refused");
    return fail(ErrorCode::target, fmt::format("{}: the adapter answered {}: {} {}", what,
                                               shown(text_in(*reply, "type"), 20), error.kind, error.message));
  }
  return std::move(*reply);
}

}  // namespace

Result<void> ProcessClient::open(Deadline deadline) {
  close();
  std::optional<StartingTurn> turn;
  if (shared_ == nullptr && !turn.emplace(deadline).mine()) {
    return fail(ErrorCode::timeout, "open: so many adapters are being started that its turn did not come in time");
  }
  Result<std::unique_ptr<Conversation>> adapter = shared_ != nullptr ? shared_->join() : Adapter::start(setup_);
  if (!adapter) return fail(adapter.error());
  Value request = Value::map({{"request", "open"}, {"protocol", kAdapterProtocol}});
  for (const auto& [key, value] : greeting_.entries()) request.set(key, value);
  request.set("timeout_ms", timeout_ms(deadline));
  auto reply = asked(**adapter, std::move(request), "open", deadline);
  if (!reply) return fail(reply.error());
  adapter_ = std::move(*adapter);
  return {};
}

Completion ProcessClient::invoke(const Operation& operation, Deadline deadline) {
  if (!adapter_) return Completion::failed("adapter-closed", "the client is not open");
  Value op = Value::map({{"f", operation.f}});
  if (operation.key) op.set("key", *operation.key);
  op.set("value", operation.value);
  Value request = Value::map({{"request", "invoke"}, {"op", std::move(op)}, {"timeout_ms", timeout_ms(deadline)}});
  auto reply = adapter_->ask(std::move(request), deadline + kGrace);
  // info even when the request certainly was not sent: only info makes the worker start a new adapter.
  if (!reply) return Completion::unknown(reply.error().kind, reply.error().message);
  auto completion = completion_from(*reply, operation);
  if (completion) {
    if (const std::string unknown = unknown_members(*reply);
        completion->type == EventType::ok && !told_unknown_members_ && !unknown.empty()) {
      told_unknown_members_ = true;
      completion->error = EventError{"adapter-unknown-member", "the reply has what was ignored: " + unknown};
    }
    return std::move(*completion);
  }
  adapter_.reset();
  return Completion::unknown("adapter-protocol", completion.error().message);
}

void ProcessClient::close() {
  if (!adapter_) return;
  // An adapter that has nothing to give back may end by itself when its input ends; `close` is a courtesy.
  (void)adapter_->ask(Value::map({{"request", "close"}}), steady_clock::now() + kGoodbye);
  adapter_->end(kGoodbye);
  adapter_.reset();
}

bool must_return_a_value(const Operation& operation) {
  static constexpr std::string_view kAnswering[] = {"read", "dequeue", "drain",      "generate", "leader",
                                                    "poll", "stamp",   "read-chain", "apply"};
  const bool answers = std::find(std::begin(kAnswering), std::end(kAnswering), operation.f) != std::end(kAnswering);
  if (operation.f != "txn" || !operation.value.is_list()) return answers;
  const Value::List& micros = operation.value.items();
  return std::any_of(micros.begin(), micros.end(), [](const Value& micro) {
    return micro.is_list() && !micro.items().empty() &&
           (micro.items().front() == Value("r") || micro.items().front() == Value("poll"));
  });
}

std::string unknown_members(const Value& reply) {
  static constexpr std::string_view kKnown[] = {"id", "type", "value", "error"};
  std::vector<std::string> out;
  for (const auto& [key, value] : reply.entries()) {
    if (!key.is_string() || std::find(std::begin(kKnown), std::end(kKnown), key.string()) == std::end(kKnown))
      out.push_back(shown(key.to_json(), 60));
  }
  return shown(join(out, ", "));
}

Result<Completion> completion_from(const Value& reply, const Operation& operation) {
  const std::string type = text_in(reply, "type");
  const Value* value = reply.find("value");
  if (type == "ok" && value == nullptr && must_return_a_value(operation)) {
    const std::string unknown = unknown_members(reply);
    return fail(ErrorCode::target,
                fmt::format("the reply to {} is ok without a \"value\", which would be what it saw (null: nothing is "
                            "there){}",
                            shown(operation.f, 40), unknown.empty() ? "" : "; it has " + unknown));
  }
  if (type == "ok") return value != nullptr ? Completion::ok(*value) : Completion::ok();
  if (type == "fail") return Completion{EventType::fail, std::nullopt, error_in(reply, "failed")};
  if (type == "info") return Completion{EventType::info, std::nullopt, error_in(reply, "unknown")};
  return fail(ErrorCode::target,
              fmt::format("\"type\" must be ok, fail or info; the adapter answered {}", shown(reply.to_json())));
}

Result<AdapterDescription> describe_adapter(const AdapterSetup& setup, Deadline deadline) {
  auto adapter = Adapter::start(setup);
  if (!adapter) return fail(adapter.error());
  auto reply =
      asked(**adapter, Value::map({{"request", "describe"}, {"protocol", kAdapterProtocol}}), "describe", deadline);
  if (!reply) return fail(reply.error());
  (*adapter)->end(kGoodbye);
  const Value* protocol = reply->find("protocol");
  if (protocol != nullptr && *protocol != Value(kAdapterProtocol)) {
    return fail(ErrorCode::target, fmt::format("the adapter speaks version {} of the protocol, this program version {}",
                                               shown(protocol->to_json()), kAdapterProtocol));
  }
  const Value* operations = reply->find("operations");
  AdapterDescription out;
  if (operations != nullptr && operations->is_list()) {
    for (const Value& one : operations->items()) {
      if (one.is_string()) out.operations.push_back(one.string());
    }
  }
  if (out.operations.empty()) {
    return fail(ErrorCode::target, "describe: a list \"operations\" was expected, found " + shown(reply->to_json()) +
                                       "; or name them by process.operations");
  }
  if (const Value* clients = reply->find("clients"); clients != nullptr) {
    if (!clients->is_integer() || clients->integer() < 1) {
      return fail(ErrorCode::target, "describe: \"clients\" is how many one adapter serves at once, 1 or more; found " +
                                         shown(clients->to_json()));
    }
    out.clients = static_cast<std::size_t>(clients->integer());
  }
  return out;
}

}  // namespace ordeal
