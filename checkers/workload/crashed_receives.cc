#include "checkers/workload/crashed_receives.h"

#include <algorithm>

namespace ordeal::work {
namespace {

// A matching of tasks with receives that grows by one task at a time.
class Matching {
 public:
  explicit Matching(std::size_t receives) : task_of_(receives, kNone) {}

  // False when the task cannot be matched beside those before. `may(task, receive)`.
  template <class May>
  bool add(std::size_t task, const May& may, std::size_t& steps) {
    std::vector<bool> tried(task_of_.size());
    return place(task, may, tried, steps);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  template <class May>
  bool place(std::size_t task, const May& may, std::vector<bool>& tried, std::size_t& steps) {
    for (std::size_t i = 0; i < task_of_.size(); ++i) {
      ++steps;
      if (tried[i] || !may(task, i)) continue;
      tried[i] = true;
      if (task_of_[i] != kNone && !place(task_of_[i], may, tried, steps)) continue;
      task_of_[i] = task;
      return true;
    }
    return false;
  }
  std::vector<std::size_t> task_of_;  // by receive
};

}  // namespace

CrashedReceives::CrashedReceives(const Judgement& in, std::vector<EventIndex> invoked)
    : in_(in), invoked_(std::move(invoked)) {}

void CrashedReceives::want(EventIndex event, std::vector<Choice> choices) {
  const auto at = std::upper_bound(wants_.begin(), wants_.end(), event,
                                   [](EventIndex e, const Want& other) { return e < other.event; });
  wants_.insert(at, {event, std::move(choices)});
}

CrashedReceives::Needs CrashedReceives::with(const Needs& needs, const Choice& choice) {
  Needs out = needs;
  for (const ValueId message : choice.messages) {
    Need& need = out[message];
    need.first = std::min(need.first, choice.before);
    if (choice.times <= need.times) continue;
    need.times = choice.times;
    need.all = choice.before;
  }
  return out;
}

bool CrashedReceives::enough(const Needs& needs, std::size_t& steps) const {
  struct Task {
    const std::vector<bool>* by = nullptr;
    EventIndex before = kNoEvent;
  };
  std::vector<Task> tasks;
  for (const auto& [message, need] : needs) {
    const auto spare = spare_.find(message);
    if (spare == spare_.end() || need.times > spare->second.times) return false;
    tasks.push_back({&spare->second.by, need.first});
    tasks.insert(tasks.end(), static_cast<std::size_t>(need.times - 1), {&spare->second.by, need.all});
    if (tasks.size() > invoked_.size()) return false;
  }
  const std::size_t begun = steps;
  Matching matching(invoked_.size());
  const auto may = [&](std::size_t task, std::size_t receive) {
    return invoked_[receive] < tasks[task].before && (*tasks[task].by)[receive];
  };
  bool all = true;
  for (std::size_t i = 0; i < tasks.size() && all; ++i) all = matching.add(i, may, steps);
  in_.work(steps - begun);
  return all;
}

CrashedReceives::Answer CrashedReceives::search(const std::vector<Want>& wants, std::size_t next, const Needs& needs,
                                                std::size_t& steps) const {
  // What is explained already asks for nothing more.
  for (; next < wants.size(); ++next) {
    const auto& choices = wants[next].choices;
    in_.work(choices.size());
    if (std::none_of(choices.begin(), choices.end(), [&](const Choice& one) { return with(needs, one) == needs; }))
      break;
  }
  if (next == wants.size()) return Answer::explained;
  for (const Choice& choice : wants[next].choices) {
    steps += 1 + needs.size();
    if (steps > kMaxSteps) return Answer::undecided;
    const Needs more = with(needs, choice);
    if (!enough(more, steps)) continue;
    const Answer answer = search(wants, next + 1, more, steps);
    if (answer != Answer::impossible) return answer;
  }
  return Answer::impossible;
}

CrashedReceives::Answer CrashedReceives::decide(const std::vector<Want>& wants) const {
  std::size_t steps = 0;
  return search(wants, 0, {}, steps);
}

CrashedReceives::Answer CrashedReceives::decide() const { return decide(wants_); }

std::vector<EventIndex> CrashedReceives::proof() const {
  const auto begin = [&](std::size_t count) {
    return std::vector<Want>(wants_.begin(), wants_.begin() + static_cast<std::ptrdiff_t>(count));
  };
  std::size_t low = 1, high = wants_.size();  // so many are needed, so many suffice
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const bool suffice = decide(begin(middle)) == Answer::impossible;
    (suffice ? high : low) = suffice ? middle : middle + 1;
  }
  std::vector<Want> left = begin(high);
  for (std::size_t i = left.size(); i-- > 0 && left.size() <= kMaxTriedOneByOne;) {
    std::vector<Want> fewer = left;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (decide(fewer) == Answer::impossible) left = std::move(fewer);
  }
  std::vector<EventIndex> out;
  for (const Want& one : left) out.push_back(one.event);
  return out;
}

}  // namespace ordeal::work
