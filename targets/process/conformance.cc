#include "targets/process/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json_scanner.h"
#include "base/names.h"
#include "base/text.h"
#include "base/value.h"
#include "targets/process/process_client.h"
#include "targets/process/raw_program.h"
#include "targets/process/sample_requests.h"
#include "targets/process/words.h"

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kStart(15);                 // an interpreter on a busy machine
constexpr milliseconds kGrace(250);           // beyond an operation's deadline (PROTOCOL.md)
constexpr seconds kEnd(5);                    // to end by itself: Ordeal kills it after 300 ms, which is no breach
constexpr milliseconds kQuiet(200);           // in which nothing may be said unasked
constexpr const char* kNobody = "192.0.2.1";  // of TEST-NET-1 (RFC 5737): no system is there
constexpr std::int64_t kFirstId = 41;

// What is wrong with a case, and what the adapter said.
struct Wrong {
  std::string what;
  std::string said;
};
using Outcome = std::optional<Wrong>;

class Talk {
 public:
  Talk(RawProgram& program, const ConformanceSetup& setup) : program_(program), setup_(setup) {}

  // One request and the line that answers it, which has to be a reply to it. Errors: what is wrong.
  tl::expected<Value, Wrong> ask(Value request, Deadline deadline) {
    const std::int64_t id = next_id_++;
    const auto sent = send(id, std::move(request), deadline);
    if (sent) return tl::unexpected(*sent);
    return reply(id, deadline);
  }
  Outcome send(std::int64_t id, Value request, Deadline deadline) {
    Value framed = Value::map({{"id", id}});
    for (auto& [key, value] : request.entries()) framed.set(std::move(key), std::move(value));
    asked_ = framed.to_json();
    if (program_.write(asked_ + "\n", deadline)) return std::nullopt;
    return Wrong{"it does not read the request " + shown(asked_), program_.last_said()};
  }
  std::int64_t next_id() { return next_id_++; }
  tl::expected<Value, Wrong> reply(std::optional<std::int64_t> id, Deadline deadline) {
    const auto line = program_.line(deadline);
    if (!line) {
      const std::string what =
          program_.may_say_more() ? "no reply in time to " : "its output ended without a reply to ";
      return tl::unexpected(Wrong{what + shown(asked_), program_.last_said()});
    }
    auto document = Value::from_json(*line);
    if (!document || !document->is_map() || !is_utf8(*line)) {
      return tl::unexpected(Wrong{"a JSON object in UTF-8 was expected in reply to " + shown(asked_), shown(*line)});
    }
    const Value* got = document->find("id");
    if (id && (got == nullptr || *got != Value(*id))) {
      return tl::unexpected(
          Wrong{fmt::format("the reply to {} must have the id {}", shown(asked_), *id), shown(*line)});
    }
    return *std::move(document);
  }

  [[nodiscard]] Deadline soon() const { return Deadline::after(setup_.timeout + kGrace); }
  [[nodiscard]] Deadline at_start() const { return Deadline::after(std::max<milliseconds>(kStart, setup_.timeout)); }

  tl::expected<Value, Wrong> open(const std::string& data_type, const std::string& address, Value more = Value::map()) {
    Value request = Value::map({{"request", "open"}, {"protocol", kAdapterProtocol}, {"data_type", data_type}});
    const Value node = Value::map({{"name", setup_.node}, {"address", address}, {"index", 0}});
    request.set("node", node);
    request.set("nodes", Value::list({node}));
    request.set("endpoint", setup_.endpoint.empty() ? Value() : Value(setup_.endpoint));
    request.set("timeout_ms", static_cast<std::int64_t>(setup_.timeout.count()));
    for (auto& [key, value] : more.entries()) request.set(std::move(key), std::move(value));
    return ask(std::move(request), at_start());
  }
  [[nodiscard]] Value invocation(const SampleRequest& sample) const {
    Value op = Value::map({{"f", sample.f}});
    if (*sample.key != '\0') op.set("key", sample.key);
    op.set("value", *Value::from_json(sample.value));
    Value request = Value::map({{"request", "invoke"}, {"op", std::move(op)}});
    request.set("timeout_ms", static_cast<std::int64_t>(setup_.timeout.count()));
    return request;
  }

 private:
  RawProgram& program_;
  const ConformanceSetup& setup_;
  std::int64_t next_id_ = kFirstId;
  std::string asked_;
};

std::string type_of(const Value& reply) {
  const Value* type = reply.find("type");
  return type != nullptr && type->is_string() ? type->string() : "";
}

