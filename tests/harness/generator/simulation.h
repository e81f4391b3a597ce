#pragma once
// Plays a generator without threads: workers of given latencies, a clock that jumps to the next thing that happens.

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "harness/generator/combinators.h"

namespace ordeal::gen {

struct Issued {
  std::int64_t time_ns = 0;
  std::int64_t over_ns = 0;
  int worker = 0;
  Operation operation;
};

struct Simulation {
  int workers = 1;
  std::size_t most = 10'000;  // operations
  // How long an operation takes, and how it ends.
  std::function<std::int64_t(const Issued&)> latency = [](const Issued&) { return std::int64_t{1'000'000}; };
  std::function<EventType(const Issued&)> outcome = [](const Issued&) { return EventType::ok; };
  // What it returns.
  std::function<std::optional<Value>(const Issued&)> answer = [](const Issued&) { return std::nullopt; };
  // True when the generator said done to every worker.
  bool finished = false;
  std::int64_t end_ns = 0;

  std::vector<Issued> play(Generator& generator) {
    struct Worker {
      bool open = false, done = false;
      std::int64_t at = 0;  // busy or asleep until then
      std::size_t issued = 0;
    };
    std::vector<Worker> all(static_cast<std::size_t>(workers));
    std::vector<Issued> log;
    std::int64_t now = 0;
    while (log.size() < most) {
      auto next = std::min_element(all.begin(), all.end(), [](const Worker& a, const Worker& b) {
        if (a.done != b.done) return b.done;
        return a.at < b.at;
      });
      if (next->done) {
        finished = true;
        break;
      }
      now = std::max(now, next->at);
      end_ns = now;
      const int w = static_cast<int>(next - all.begin());
      const auto wake = [&] {  // an event of one worker wakes those that wait for one
        for (auto& other : all) {
          if (!other.open && !other.done) other.at = std::min(other.at, now);
        }
      };
      if (next->open) {
        const Issued& op = log[next->issued];
        const Completion completion{outcome(op), answer(op), std::nullopt};
        next->open = false;
        generator.update({now, w, w, completion.type, &op.operation, &completion});
        wake();
      }
      auto step = generator.next({now, w, w, workers});
      if (auto* operation = std::get_if<Operation>(&step)) {
        Issued op{now, 0, w, std::move(*operation)};
        op.over_ns = now + latency(op);
        next->at = op.over_ns;
        next->open = true;
        next->issued = log.size();
        log.push_back(op);
        generator.update({now, w, w, EventType::invoke, &log.back().operation, nullptr});
        wake();
      } else if (const auto* wait = std::get_if<Wait>(&step)) {
        next->at = std::max(now + 1, wait->until_ns);
      } else {
        next->done = true;
      }
    }
    return log;
  }
};

// "read", or "write k3 7".
inline std::string text(const Operation& operation) {
  std::string out = operation.f;
  if (operation.key) out += " " + (operation.key->is_string() ? operation.key->string() : operation.key->to_json());
  if (!operation.value.is_nil()) out += " " + operation.value.to_json();
  return out;
}

inline std::vector<std::string> texts(const std::vector<Issued>& log) {
  std::vector<std::string> out;
  for (const auto& one : log) out.push_back(text(one.operation));
  return out;
}

inline Operation op(std::string f, Value value = {}) { return {std::move(f), std::nullopt, std::move(value)}; }

// "w 0", "w 1", …
inline GeneratorPtr counting(std::string f) {
  auto next = std::make_shared<std::int64_t>(0);
  return generate(Rng(0), [f, next](const GeneratorContext&, Rng&) { return op(f, (*next)++); });
}

}  // namespace ordeal::gen
