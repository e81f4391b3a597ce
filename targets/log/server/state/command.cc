#include "targets/log/server/state/command.h"

#include <array>

#include "base/error.h"
#include "base/value.h"
#include "targets/log/server/state/codec.h"

namespace ordeal::log::state {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kTimeOffset = 1;
constexpr std::size_t kTimeBytes = 8;

bool fits(const Step& step) { return step.key.size() <= kMaxKeyBytes && step.value.size() <= kMaxValueBytes; }

bool fits(const Command& command) {
  return command.idempotency_key.size() <= kMaxKeyBytes && command.key.size() <= kMaxKeyBytes &&
         command.value.size() <= kMaxValueBytes;
}

}  // namespace

bool Command::read_only() const {
  if (kind != CommandKind::transact) return false;
  for (const Step& step : steps) {
    const bool changes = step.kind == Step::Kind::write || step.kind == Step::Kind::append ||
                         step.kind == Step::Kind::remove || step.kind == Step::Kind::add;
    if (changes) return false;
  }
  return true;
}

std::string encode(const Command& command) {
  Writer out;
  out.byte(kVersion);
  for (unsigned i = 0; i < kTimeBytes; ++i) out.byte(static_cast<std::uint8_t>(command.time_ms >> (8 * i)));
  out.byte(static_cast<std::uint8_t>(command.kind));
  out.text(command.idempotency_key);
  out.text(command.key);
  out.text(command.value);
  out.number(command.token);
  out.number(command.ttl_ms);
  out.signed_number(command.amount);
  out.number(command.attempts);
  out.number(command.steps.size());
  for (const Step& step : command.steps) {
    out.byte(static_cast<std::uint8_t>(step.kind));
    out.text(step.key);
    out.text(step.value);
    out.number(step.version);
    out.signed_number(step.amount);
  }
  return out.take();
}

std::optional<Command> decode_command(std::string_view bytes) {
  Reader in(bytes);
  Command command;
  if (in.byte() != kVersion) return std::nullopt;
  for (unsigned i = 0; i < kTimeBytes; ++i) command.time_ms |= static_cast<std::uint64_t>(in.byte()) << (8 * i);
  const std::uint8_t kind = in.byte();
  if (kind > kLastCommandKind) return std::nullopt;
  command.kind = static_cast<CommandKind>(kind);
  command.idempotency_key = in.text();
  command.key = in.text();
  command.value = in.text();
  command.token = in.number();
  command.ttl_ms = in.number();
  command.amount = in.signed_number();
  command.attempts = in.number();
  const std::uint64_t steps = in.count();
  if (!in.ok() || !fits(command) || steps > kMaxSteps) return std::nullopt;
  for (std::uint64_t i = 0; i < steps; ++i) {
    Step step;
    const std::uint8_t what = in.byte();
    if (what > static_cast<std::uint8_t>(Step::Kind::check_lock)) return std::nullopt;
    step.kind = static_cast<Step::Kind>(what);
    step.key = in.text();
    step.value = in.text();
    step.version = in.number();
    step.amount = in.signed_number();
    if (!in.ok() || !fits(step)) return std::nullopt;
    command.steps.push_back(std::move(step));
  }
  if (!in.finished()) return std::nullopt;
  return command;
}

void stamp(std::string& encoded, std::uint64_t time_ms) {
  ORDEAL_CHECK(encoded.size() > kTimeOffset + kTimeBytes, "a command has a time");
  for (unsigned i = 0; i < kTimeBytes; ++i) encoded[kTimeOffset + i] = static_cast<char>(time_ms >> (8 * i));
}

std::string_view name(AnswerCode code) {
  static constexpr std::array<std::string_view, kLastAnswerCode + 1> kNames = {
      "ok", "invalid", "conflict", "wrong-type", "not-found", "held", "not-held", "key-reused", "too-large", "gone"};
  return kNames[static_cast<std::size_t>(code)];
}

std::string encode(const Answer& answer) {
  Writer out;
  out.byte(static_cast<std::uint8_t>(answer.code));
  out.byte(answer.repeated ? 1 : 0);
  out.number(answer.index);
  out.text(answer.body);
  return out.take();
}

std::optional<Answer> decode_answer(std::string_view bytes) {
  Reader in(bytes);
  Answer answer;
  const std::uint8_t code = in.byte();
  if (code > kLastAnswerCode) return std::nullopt;
  answer.code = static_cast<AnswerCode>(code);
  const std::uint8_t repeated = in.byte();
  answer.repeated = repeated == 1;
  answer.index = in.number();
  answer.body = in.text();
  if (!in.finished() || repeated > 1) return std::nullopt;
  return answer;
}

Answer refusal(AnswerCode code, std::string_view message) {
  Answer answer{code, "{\"message\":", 0, false};
  append_json_string(answer.body, message);
  answer.body += '}';
  return answer;
}

}  // namespace ordeal::log::state