std::string kind_of(const Value& reply) {
  const Value* error = reply.find("error");
  const Value* kind = error != nullptr && error->is_map() ? error->find("kind") : nullptr;
  return kind != nullptr && kind->is_string() ? kind->string() : "";
}

Value describe(std::int64_t protocol = kAdapterProtocol) {
  return Value::map({{"request", "describe"}, {"protocol", protocol}});
}

// A reply to an operation that the protocol allows; a read or the like that is ok has its value.
Outcome wrong_completion(const Value& reply, const SampleRequest& sample) {
  Operation operation;
  operation.f = sample.f;
  operation.value = *Value::from_json(sample.value);
  const auto completion = completion_from(reply, operation);
  if (!completion) return Wrong{completion.error().message, shown(reply.to_json())};
  const Value* error = reply.find("error");
  if (error != nullptr && !error->is_nil() && !error->is_map()) {
    return Wrong{std::string("\"error\" must be an object with a kind and a message, in reply to ") + sample.f,
                 shown(reply.to_json())};
  }
  return std::nullopt;
}

class Conformance {
 public:
  Conformance(ConformanceSetup setup, const std::function<void(const ConformanceCase&)>& told)
      : setup_(std::move(setup)), told_(told) {}

  Result<std::vector<ConformanceCase>> run() {
    const auto program = find_executable(setup_.adapter.words.front());
    if (!program) return fail(ErrorCode::usage, program.error().message);
    setup_.adapter.words.front() = *program;
    if (const auto started = RawProgram::start(setup_.adapter); !started) {
      return fail(ErrorCode::usage, started.error().message);
    }
    run_case("describe", [this](RawProgram& p) { return describes(p); });
    run_case("other-version", [this](RawProgram& p) { return refuses_another_version(p); });
    run_case("unknown-members", [this](RawProgram& p) { return ignores_unknown_members(p); });
    run_case("silence", [this](RawProgram& p) { return says_nothing_unasked(p); });
    operations();
    if (type_ != nullptr) {
      run_case("unknown-operation", [this](RawProgram& p) { return knows_no_such_operation(p); });
      run_case("restart", [this](RawProgram& p) { return starts_again(p); });
      run_case("several-programs", [this](RawProgram& p) { return several_programs(p); });
      if (clients_ > 1) run_case("several-clients", [this](RawProgram& p) { return several_clients(p); });
      run_case("close", [this](RawProgram& p) { return closes(p); });
      run_case("nobody-there", [this](RawProgram& p) { return bounds_its_calls(p); });
    } else {
      for (const char* name : {"unknown-operation", "restart", "several-programs", "close", "nobody-there"})
        skip(name, "no client could be opened");
    }
    if (clients_ <= 1) skip("several-clients", "it serves one client (describe names no \"clients\")");
    run_case("end-of-input", [this](RawProgram& p) { return ends_with_its_input(p); });
    run_case("garbage", [this](RawProgram& p) { return survives_garbage(p); });
    return std::move(cases_);
  }

 private:
  void keep(ConformanceCase one) {
    if (told_) told_(one);
    cases_.push_back(std::move(one));
  }
  [[nodiscard]] bool is_wanted(const std::string& name) const {
    return setup_.only.empty() || name == "describe" ||
           std::find(setup_.only.begin(), setup_.only.end(), name) != setup_.only.end();
  }
  void skip(const std::string& name, const std::string& why) {
    keep({name, ConformanceCase::Outcome::skipped, why, ""});
  }
  template <class Case>
  void run_case(const std::string& name, const Case& what) {
    if (!is_wanted(name)) return;
    note_.clear();
    auto program = RawProgram::start(setup_.adapter);
    const Outcome wrong = program ? what(**program) : Wrong{"it cannot be started", program.error().message};
    using Result = ConformanceCase::Outcome;
    keep(wrong ? ConformanceCase{name, Result::failed, wrong->what, visible_in_line(wrong->said)}
               : ConformanceCase{name, Result::passed, note_, ""});
  }

