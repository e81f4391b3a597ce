#include "checkers/guess.h"

#include <vector>

#include "base/names.h"
#include "checkers/history/looks.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal {
namespace {

using Kind = Value::Kind;

// What shows a history of transactions or of a workload; the models' rows say what shows them. No two of all of these
// are true of one history.
struct Shown {
  const char* model;
  bool (*by)(const Looks&);
};

bool transactions(const Looks& looks) {
  return looks.has("txn") && looks.within({"txn"}) && looks.any_micro("append") != looks.any_micro("w") &&
         !looks.any_micro("send") && !looks.any_micro("poll");
}
bool adds(const Looks& looks) {
  return looks.has("add") && looks.within({"add", "read"}) && !looks.rows() && !looks.tuples();
}

constexpr Shown kShown[] = {
    {"list-append", [](const Looks& looks) { return transactions(looks) && looks.any_micro("append"); }},
    {"rw-register", [](const Looks& looks) { return transactions(looks) && looks.any_micro("w"); }},
    {"kafka",
     [](const Looks& looks) {
       return looks.within({"send", "poll", "txn", "assign", "subscribe", "crash", "debug-topic-partitions"}) &&
              (looks.any_micro("send") || looks.any_micro("poll"));
     }},
    {"long-fork",
     [](const Looks& looks) {
       return looks.within({"read", "write"}) && looks.has("read") && looks.any_micro("r") && looks.any_micro("w");
     }},
    {"cas-by-version",
     [](const Looks& looks) {
       return looks.has("cas-version") && looks.within({"cas-version", "read"});
     }},
    {"read-model",
     [](const Looks& looks) {
       return (looks.has("read-at") || looks.has("replay")) && looks.within({"append", "read", "read-at", "replay"});
     }},
    {"ledger",
     [](const Looks& looks) {
       return looks.has("events") && looks.within({"deposit", "withdraw", "balance", "events", "model", "replay"});
     }},
    {"transparency-log",
     [](const Looks& looks) {
       return (looks.has("head") || looks.has("tail")) && looks.has("append") &&
              looks.within({"append", "read", "tail", "head", "inclusion", "consistency"});
     }},
    {"lww-map",
     [](const Looks& looks) {
       return looks.has("put") && looks.has("read") && looks.within({"put", "read", "remove"}) && !looks.tuples();
     }},
    {"bank",
     [](const Looks& looks) {
       return looks.has("transfer") && looks.within({"transfer", "read"});
     }},
    {"g2", [](const Looks& looks) { return looks.has("insert") && looks.within({"insert"}); }},
    {"leader-election",
     [](const Looks& looks) {
       return looks.has("campaign") && looks.within({"campaign", "resign", "leader"});
     }},
    {"sequential-writes",
     [](const Looks& looks) {
       return looks.has("read-chain") && looks.within({"write-chain", "read-chain"});
     }},
    {"monotonic",
     [](const Looks& looks) {
       return looks.rows() && looks.within({"add", "stamp", "read"});
     }},
    {"counter", [](const Looks& looks) { return adds(looks) && looks.reads(Kind::integer); }},
    {"set-full", [](const Looks& looks) { return adds(looks) && looks.reads(Kind::list); }},
    {"causal-reverse",
     [](const Looks& looks) {
       return looks.has("write") && looks.within({"read", "write"}) && !looks.tuples() && looks.reads(Kind::list) &&
              !looks.writes_lists() && !looks.reads_ask();
     }},
    {"total-queue",
     [](const Looks& looks) {
       return looks.has("drain") && looks.within({"enqueue", "dequeue", "drain"});
     }},
};

std::string guess(const Looks& looks) {
  for (const Shown& one : kShown) {
    if (one.by(looks)) return one.model;
  }
  for (const lin::ModelInfo& model : lin::models()) {
    if (model.shown_by != nullptr && model.shown_by(looks)) return model.name;
  }
  return "";
}

}  // namespace

Result<std::string> guessed_model(const History& history) {
  const Looks looks(history);
  if (std::string model = guess(looks); !model.empty()) return model;
  const std::vector<std::string> names(looks.functions().begin(), looks.functions().end());
  std::string problem =
      "say what the operations mean with --model or --workload (ordeal list models); the history has " +
      (names.empty() ? std::string("no client operation") : joined(names));
  if (looks.tuples()) problem += ", and its values look like tuples [key value], which want --independent";
  return fail(ErrorCode::usage, std::move(problem));
}

}  // namespace ordeal
