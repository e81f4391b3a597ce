#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "base/deadline.h"
#include "base/files.h"
#include "base/text.h"
#include "targets/http/http_session.h"
#include "targets/log/server/tools/commands.h"
#include "targets/log/server/tools/words.h"
#include "targets/log/server/tree/audit.h"

namespace ordeal::log::tools {
namespace {

constexpr const char* kUsage =
    "usage: ordeal-log audit --origin NAME --key VERIFIER… [--keep FILE] [--rounds N] [--every SECONDS] URL…\n";
constexpr double kPatienceS = 10;
constexpr std::size_t kMaxAnswer = std::size_t{32} << 20;  // a bundle of 256 entries of 64 KiB, and some

tree::AuditedNode node_at(const std::string& url) {
  const auto session = std::make_shared<HttpSession>();
  const std::string prefix = url.ends_with('/') ? url : url + '/';
  return {url, [session, prefix](const std::string& path) -> Result<std::string> {
            HttpRequest request;
            request.url = prefix + path;
            request.get = true;
            request.idempotent = true;
            auto reply = session->perform(request, Deadline::after_s(kPatienceS));
            if (!reply) return fail(ErrorCode::unreachable, reply.error().message);
            if (reply->status == 404) return fail(ErrorCode::not_found, path + ": 404");
            if (reply->status != 200) return fail(ErrorCode::unreachable, path + ": " + std::to_string(reply->status));
            if (reply->body.size() > kMaxAnswer) return fail(ErrorCode::input, path + ": too large an answer");
            return std::move(reply->body);
          }};
}

Result<tree::Audit> begin(const Words& words) {
  std::string kept;
  if (!words.keep.empty()) {
    auto text = read_text_file(words.keep);
    if (!text && text.error().code != ErrorCode::not_found) return fail(text.error());
    if (text) kept = std::move(*text);
  }
  auto audit = tree::Audit::begin(tree::KeyRing(words.origin, words.keys), kept);
  if (!audit) return fail(audit.error().during(words.keep));
  return audit;
}

// Findings that were not told in the round before.
std::string news(const std::vector<tree::AuditFinding>& findings, std::vector<std::string>& told) {
  std::string text;
  std::vector<std::string> now;
  for (const tree::AuditFinding& finding : findings) {
    now.push_back(std::string(name(finding.kind)) + ": " + visible_in_line(finding.message) + '\n');
    if (std::find(told.begin(), told.end(), now.back()) == told.end()) text += now.back();
  }
  told = std::move(now);
  return text;
}

}  // namespace

CommandEnd audit_command(const std::vector<std::string>& arguments,
                         const std::function<void(const std::string&)>& say) {
  const auto words = parse_words(arguments);
  if (!words) return {64, "ordeal-log audit: " + words.error().message + '\n' + kUsage};
  if (words->origin.empty() || words->keys.empty() || words->rest.empty()) {
    return {64, std::string("ordeal-log audit: the log's name, a key and a node's URL are needed\n") + kUsage};
  }
  auto audit = begin(*words);
  if (!audit) return {64, "ordeal-log audit: " + visible_in_line(audit.error().message) + '\n'};
  std::vector<tree::AuditedNode> nodes;
  for (const std::string& url : words->rest) nodes.push_back(node_at(url));
  CommandEnd end;
  std::vector<std::string> told;
  for (int round = 0; round < words->rounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(std::chrono::duration<double>(words->every_s));
    const auto findings = audit->round(nodes);
    for (const tree::AuditFinding& finding : findings) end.exit_code |= finding.proves() ? 1 : 0;
    say(news(findings, told));
    if (words->keep.empty()) continue;
    if (const auto kept = replace_file(words->keep, audit->kept()); !kept) {
      return {64, "ordeal-log audit: " + visible_in_line(kept.error().message) + '\n'};
    }
  }
  const auto& heads = audit->heads();
  if (heads.empty()) {
    end.text += "no head was seen\n";
    if (end.exit_code == 0) end.exit_code = 2;
    return end;
  }
  std::size_t unsettled = 0;
  for (const tree::KeptHead& head : heads) unsettled += head.settled ? 0 : 1;
  end.text += std::to_string(heads.size()) + " heads of one history, the largest of " +
              std::to_string(heads.back().checkpoint.size) + " leaves; " + std::to_string(unsettled) +
              " wait for a node that shows more; " + std::to_string(audit->forks().size()) + " of other histories\n";
  return end;
}

}  // namespace ordeal::log::tools
