#include "targets/redis/redis_client.h"

#include <hiredis/hiredis.h>

#include "harness/interfaces/bad_operation.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace ordeal {
namespace {

constexpr const char* kSet = "ordeal:set";
constexpr const char* kCounter = "ordeal:counter";
// KEYS[1], the old value and the new one; "nil" (JSON's null) is no value.
constexpr const char* kCompareAndSet = R"(local now = redis.call('GET', KEYS[1])
if (now or 'null') ~= ARGV[1] then return 0 end
if ARGV[2] == 'null' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1)";

std::string key_of(const Value& key) { return "ordeal:kv:" + (key.is_string() ? key.string() : key.to_json()); }

timeval left_until(Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
  const auto us = std::max<std::int64_t>(left.count(), 1000);
  return {us / 1'000'000, us % 1'000'000};
}

std::string text_of(const redisReply& reply) { return {reply.str, static_cast<std::size_t>(reply.len)}; }

// Errors that the server gives before it does anything.
bool is_refusal(const std::string& error) {
  static constexpr std::array<const char*, 7> kRefusals = {"LOADING",    "MISCONF", "OOM",      "READONLY",
                                                           "MASTERDOWN", "NOAUTH",  "WRONGTYPE"};
  return std::any_of(kRefusals.begin(), kRefusals.end(), [&](const char* one) { return error.starts_with(one); });
}

Completion stored(const std::string& text) {
  auto value = Value::from_json(text);
  if (!value) return Completion::failed("foreign-value", "the stored value is not ours: " + value.error().message);
  return Completion::ok(std::move(*value));
}

}  // namespace

void RedisClient::FreeContext::operator()(redisContext* context) const { redisFree(context); }
void RedisClient::FreeReply::operator()(redisReply* reply) const { freeReplyObject(reply); }

Result<void> RedisClient::open(Deadline deadline) {
  context_.reset(redisConnectWithTimeout(address_.c_str(), port_, left_until(deadline)));
  if (context_ != nullptr && context_->err == 0) return {};
  const std::string message = context_ == nullptr ? "no memory" : context_->errstr;
  context_.reset();
  return fail(ErrorCode::unreachable, address_ + ":" + std::to_string(port_) + ": " + message);
}

void RedisClient::close() { context_.reset(); }

RedisClient::Reply RedisClient::ask(const std::vector<std::string>& words, bool changes, Deadline deadline,
                                    Completion& problem) {
  if (context_ == nullptr) {
    if (auto opened = open(deadline); !opened) {
      problem = Completion::failed("connection-refused", opened.error().message);
      return nullptr;
    }
  }
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  (void)redisSetTimeout(context_.get(), left_until(deadline));
  errno = 0;
  Reply reply(static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), sizes.data())));
  const auto unanswered = [&](const std::string& kind, const std::string& message) {
    problem = changes ? Completion::unknown(kind, message) : Completion::failed(kind, message);
  };
  if (reply == nullptr) {
    const bool late = context_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    unanswered(late ? "timeout" : "connection-closed", context_->errstr);
    context_.reset();  // an answer may still be under way
    return nullptr;
  }
  if (reply->type == REDIS_REPLY_ERROR) {
    const std::string error = text_of(*reply);
    if (is_refusal(error)) {
      problem = Completion::failed("refused", error);
    } else {
      unanswered("redis", error);
    }
    return nullptr;
  }
  return reply;
}

Completion RedisClient::invoke(const Operation& operation, Deadline deadline) {
  if (operation.f == "read") return operation.key ? read(operation, deadline) : read_all(deadline);
  if (operation.f == "cas") return cas(operation, deadline);
  if (operation.f == "write") {
    if (!operation.key) return bad_operation(operation, "a key");
    const std::string key = key_of(*operation.key);
    if (operation.value.is_nil()) return change({"DEL", key}, deadline);
    return change({"SET", key, operation.value.to_json()}, deadline);
  }
  if (operation.f == "add" && counter_) return change({"INCRBY", kCounter, operation.value.to_json()}, deadline);
  if (operation.f == "add") return change({"SADD", kSet, operation.value.to_json()}, deadline);
  return Completion::failed("unsupported", "target redis has no operation \"" + operation.f + "\"");
}

Completion RedisClient::change(const std::vector<std::string>& words, Deadline deadline) {
  Completion problem;
  return ask(words, true, deadline, problem) ? Completion::ok() : problem;
}

Completion RedisClient::cas(const Operation& operation, Deadline deadline) {
  const Value& pair = operation.value;
  if (!operation.key || !pair.is_list() || pair.items().size() != 2)
    return bad_operation(operation, "a key and [old, new]");
  Completion problem;
  const Reply reply =
      ask({"EVAL", kCompareAndSet, "1", key_of(*operation.key), pair.items()[0].to_json(), pair.items()[1].to_json()},
          true, deadline, problem);
  if (!reply) return problem;
  if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1) return Completion::ok();
  return Completion::failed("precondition", "the value was not " + pair.items()[0].to_json());
}

Completion RedisClient::read(const Operation& operation, Deadline deadline) {
  Completion problem;
  const Reply reply = ask({"GET", key_of(*operation.key)}, false, deadline, problem);
  if (!reply) return problem;
  return reply->type == REDIS_REPLY_NIL ? Completion::ok(Value()) : stored(text_of(*reply));
}

Completion RedisClient::read_all(Deadline deadline) {
  Completion problem;
  if (counter_) {
    const Reply reply = ask({"GET", kCounter}, false, deadline, problem);
    if (!reply) return problem;
    return reply->type == REDIS_REPLY_NIL ? Completion::ok(Value(std::int64_t{0})) : stored(text_of(*reply));
  }
  const Reply reply = ask({"SMEMBERS", kSet}, false, deadline, problem);
  if (!reply) return problem;
  Value out = Value::list();
  for (std::size_t i = 0; i < reply->elements; ++i) {
    Completion one = stored(text_of(*reply->element[i]));
    if (!one.value) return one;
    out.items().push_back(std::move(*one.value));
  }
  return Completion::ok(std::move(out));
}

}  // namespace ordeal
