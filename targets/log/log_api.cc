#include "targets/log/log_api.h"

#include <algorithm>

namespace ordeal {
namespace {

// The node is given less time than there is, so that its own answer still arrives.
constexpr std::int64_t kOnTheWayMs = 100;

}  // namespace

LogProblem log_problem(int status, const std::string& body) {
  LogProblem out;
  out.status = status;
  out.kind = "http-" + std::to_string(status);
  out.message = body.substr(0, 500);
  const auto document = Value::from_json(body);
  const Value* error = document ? document->find("error") : nullptr;
  if (error == nullptr) return out;
  const auto text = [error](const char* member) {
    const Value* found = error->find(member);
    return found != nullptr && found->is_string() ? found->string() : std::string();
  };
  out.certain = text("outcome") == "not-applied";
  if (!text("code").empty()) out.kind = text("code");
  if (!text("message").empty()) out.message = text("message");
  return out;
}

LogAnswer<Value> LogApi::perform(const HttpRequest& request, Deadline deadline) {
  const auto reply = session_.perform(request, deadline);
  if (!reply) return tl::unexpected(LogProblem{!reply.error().sent, reply.error().kind, reply.error().message, 0});
  if (reply->status < 200 || reply->status > 299) return tl::unexpected(log_problem(reply->status, reply->body));
  auto document = Value::from_json(reply->body);
  if (!document) return tl::unexpected(LogProblem{false, "foreign-answer", document.error().message, reply->status});
  return *std::move(document);
}

LogAnswer<Value> LogApi::call(const std::string& path, Value request, bool changes, Deadline deadline) {
  const std::int64_t left = deadline.remaining().count();
  request.set("timeout_ms", std::clamp<std::int64_t>(left - kOnTheWayMs, 1, 60'000));
  HttpRequest message;
  message.url = endpoint_ + path;
  message.body = request.to_json();
  message.idempotent = !changes;
  auto answer = perform(message, deadline);
  if (!answer) return answer;
  const Value* result = answer->find("result");
  if (result == nullptr) return tl::unexpected(LogProblem{false, "foreign-answer", "an answer without result", 200});
  return Value(*result);
}

LogAnswer<Value> LogApi::get(const std::string& path, Deadline deadline) {
  HttpRequest message;
  message.url = endpoint_ + path;
  message.get = true;
  message.idempotent = true;
  return perform(message, deadline);
}

LogAnswer<Value> LogApi::post(const std::string& path, const Value& request, Deadline deadline) {
  HttpRequest message;
  message.url = endpoint_ + path;
  message.body = request.to_json();
  return perform(message, deadline);
}

}  // namespace ordeal
