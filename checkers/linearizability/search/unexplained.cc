// unexplained: a register's read (or cas) that nothing explains, found in one pass, O(n).
//
// R observes v. Whatever wrote v last before R was invoked before R returned; let p be the last return among those
// operations (a crashed one never returns). If an operation X was invoked after p, returned before R was invoked, and
// shows that the register held something else than v at its moment, then every write of v had been overwritten by then:
//
//   write 1 |---|                         the only writes of 1 have returned at p
//   read 2          X |---|               the register holds 2
//   read 1                     R |---|    nothing explains this
//
// This is necessary for linearizability, not sufficient: finding nothing says nothing. It finds the typical stale read
// however many clients and crashed operations there are, which costs a search most.
// Tested by lin_search_property_test as a part of race.

#include <boost/unordered/unordered_flat_map.hpp>

#include "checkers/linearizability/search/searches.h"
#include "checkers/linearizability/special/exclusion.h"
#include "checkers/linearizability/special/special_case_base.h"

namespace ordeal::lin {
namespace {

class Sweep {
 public:
  explicit Sweep(const KeyHistory& history) : calls_(history.calls), at_invocation_(calls_.size()) {
    const std::uint32_t initial = history.model->initial()[0];
    any_initial_ = initial == kAnyState;
    if (!any_initial_) providers_[initial].initially = true;
  }

  std::optional<Decision> run() {
    for (const KeyEvent event : events_of(calls_)) {
      const Call& call = calls_[event.call];
      if (!event.is_return) {
        at_invocation_[event.call] = {latest_, latest_write_};
        if (reg::writes(call.op)) provide(event.call);
        continue;
      }
      if (reg::observes(call.op) && unexplained(event.call)) {
        Decision out = refuted(std::move(culprits_));
        out.failed_at = call.ret;
        return out;
      }
      latest_.returned(calls_, event.call);
      if (call.op.code == reg::kWrite) latest_write_.returned(calls_, event.call);
    }
    return std::nullopt;
  }

 private:
  struct Provider {
    CallIndex last = kNobody;        // the writer of the value that returns last
    CallIndex last_write = kNobody;  // the same among those that observe nothing themselves
    bool initially = false;
  };
  struct Seen {
    Latest of_all, of_writes;
  };

  void provide(CallIndex writer) {
    Provider& provider = providers_[reg::written(calls_[writer].op)];
    const auto keep_last = [&](CallIndex& last) {
      if (last == kNobody || calls_[writer].ret > calls_[last].ret) last = writer;
    };
    keep_last(provider.last);
    if (calls_[writer].op.code == reg::kWrite) keep_last(provider.last_write);
  }

  bool unexplained(CallIndex observer) {
    const std::int64_t v = calls_[observer].op.a;
    const Provider& provider = providers_[v];
    if (provider.last == kNobody && !provider.initially && !any_initial_) {
      culprits_ = {observer};
      return true;
    }
    const auto excludes = [&](CallIndex x) {
      return x != kNobody && (provider.last == kNobody || calls_[provider.last].ret < calls_[x].inv);
    };
    // A write explains itself, so it makes the better witness.
    CallIndex x = at_invocation_[observer].of_writes.other_than(calls_, v);
    if (!excludes(x)) x = at_invocation_[observer].of_all.other_than(calls_, v);
    if (!excludes(x)) return false;
    culprits_ = {observer, x};
    const CallIndex whence = provider.last_write != kNobody ? provider.last_write : provider.last;
    if (whence != kNobody) culprits_.push_back(whence);
    return true;
  }

  const std::vector<Call>& calls_;
  std::vector<Seen> at_invocation_;
  Latest latest_, latest_write_;
  boost::unordered_flat_map<std::int64_t, Provider> providers_;
  bool any_initial_ = false;
  std::vector<CallIndex> culprits_;
};

}  // namespace

std::optional<Decision> find_unexplained(const KeyHistory& history) {
  if (!is_one_register(*history.model)) return std::nullopt;
  return Sweep(history).run();
}

}  // namespace ordeal::lin