  Outcome describes(RawProgram& program) {
    Talk talk(program, setup_);
    if (!setup_.operations.empty()) {
      note_ = "not asked: the operations were named";
      return std::nullopt;
    }
    const auto reply = talk.ask(describe(), talk.at_start());
    if (!reply) return reply.error();
    const std::string said = shown(reply->to_json());
    if (type_of(*reply) != "ok") return Wrong{"describe must be answered with type ok", said};
    const Value* protocol = reply->find("protocol");
    if (protocol == nullptr || *protocol != Value(kAdapterProtocol)) {
      return Wrong{fmt::format("the reply to describe must have \"protocol\": {}", kAdapterProtocol), said};
    }
    const Value* operations = reply->find("operations");
    const bool texts = operations != nullptr && operations->is_list() && !operations->items().empty() &&
                       std::all_of(operations->items().begin(), operations->items().end(),
                                   [](const Value& one) { return one.is_string(); });
    if (!texts) return Wrong{"\"operations\" must be a list of names", said};
    for (const Value& one : operations->items()) setup_.operations.push_back(one.string());
    if (const Value* clients = reply->find("clients")) {
      if (!clients->is_integer() || clients->integer() < 1)
        return Wrong{"\"clients\" must be a number from 1 on", said};
      clients_ = clients->integer();
    }
    note_ = "operations " + joined(setup_.operations) + (clients_ > 1 ? fmt::format("; {} clients", clients_) : "");
    return std::nullopt;
  }

  Outcome refuses_another_version(RawProgram& program) {
    Talk talk(program, setup_);
    const auto reply = talk.ask(describe(kAdapterProtocol + 998), talk.at_start());
    if (!reply) return reply.error();
    if (type_of(*reply) == "fail" && kind_of(*reply) == "protocol") return std::nullopt;
    return Wrong{fmt::format("to protocol {} it must answer type fail, error kind protocol", kAdapterProtocol + 998),
                 shown(reply->to_json())};
  }

  Outcome ignores_unknown_members(RawProgram& program) {
    Talk talk(program, setup_);
    Value request = describe();
    request.set("x-later", Value::map({{"a", Value::list({1, 2})}}));
    const auto reply = talk.ask(std::move(request), talk.at_start());
    if (!reply) return reply.error();
    if (type_of(*reply) == "ok") return std::nullopt;
    return Wrong{"a request with a member that it does not know must be answered as without it",
                 shown(reply->to_json())};
  }

  Outcome says_nothing_unasked(RawProgram& program) {
    Talk talk(program, setup_);
    if (const auto early = program.line(Deadline::after(kQuiet)))
      return Wrong{"it must say nothing before it is asked", shown(*early)};
    if (const auto reply = talk.ask(describe(), talk.at_start()); !reply) return reply.error();
    if (const auto late = program.line(Deadline::after(kQuiet)))
      return Wrong{"it must say one line to one request", shown(*late)};
    return std::nullopt;
  }

  // Each operation that it names, by data type, with a client of its own.
  void operations() {
    std::vector<std::string> refused;
    for (const Sampled& sampled : samples_of(setup_.operations)) {
      const std::string data_type = sampled.type->data_type;
      bool opened = false;
      std::string why;
      const auto play = [&](RawProgram& program) -> Outcome {
        Talk talk(program, setup_);
        const auto open = talk.open(data_type, setup_.address);
        if (!open) return open.error();
        if (type_of(*open) != "ok") {
          why = shown(open->to_json());
          return std::nullopt;
        }
        opened = true;
        std::vector<std::string> outcomes;
        for (const SampleRequest& request : sampled.requests) {
          const auto reply = talk.ask(talk.invocation(request), talk.soon());
          if (!reply) return reply.error();
          if (auto wrong = wrong_completion(*reply, request)) return wrong;
          outcomes.push_back(std::string(request.f) + " " + type_of(*reply));
          if (type_of(*reply) == "info") break;  // after an info it gets no further invoke
        }
        note_ = join(outcomes, ", ");
        return std::nullopt;
      };
      note_.clear();
      auto program = RawProgram::start(setup_.adapter);
      const Outcome wrong = program ? play(**program) : Wrong{"it cannot be started", program.error().message};
      using Result = ConformanceCase::Outcome;
      const std::string name = "operations of " + data_type;
      if (wrong) {
        keep({name, Result::failed, wrong->what, visible_in_line(wrong->said)});
      } else if (!opened) {
        refused.push_back(data_type);
        skip(name, "open was refused: " + visible_in_line(why));
      } else {
        keep({name, Result::passed, note_, ""});
      }
      if (opened && !wrong && type_ == nullptr) type_ = sampled.type;
      if (opened && !wrong && sample_.f == nullptr) sample_ = sampled.requests.front();
    }
    if (type_ == nullptr && !refused.empty()) {
      keep({"open", ConformanceCase::Outcome::failed,
            "no client could be opened, of " + joined(refused) + "; is the system there? (--address, --endpoint)", ""});
    }
    for (const std::string& f : without_sample(setup_.operations)) {
      const std::string near = nearest(f, sampled_operations());
      skip("operation " + f, "it is not in the vocabulary of doc/formats.md that is tried here" +
                                 (near.empty() || near == f ? "" : "; did you mean \"" + near + "\"?"));
    }
  }

