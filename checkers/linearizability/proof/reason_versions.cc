// The names of mistakes of a register with versions. Every change raises the version by one, so whatever shows a
// version shows all lower ones to be over.

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/reasons.h"

namespace ordeal::lin {
namespace {

bool has_version(const Call& call) { return !call.crashed() && call.op.b != kUnknown; }
bool reads(const Call& call) { return call.op.code == reg::kRead; }
// The value that the register has when it took effect; kUnknown: not known.
std::int64_t value_of(const Operation& op) { return op.code == reg::kCas ? op.a & 0xFFFFFFFF : op.a; }

std::string at_version(const Call& call) { return " at version " + std::to_string(call.op.b); }
std::string told_of(const Reasons& in, const Call& x) {
  const std::string value = value_of(x.op) == kUnknown ? "a value" : in.told.value(value_of(x.op));
  return in.told.who(x) + (reads(x) ? " had read " + value : " had been told that " + value + " was written") +
         at_version(x) + " (" + in.told.event(x.inv) + ")";
}

// It shows a version that somebody, before it began, knew to be over.
std::optional<Reason> stale(const Reasons& in, const Call& call) {
  if (!has_version(call)) return std::nullopt;
  for (const Call& x : in.part) {
    if (!has_version(x) || x.ret >= call.inv) continue;
    if (reads(call) ? x.op.b <= call.op.b : x.op.b < call.op.b) continue;
    const std::string head = reads(call) ? "stale read: " + in.told.who(call) + " read "
                                         : "the version went back: " + in.told.who(call) + " was told that it wrote ";
    const std::string value = value_of(call.op) == kUnknown ? "a value" : in.told.value(value_of(call.op));
    return Reason{head + value + at_version(call) + " (" + in.told.event(call.inv) + ") " +
                      in.told.after(x.ret, call.inv) + " " + told_of(in, x),
                  {call.inv, x.inv}};
  }
  return std::nullopt;
}

// Two changes made one version, or it was seen with two values.
std::optional<Reason> reused(const Reasons& in, const Call& call) {
  if (!has_version(call)) return std::nullopt;
  for (const Call& other : in.part) {
    if (&other == &call) return std::nullopt;
    if (!has_version(other) || other.op.b != call.op.b) continue;
    const std::string both = in.told.who(other) + " (" + in.told.event(other.inv) + ") and " + in.told.who(call) +
                             " (" + in.told.event(call.inv) + ")";
    const std::int64_t a = value_of(other.op), b = value_of(call.op);
    if (!reads(other) && !reads(call))
      return Reason{"lost update: " + both + " were both told that they made version " + std::to_string(call.op.b) +
                        ", of " + in.told.value(a) + " and of " + in.told.value(b),
                    {call.inv, other.inv}};
    if (a == kUnknown || b == kUnknown || a == b) continue;
    return Reason{"one version, two values: to " + both + " version " + std::to_string(call.op.b) + " had the values " +
                      in.told.value(a) + " and " + in.told.value(b),
                  {call.inv, other.inv}};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Reason> versioned_reason(const Reasons& in, const Model& whole) {
  const std::int64_t initial = whole.initial()[2];
  const auto nowhere = in.first([&](const Call& call) -> std::optional<Reason> {
    if (call.crashed() || !reads(call) || call.op.a == kUnknown || call.op.a == initial) return std::nullopt;
    return in.from_nowhere(call, "read " + in.told.value(call.op.a), "write", "written",
                           [&](const Operation& op) { return op.code != reg::kRead && value_of(op) == call.op.a; });
  });
  if (nowhere) return nowhere;
  if (auto found = in.first([&](const Call& call) { return stale(in, call); })) return found;
  return in.first([&](const Call& call) { return reused(in, call); });
}

}  // namespace ordeal::lin
