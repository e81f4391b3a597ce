#include "checkers/workload/causal_set.h"

#include <algorithm>
#include <map>
#include <optional>

namespace ordeal::work {
namespace {

// What one process did up to its next operation of unknown outcome, after which it counts as another.
struct Session {
  std::vector<ValueId> adds;
  std::optional<OperationEvents> last_read;
};

struct Added {
  OperationEvents op;
  std::size_t session = 0, position = 0;       // within the session's adds
  std::optional<OperationEvents> read_before;  // the last read of its session before it
};

class CausalSet {
 public:
  CausalSet(Judgement& in, ValueId key) : in_(in), key_(key) {}

  void run(const std::vector<std::pair<OperationEvents, ValueId>>& adds, const std::vector<OperationEvents>& reads) {
    std::size_t a = 0;
    for (const OperationEvents read : reads) {
      for (; a < adds.size() && adds[a].first.invocation < read.invocation; ++a) add(adds[a].first, adds[a].second);
      const std::size_t session = session_of(read);
      at_.push_back({read, session, sessions_[session].adds.size(), sessions_[session].last_read});
      sessions_[session].last_read = read;
    }
    for (; a < adds.size(); ++a) add(adds[a].first, adds[a].second);
    if (repeated_ != kAbsent)
      in_.inconclusive("element " + in_.shown(repeated_) +
                       " was added more than once, so which add a read saw is open");
    for (const Here& here : at_) look(here);
  }

 private:
  // A read, and what its session had done before it.
  struct Here {
    OperationEvents read;
    std::size_t session = 0;
    std::size_t adds = 0;
    std::optional<OperationEvents> last_read;
  };

  std::size_t session_of(OperationEvents op) {
    const ProcessId process = in_.history().process(op.invocation);
    const auto [found, fresh] = current_.try_emplace(process, sessions_.size());
    if (fresh) sessions_.emplace_back();
    return found->second;
  }

  void add(OperationEvents op, ValueId element) {
    in_.work();
    if (in_.failed(op)) return;
    const std::size_t session = session_of(op);
    Session& of = sessions_[session];
    const auto [found, fresh] = added_.try_emplace(element, Added{op, session, of.adds.size(), of.last_read});
    if (!fresh) repeated_ = element;
    of.adds.push_back(element);
    if (!in_.ok(op)) current_.erase(in_.history().process(op.invocation));
  }

  void look(const Here& here) {
    seen_.resize(in_.values().size(), kNoEvent);
    const EventIndex now = here.read.invocation;
    std::map<std::size_t, const Added*> last;  // by session: the last of its elements here
    for (const ValueId id : in_.items(in_.seen(here.read))) {
      seen_[id] = now;
      const auto found = added_.find(id);
      if (found == added_.end()) continue;
      const Added*& one = last[found->second.session];
      if (one == nullptr || one->position < found->second.position) one = &found->second;
    }
    holds(here, sessions_[here.session].adds, here.adds, nullptr);
    if (here.last_read) holds(here, *here.last_read, nullptr);
    for (const auto& [session, element] : last) {
      holds(here, sessions_[session].adds, element->position, element);
      if (element->read_before) holds(here, *element->read_before, element);
    }
  }

  // That the read holds the first `count` of a session's elements. `by`: who depends on them; nullptr: the read.
  void holds(const Here& here, const std::vector<ValueId>& adds, std::size_t count, const Added* by) {
    in_.work(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (seen_[adds[i]] != here.read.invocation) return missing(here.read, adds[i], by, std::nullopt);
    }
  }
  // … all that another read had returned.
  void holds(const Here& here, OperationEvents other, const Added* by) {
    for (const ValueId id : in_.items(in_.seen(other))) {
      if (seen_[id] != here.read.invocation) return missing(here.read, id, by, other);
    }
  }

  void missing(OperationEvents read, ValueId element, const Added* by, std::optional<OperationEvents> shown_by) {
    std::vector<EventIndex> operations = {read.invocation};
    const auto found = added_.find(element);
    if (found != added_.end()) operations.push_back(found->second.op.invocation);
    if (by != nullptr) operations.push_back(by->op.invocation);
    if (shown_by) operations.push_back(shown_by->invocation);
    const std::string what = "element " + in_.shown(element);
    std::string why = in_.named(read) + " lacks " + what + ", ";
    if (by == nullptr) {
      why += shown_by ? "which the same process had read before" : "which the same process had added before";
    } else {
      const std::string other = in_.shown(in_.asked(by->op));
      why += "but holds " + other + ", whose process had " + (shown_by ? "read " : "added ") + in_.shown(element) +
             " before it added " + other;
    }
    in_.tell("missing-dependency", std::move(operations), std::move(why), {}, key_);
  }

  Judgement& in_;
  ValueId key_;
  std::vector<Session> sessions_;
  std::map<ProcessId, std::size_t> current_;
  std::map<ValueId, Added> added_;
  std::vector<Here> at_;
  std::vector<EventIndex> seen_;  // by value: the last read that was found to hold it
  ValueId repeated_ = kAbsent;
};

}  // namespace

void judge_causal_set(Judgement& in, ValueId key, const std::vector<std::pair<OperationEvents, ValueId>>& adds,
                      const std::vector<OperationEvents>& reads) {
  CausalSet(in, key).run(adds, reads);
}

}  // namespace ordeal::work