  // Opens a client in the usual way. Nothing: it is open.
  Outcome opened(Talk& talk, Value more = Value::map()) {
    const auto open = talk.open(type_->data_type, setup_.address, std::move(more));
    if (!open) return open.error();
    if (type_of(*open) == "ok") return std::nullopt;
    return Wrong{"open must be answered with type ok, as before", shown(open->to_json())};
  }
  Outcome played(Talk& talk) {
    const auto reply = talk.ask(talk.invocation(sample_), talk.soon());
    if (!reply) return reply.error();
    return wrong_completion(*reply, sample_);
  }

  Outcome knows_no_such_operation(RawProgram& program) {
    Talk talk(program, setup_);
    if (auto wrong = opened(talk)) return wrong;
    const auto reply = talk.ask(talk.invocation({"no-such-operation", "", "null"}), talk.soon());
    if (!reply) return reply.error();
    if (type_of(*reply) == "fail" || type_of(*reply) == "info") {
      note_ = type_of(*reply) + (kind_of(*reply).empty() ? "" : ", kind " + visible_in_line(kind_of(*reply)));
      return std::nullopt;
    }
    return Wrong{"an operation that there is not must be answered with fail (or info)", shown(reply->to_json())};
  }

  // Killed in the middle of an operation, as a client that is lost: the next one begins as the first did.
  Outcome starts_again(RawProgram& program) {
    Talk talk(program, setup_);
    if (auto wrong = opened(talk)) return wrong;
    if (auto wrong = talk.send(talk.next_id(), talk.invocation(sample_), talk.soon())) return wrong;
    program.kill();
    auto next = RawProgram::start(setup_.adapter);
    if (!next) return Wrong{"it cannot be started again", next.error().message};
    Talk again(**next, setup_);
    if (auto wrong = opened(again)) return wrong;
    return played(again);
  }

  Outcome several_programs(RawProgram& first) {
    std::vector<std::unique_ptr<RawProgram>> others;
    std::vector<Talk> talks = {Talk(first, setup_)};
    for (int i = 0; i < 2; ++i) {
      auto other = RawProgram::start(setup_.adapter);
      if (!other) return Wrong{"a second one cannot be started beside the first", other.error().message};
      others.push_back(*std::move(other));
      talks.emplace_back(*others.back(), setup_);
    }
    for (Talk& talk : talks) {
      if (auto wrong = opened(talk)) return wrong;
    }
    for (Talk& talk : talks) {
      if (auto wrong = played(talk)) return wrong;
    }
    note_ = "three at once";
    return std::nullopt;
  }

  // Requests of three clients under way at the same time; a client that is closed takes nobody with it.
  Outcome several_clients(RawProgram& program) {
    Talk talk(program, setup_);
    for (const std::int64_t client : {1, 2, 3}) {
      if (auto wrong = opened(talk, Value::map({{"client", client}}))) return wrong;
    }
    for (int round = 0; round < 2; ++round) {
      std::vector<std::int64_t> waiting;
      for (const std::int64_t client : {3, 1, 2}) {
        Value request = talk.invocation(sample_);
        request.set("client", client);
        waiting.push_back(talk.next_id());
        if (auto wrong = talk.send(waiting.back(), std::move(request), talk.soon())) return wrong;
      }
      while (!waiting.empty()) {
        const auto reply = talk.reply(std::nullopt, talk.soon());
        if (!reply) return reply.error();
        const Value* id = reply->find("id");
        const auto found = std::find_if(waiting.begin(), waiting.end(),
                                        [&](std::int64_t one) { return id != nullptr && *id == Value(one); });
        if (found == waiting.end())
          return Wrong{"a reply must have the id of an open request", shown(reply->to_json())};
        waiting.erase(found);
        if (auto wrong = wrong_completion(*reply, sample_)) return wrong;
      }
    }
    const auto closed = talk.ask(Value::map({{"request", "close"}, {"client", 2}}), talk.soon());
    if (!closed) return closed.error();
    Value request = talk.invocation(sample_);
    request.set("client", 1);
    const auto after = talk.ask(std::move(request), talk.soon());
    if (!after) return Wrong{"when one client is closed the others go on: " + after.error().what, after.error().said};
    return wrong_completion(*after, sample_);
  }

