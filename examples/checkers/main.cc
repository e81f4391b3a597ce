// Two clients of one register: is what they saw linearizable? Not so: 1 is read after the write of 2 had been
// acknowledged.
#include <checkers/history/history.h>
#include <checkers/model_catalogue.h>

#include <cstdio>

int main() {
  using enum ordeal::EventType;
  ordeal::HistoryBuilder builder;
  const auto write = builder.function("write").value(), read = builder.function("read").value();
  const auto event = [&](int process, ordeal::EventType type, ordeal::FunctionId f, const ordeal::Value& value) {
    return builder.add({.process = process, .type = type, .f = f, .value = builder.values().intern(value)}).has_value();
  };
  if (!event(0, invoke, write, 1) || !event(0, ok, write, 1) || !event(1, invoke, write, 2) ||
      !event(1, ok, write, 2) || !event(0, invoke, read, nullptr) || !event(0, ok, read, 1)) {
    return 64;
  }
  const ordeal::History history = builder.finish();
  const auto checker = ordeal::checker_for("register", "linearizable").value();
  const ordeal::CheckResult result = checker->check(history, {.model = "register", .consistency = "linearizable"});
  std::printf("%s\n", ordeal::to_value(result, history).to_json().c_str());
  return result.verdict == ordeal::Verdict::valid ? 0 : result.verdict == ordeal::Verdict::invalid ? 1 : 2;
}
