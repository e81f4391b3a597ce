#include "targets/process/sample_requests.h"

#include <algorithm>

namespace ordeal {

std::span<const SampleType> sample_types() {
  static const std::vector<SampleType> all = {
      // The second cas finds another value, unless somebody else is at it.
      {"register", {{"write", "k7", "1"}, {"read", "k7", "null"}, {"cas", "k7", "[1,2]"}, {"cas", "k7", "[1,2]"}}},
      {"list-append", {{"txn", "", R"([["append","k7",1],["r","k7",null]])"}}},
      {"rw-register", {{"txn", "", R"([["w","k7",1],["r","k7",null]])"}}},
      {"set", {{"add", "", "7"}, {"read", "", "null"}, {"remove", "", "7"}}},
      {"queue", {{"enqueue", "", "7"}, {"dequeue", "", "null"}, {"drain", "", "null"}}},
      {"lock", {{"acquire", "", "null"}, {"release", "", "null"}}},
      {"unique-ids", {{"generate", "", "null"}}},
      {"election", {{"campaign", "", R"("c1")"}, {"leader", "", "null"}, {"resign", "", "null"}}},
      {"bank", {{"transfer", "", R"({"from":0,"to":1,"amount":1})"}, {"read", "", "null"}}},
      {"log", {{"append", "k7", "7"}, {"read", "k7", "null"}}},
      {"event-log", {{"append", "k7", "7"}, {"read-at", "k7", "1"}, {"replay", "k7", "null"}, {"read", "k7", "null"}}},
      {"versioned", {{"cas-version", "k7", "[0,7]"}, {"read", "k7", "null"}}},
      {"lww-map", {{"put", "k7", "[1,7]"}, {"read", "k7", "null"}, {"remove", "k7", "2"}}},
      {"transparency-log",
       {{"append", "", "7"},
        {"read", "", "[0,10]"},
        {"tail", "", "[0,10]"},
        {"head", "", "null"},
        {"inclusion", "", "[0,1]"},
        {"consistency", "", "[0,1]"}}},
      {"g2", {{"insert", "k7", "[1,null]"}}},
      {"monotonic", {{"stamp", "", "null"}, {"read", "", "null"}}},
      {"sequential", {{"write-chain", "", "7"}, {"read-chain", "", "7"}}},
      {"idempotency", {{"apply", "", R"("k7")"}, {"read", "", "null"}}},
      {"rate-limit", {{"request", "", "null"}}},
      {"semaphore", {{"acquire-permit", "", "null"}, {"release-permit", "", "null"}}},
      {"dead-letter",
       {{"enqueue", "", R"({"id":7,"poison":false})"},
        {"receive", "", "null"},
        {"ack", "", "7"},
        {"reject", "", "7"},
        {"drain-dead", "", "null"}}},
      {"outbox", {{"change", "", R"({"id":7,"key":"k7"})"}, {"messages", "", "null"}, {"read", "", "null"}}},
      {"accounts",
       {{"deposit", "k7", R"({"account":0,"amount":2})"},
        {"withdraw", "k7", R"({"account":0,"amount":1})"},
        {"read", "k7", "null"}}},
      {"ledger",
       {{"deposit", "k7", R"({"id":7,"amount":2})"},
        {"withdraw", "k7", R"({"id":8,"amount":1})"},
        {"balance", "k7", "null"},
        {"events", "k7", "null"},
        {"model", "k7", "null"},
        {"replay", "k7", "null"}}},
      {"saga", {{"saga", "", R"({"id":7,"from":"a","to":"b","amount":1})"}, {"read", "", "null"}}},
      {"kafka",
       {{"assign", "", R"(["k7"])"},
        {"subscribe", "", R"(["k7"])"},
        {"send", "", R"([["send","k7",7]])"},
        {"poll", "", R"([["poll"]])"}}}};
  return all;
}

std::vector<Sampled> samples_of(const std::vector<std::string>& operations) {
  const auto knows = [&](std::string_view f) {
    return std::find(operations.begin(), operations.end(), f) != operations.end();
  };
  std::vector<Sampled> out;
  for (const SampleType& type : sample_types()) {
    Sampled one{&type, {}};
    bool changes = false;
    for (const SampleRequest& request : type.requests) {
      if (!knows(request.f)) continue;
      one.requests.push_back(request);
      changes = changes || std::string_view(request.f) != "read";
    }
    if (changes) out.push_back(std::move(one));
  }
  return out;
}

std::vector<std::string> sampled_operations() {
  std::vector<std::string> out;
  for (const SampleType& type : sample_types()) {
    for (const SampleRequest& request : type.requests) {
      if (std::find(out.begin(), out.end(), request.f) == out.end()) out.emplace_back(request.f);
    }
  }
  return out;
}

std::vector<std::string> without_sample(const std::vector<std::string>& operations) {
  const auto sampled = samples_of(operations);
  std::vector<std::string> out;
  for (const std::string& f : operations) {
    const bool has = std::any_of(sampled.begin(), sampled.end(), [&](const Sampled& one) {
      return std::any_of(one.requests.begin(), one.requests.end(),
                         [&](const SampleRequest& request) { return request.f == f; });
    });
    if (!has) out.push_back(f);
  }
  return out;
}

}  // namespace ordeal