  Outcome closes(RawProgram& program) {
    Talk talk(program, setup_);
    if (auto wrong = opened(talk)) return wrong;
    const auto reply = talk.ask(Value::map({{"request", "close"}}), talk.soon());
    if (!reply) return reply.error();
    if (type_of(*reply) != "ok") return Wrong{"close must be answered with type ok", shown(reply->to_json())};
    return ends(program);
  }

  Outcome ends_with_its_input(RawProgram& program) {
    Talk talk(program, setup_);
    if (const auto reply = talk.ask(describe(), talk.at_start()); !reply) return reply.error();
    return ends(program);
  }

  Outcome ends(RawProgram& program) {
    program.close_input();
    const auto begin = Deadline::Clock::now();
    if (!program.ends(kEnd)) {
      return Wrong{fmt::format("it must end when its standard input ends; {} s later it was still there", kEnd.count()),
                   program.last_said()};
    }
    const auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
    note_ = fmt::format("ended {} ms after its input", took.count());
    return std::nullopt;
  }

  // A system of which nobody hears: every reply comes by the deadline all the same, and no read is ok.
  Outcome bounds_its_calls(RawProgram& program) {
    ConformanceSetup nobody = setup_;
    if (!nobody.endpoint.empty()) nobody.endpoint = std::string("http://") + kNobody + ":1";
    nobody.timeout = milliseconds(1000);
    Talk talk(program, nobody);
    if (const auto reply = talk.ask(describe(), talk.at_start()); !reply) return reply.error();  // it has started
    const auto begin = Deadline::Clock::now();
    const auto open = talk.open(type_->data_type, kNobody);
    if (!open) return open.error();
    const auto took = std::chrono::duration_cast<milliseconds>(Deadline::Clock::now() - begin);
    // On a busy machine a deadline is not kept to the millisecond.
    if (took > 2 * nobody.timeout + kGrace) {
      return Wrong{fmt::format("open took {} ms, with a deadline of {} ms and nobody there", took.count(),
                               nobody.timeout.count()),
                   shown(open->to_json())};
    }
    note_ = "open " + type_of(*open);
    if (type_of(*open) != "ok") return std::nullopt;
    const auto reply = talk.ask(talk.invocation(sample_), Deadline::after(2 * nobody.timeout + kGrace));
    if (!reply) return reply.error();
    note_ += std::string(", ") + sample_.f + " " + type_of(*reply);
    return wrong_completion(*reply, sample_);
  }

  // What Ordeal never writes: whether it ends or goes on is its own affair; it must not hang, nor take the garbage for
  // a request.
  Outcome survives_garbage(RawProgram& program) {
    Talk talk(program, setup_);
    if (const auto reply = talk.ask(describe(), talk.at_start()); !reply) return reply.error();
    if (!program.write("this is no JSON\n", talk.soon())) return Wrong{"it does not read on", program.last_said()};
    const std::int64_t id = talk.next_id();
    // One that has ended does not take it, or does not answer.
    const bool sent = !talk.send(id, describe(), talk.soon());
    for (int i = 0; sent && i < 3; ++i) {
      const auto line = program.line(Deadline::after(kEnd));
      if (!line) break;
      const auto document = Value::from_json(*line);
      const Value* got = document && document->is_map() ? document->find("id") : nullptr;
      if (got != nullptr && *got == Value(id)) {
        note_ = "it goes on";
        return std::nullopt;
      }
      if (document && document->is_map() && type_of(*document) == "ok")
        return Wrong{"what is no request must not be answered with ok", shown(*line)};
    }
    if (program.ends(kEnd)) {
      note_ = "it ends";
      return std::nullopt;
    }
    return Wrong{"after a line that is no JSON it neither ends nor answers", program.last_said()};
  }

  ConformanceSetup setup_;
  const std::function<void(const ConformanceCase&)>& told_;
  std::vector<ConformanceCase> cases_;
  std::string note_;
  std::int64_t clients_ = 1;
  const SampleType* type_ = nullptr;  // one that could be opened
  SampleRequest sample_{nullptr, "", "null"};
};

}  // namespace

std::string_view name(ConformanceCase::Outcome outcome) {
  switch (outcome) {
    case ConformanceCase::Outcome::passed:
      return "passed";
    case ConformanceCase::Outcome::failed:
      return "failed";
    case ConformanceCase::Outcome::skipped:
      return "skipped";
  }
  return "failed";
}

Result<std::vector<ConformanceCase>> conformance(const ConformanceSetup& setup,
                                                 const std::function<void(const ConformanceCase&)>& told) {
  return Conformance(setup, told).run();
}

}  // namespace ordeal
