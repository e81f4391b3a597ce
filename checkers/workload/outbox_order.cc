#include "checkers/workload/outbox_order.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

namespace ordeal::work {
namespace {

// The changes of one key as one view lists them, each where it comes first.
struct Listed {
  OperationEvents op;
  std::vector<ValueId> ids;
};
using ByKey = std::map<ValueId, std::vector<Listed>>;

ByKey by_key(const Judgement& in, const std::vector<OutboxList>& views) {
  ByKey out;
  for (const OutboxList& view : views) {
    std::map<ValueId, std::vector<ValueId>> ids;
    std::set<ValueId> seen;
    in.work(view.all.size());
    for (const auto& [key, id] : view.all) {
      if (seen.insert(id).second) ids[key].push_back(id);
    }
    for (auto& [key, list] : ids) out[key].push_back({view.op, std::move(list)});
  }
  return out;
}

class KeyOrder {
 public:
  KeyOrder(Judgement& in, const AttemptTable& made) : in_(in), made_(made) {}

  // False when something was told.
  bool judge(const std::vector<Listed>& states, const std::vector<Listed>& messages) {
    const Listed* state = longest(states);
    const Listed* sent = longest(messages);
    if (!one_list(states, state) || !one_list(messages, sent)) return false;
    if ((state != nullptr && !in_real_time(*state)) || (sent != nullptr && !in_real_time(*sent))) return false;
    return state == nullptr || sent == nullptr || (alike(*state, *sent) && alike(*sent, *state));
  }

 private:
  static const Listed* longest(const std::vector<Listed>& views) {
    const auto found = std::max_element(views.begin(), views.end(),
                                        [](const Listed& a, const Listed& b) { return a.ids.size() < b.ids.size(); });
    return found == views.end() ? nullptr : &*found;
  }

  // That each view is a beginning of the longest.
  bool one_list(const std::vector<Listed>& views, const Listed* most) {
    for (const Listed& view : views) {
      in_.work(view.ids.size());
      const auto [mine, theirs] = std::mismatch(view.ids.begin(), view.ids.end(), most->ids.begin());
      if (mine == view.ids.end()) continue;
      tell(view.op, *mine, *theirs, in_.named(most->op) + " shows them in another order", most->op.invocation);
      return false;
    }
    return true;
  }

  // That changes acknowledged before the begin of one that is listed are listed before it.
  bool in_real_time(const Listed& view) {
    const ValueId any = view.ids.front();
    std::vector<std::pair<EventIndex, ValueId>> acknowledged;
    for (const auto& [id, tries] : made_.all()) {
      in_.work();
      if (tries.acknowledged != kNoEvent && same_key(id, any)) acknowledged.emplace_back(tries.acknowledged, id);
    }
    std::sort(acknowledged.begin(), acknowledged.end());
    std::vector<ValueId> order;
    for (const auto& [at, id] : acknowledged) order.push_back(id);
    const auto before = [&](ValueId id) {
      const auto end =
          std::lower_bound(acknowledged.begin(), acknowledged.end(), std::pair(made_.find(id)->invoked, ValueId{0}));
      return static_cast<std::size_t>(end - acknowledged.begin());
    };
    return keeps(view, order, before, [&](ValueId id) {
      return std::pair(
          "that one had been acknowledged before the other was begun (" + in_.event(made_.find(id)->acknowledged) + ")",
          kNoEvent);
    });
  }

  // That before each change of `view` it has all that comes before that change in `other`.
  bool alike(const Listed& view, const Listed& other) {
    std::unordered_map<ValueId, std::size_t> place;
    for (std::size_t i = 0; i < other.ids.size(); ++i) place.emplace(other.ids[i], i);
    const auto before = [&](ValueId id) {
      const auto found = place.find(id);
      return found == place.end() ? other.ids.size() : found->second;  // what is not there yet comes after all that is
    };
    return keeps(view, other.ids, before, [&](ValueId) {
      return std::pair(in_.named(other.op) + " shows that one first", other.op.invocation);
    });
  }

  // That for each change of the view the first `before(change)` of `order` are listed before it.
  template <class Before, class Why>
  bool keeps(const Listed& view, const std::vector<ValueId>& order, Before before, Why why) {
    constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
    std::unordered_map<ValueId, std::size_t> place;
    for (std::size_t i = 0; i < view.ids.size(); ++i) place.emplace(view.ids[i], i);
    std::vector<std::pair<std::size_t, ValueId>> last;  // of the first ones of `order`, the one that is listed last
    for (const ValueId id : order) {
      const auto found = place.find(id);
      const std::pair one(found == place.end() ? kNowhere : found->second, id);
      last.push_back(last.empty() || last.back().first < one.first ? one : last.back());
    }
    for (std::size_t i = 0; i < view.ids.size(); ++i) {
      in_.work();
      const std::size_t count = before(view.ids[i]);
      if (count == 0 || last[count - 1].first <= i) continue;
      const auto [text, by] = why(last[count - 1].second);
      tell(view.op, view.ids[i], last[count - 1].second, text, by);
      return false;
    }
    return true;
  }

  bool same_key(ValueId a, ValueId b) const { return key_of(a) == key_of(b); }
  ValueId key_of(ValueId id) const { return in_.values().member(in_.history().value(made_.find(id)->invoked), "key"); }

  void tell(OperationEvents view, ValueId shown, ValueId earlier, const std::string& why, EventIndex by) {
    const EventIndex first = made_.find(shown)->invoked, second = made_.find(earlier)->invoked;
    in_.tell("reordered", {first, second, view.invocation, by},
             in_.named(view) + " shows the change " + in_.shown(shown) + " without the change " + in_.shown(earlier) +
                 " before it, of the same key, but " + why);
  }

  Judgement& in_;
  const AttemptTable& made_;
};

}  // namespace

void judge_outbox_order(Judgement& in, const AttemptTable& made, const std::vector<OutboxList>& states,
                        const std::vector<OutboxList>& messages, bool ordered) {
  ByKey of_state = by_key(in, states);
  ByKey of_messages = ordered ? by_key(in, messages) : ByKey();
  std::set<ValueId> keys;
  for (const auto* all : {&of_state, &of_messages}) {
    for (const auto& [key, views] : *all) keys.insert(key);
  }
  for (const ValueId key : keys) KeyOrder(in, made).judge(of_state[key], of_messages[key]);
}

}  // namespace ordeal::work
