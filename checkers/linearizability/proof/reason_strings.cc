// The names of mistakes of a string that is put, appended to and got (the model kv).

#include <string_view>

#include "checkers/linearizability/models/operations.h"
#include "checkers/linearizability/proof/reasons.h"

namespace ordeal::lin {
namespace {

class Strings {
 public:
  explicit Strings(const Reasons& in) : in_(in) {}

  [[nodiscard]] std::optional<Reason> run() const {
    if (auto found = in_.first([&](const Call& call) { return nowhere(call); })) return found;
    if (auto found = in_.first([&](const Call& call) { return missing(call); })) return found;
    if (auto found = in_.first([&](const Call& call) { return shorter(call); })) return found;
    return in_.first([&](const Call& call) { return overwritten(call); });
  }

 private:
  [[nodiscard]] std::string_view text(const Operation& op) const {
    return op.a == kNil ? std::string_view() : in_.history.values().as_string(static_cast<ValueId>(op.a));
  }
  static bool is_get(const Call& call) { return !call.crashed() && call.op.code == str::kGet; }
  static bool is_put(const Call& call) { return call.op.code == str::kPut; }
  [[nodiscard]] std::string got(const Call& call) const {
    return in_.told.who(call) + " got " + in_.told.value(call.op.a) + " (" + in_.told.event(call.inv) + ")";
  }

  // Whatever was put or appended last is the end of the string, unless it is the one that all began with.
  [[nodiscard]] std::optional<Reason> nowhere(const Call& call) const {
    if (!is_get(call) || text(call.op).empty() || begins_with_something()) return std::nullopt;
    return in_.from_nowhere(call, "got " + in_.told.value(call.op.a), "write", "written", [&](const Operation& op) {
      return op.code != str::kGet && !text(op).empty() && text(call.op).ends_with(text(op));
    });
  }
  // The state begins with the length of the string.
  [[nodiscard]] bool begins_with_something() const { return in_.model.initial()[0] != 0; }

  // An appended string that had been acknowledged, that no put can have removed, and that is not there.
  [[nodiscard]] std::optional<Reason> missing(const Call& call) const {
    if (!is_get(call)) return std::nullopt;
    for (const Call& append : in_.part) {
      if (append.crashed() || append.op.code != str::kAppend || append.ret >= call.inv) continue;
      const std::string_view piece = text(append.op);
      if (text(call.op).find(piece) != std::string_view::npos) continue;
      if (in_.any([&](const Call& one) { return is_put(one) && one.ret >= append.inv; })) continue;
      const bool seen =
          in_.any([&](const Call& one) { return is_get(one) && text(one.op).find(piece) != std::string_view::npos; });
      return Reason{std::string(seen ? "stale read: " : "lost update: ") + got(call) + ", without " +
                        in_.told.value(append.op.a) + ", " + in_.told.after(append.ret, call.inv) + " " +
                        in_.told.who(append) + " had been told that this was appended (" + in_.told.event(append.inv) +
                        ")" + (seen ? "" : "; no get ever showed it"),
                    {call.inv, append.inv}};
    }
    return std::nullopt;
  }

  // Without puts the string only grows.
  [[nodiscard]] std::optional<Reason> shorter(const Call& call) const {
    if (!is_get(call) || in_.any(is_put)) return std::nullopt;
    for (const Call& other : in_.part) {
      if (!is_get(other) || &other == &call || text(call.op).starts_with(text(other.op))) continue;
      const bool begins = text(other.op).starts_with(text(call.op));
      if (begins && other.ret >= call.inv) continue;
      if (begins)
        return Reason{"stale read: " + got(call) + " " + in_.told.after(other.ret, call.inv) + " " +
                          in_.told.who(other) + " had got " + in_.told.value(other.op.a) + " (" +
                          in_.told.event(other.inv) + ")",
                      {call.inv, other.inv}};
      return Reason{"contradictory reads: " + got(call) + " and " + got(other) +
                        ", of which neither begins with the other, though nobody put anything",
                    {call.inv, other.inv}};
    }
    return std::nullopt;
  }

  // Without appends it is a register: what was got had been replaced for certain.
  [[nodiscard]] std::optional<Reason> overwritten(const Call& call) const {
    if (!is_get(call) || in_.any([](const Call& one) { return one.op.code == str::kAppend; })) return std::nullopt;
    for (const Call& put : in_.part) {
      if (put.crashed() || !is_put(put) || put.ret >= call.inv || text(put.op) == text(call.op)) continue;
      const bool again = in_.any([&](const Call& one) {
        return is_put(one) && text(one.op) == text(call.op) && one.ret >= put.inv && one.inv < call.ret;
      });
      if (again) continue;
      return Reason{"stale read: " + got(call) + " " + in_.told.after(put.ret, call.inv) + " " + in_.told.who(put) +
                        " had been told that " + in_.told.value(put.op.a) + " was put (" + in_.told.event(put.inv) +
                        ")",
                    {call.inv, put.inv}};
    }
    return std::nullopt;
  }

  const Reasons& in_;
};

}  // namespace

std::optional<Reason> string_reason(const Reasons& in) { return Strings(in).run(); }

}  // namespace ordeal::lin
