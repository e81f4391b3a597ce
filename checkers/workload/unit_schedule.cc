#include "checkers/workload/unit_schedule.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <queue>

#include "checkers/workload/max_tree.h"

namespace ordeal::work {
namespace {

constexpr std::size_t kMaxExact = 20'000;  // tasks
constexpr std::size_t kMaxTriedOneByOne = 40;

using Places = std::vector<std::size_t>;

Places sorted_by(Places places, const std::vector<Task>& tasks, std::int64_t Task::*time) {
  std::stable_sort(places.begin(), places.end(), [&](auto a, auto b) { return tasks[a].*time < tasks[b].*time; });
  return places;
}

bool earliest_deadline_first(const std::vector<Task>& tasks, const Places& by_release, std::int64_t unit) {
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> waiting;  // their deadlines
  std::int64_t now = 0;
  for (std::size_t next = 0; next < by_release.size() || !waiting.empty(); now += unit) {
    if (waiting.empty()) now = std::max(now, tasks[by_release[next]].release);
    for (; next < by_release.size() && tasks[by_release[next]].release <= now; ++next)
      waiting.push(tasks[by_release[next]].deadline);
    if (waiting.top() < now) return false;
    waiting.pop();
  }
  return true;
}

// Tasks of a window that has more of them than fit; empty: there is none.
Places overfull_window(const std::vector<Task>& tasks, const Places& by_release, std::int64_t unit) {
  const Places by_deadline = sorted_by(by_release, tasks, &Task::deadline);
  Places rank(tasks.size());
  std::vector<std::int64_t> free;  // by deadline b: the length of the tasks that must begin by then, less b
  for (std::size_t i = 0; i < by_deadline.size(); ++i) {
    rank[by_deadline[i]] = i;
    free.push_back(-tasks[by_deadline[i]].deadline);
  }
  MaxTree tree(free);
  for (std::size_t i = by_release.size(); i-- > 0;) {
    const std::int64_t begin = tasks[by_release[i]].release;
    tree.add(rank[by_release[i]], free.size(), unit);
    const MaxTree::Found worst = tree.max(0, free.size());
    if (worst.value + begin <= unit) continue;
    const std::int64_t end = tasks[by_deadline[worst.at]].deadline;
    Places proof;  // so many of them as are one too many
    for (std::size_t k = i; k < by_release.size(); ++k) {
      if (static_cast<std::int64_t>(proof.size()) * unit > unit + end - begin) break;
      if (tasks[by_release[k]].deadline <= end) proof.push_back(by_release[k]);
    }
    return proof;
  }
  return {};
}

// The first phase of Garey and others: the tasks of `by_release` from that place on have no schedule; nullopt: all have
// one. From the last release backwards it finds, for each deadline, the latest time by which the first of the tasks
// that must be begun until then has to begin (`critical`), and forbids to begin anything, which would be one released
// earlier, less than a unit before that time but not before the release.
std::optional<std::size_t> without_schedule(const std::vector<Task>& tasks, const Places& by_release, std::int64_t unit,
                                            const Judgement& in) {
  struct Region {
    std::int64_t left = 0, right = 0;  // nothing begins between them
  };
  std::vector<Region> forbidden;  // both ends go down
  struct Critical {
    std::int64_t deadline = 0, time = 0;
    std::size_t next = 0;  // the first region that may matter
    bool any = false;      // whether there is a task
  };
  std::vector<Critical> critical;
  for (const std::size_t i : sorted_by(by_release, tasks, &Task::deadline)) {
    const std::int64_t deadline = tasks[i].deadline;
    if (critical.empty() || critical.back().deadline != deadline)
      critical.push_back({deadline, deadline + unit, 0, false});
  }
  for (std::size_t i = by_release.size(); i-- > 0;) {
    const Task& task = tasks[by_release[i]];
    in.work(critical.size());
    for (std::size_t k = critical.size(); k-- > 0 && critical[k].deadline >= task.deadline;) {
      Critical& one = critical[k];
      one.any = true;
      one.time -= unit;
      for (; one.next < forbidden.size() && one.time < forbidden[one.next].right; ++one.next) {
        if (one.time > forbidden[one.next].left) one.time = forbidden[one.next].left;
      }
    }
    if (i > 0 && tasks[by_release[i - 1]].release == task.release) continue;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (const Critical& one : critical) least = one.any ? std::min(least, one.time) : least;
    if (least < task.release) return i;
    if (least < task.release + unit) forbidden.push_back({least - unit, task.release});
  }
  return std::nullopt;
}

// Leaves out what is not needed: late deadlines first, then one by one.
Places smaller(const std::vector<Task>& tasks, const Places& places, std::int64_t unit, const Judgement& in) {
  const Places by_deadline = sorted_by(places, tasks, &Task::deadline);
  const auto impossible = [&](const Places& some) {
    return without_schedule(tasks, sorted_by(some, tasks, &Task::release), unit, in).has_value();
  };
  std::size_t low = 1, high = by_deadline.size();  // so many are needed, so many suffice
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const bool enough =
        impossible(Places(by_deadline.begin(), by_deadline.begin() + static_cast<std::ptrdiff_t>(middle)));
    (enough ? high : low) = enough ? middle : middle + 1;
  }
  Places left(by_deadline.begin(), by_deadline.begin() + static_cast<std::ptrdiff_t>(high));
  for (std::size_t i = left.size(); i-- > 0 && left.size() <= kMaxTriedOneByOne;) {
    Places fewer = left;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (impossible(fewer)) left = std::move(fewer);
  }
  return left;
}

}  // namespace

Schedule schedule(const std::vector<Task>& tasks, std::int64_t unit, const Judgement& in) {
  Places all(tasks.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const Places by_release = sorted_by(std::move(all), tasks, &Task::release);
  in.work(tasks.size());
  if (earliest_deadline_first(tasks, by_release, unit)) return {};
  Schedule out;
  out.answer = Schedule::Answer::impossible;
  out.proof = overfull_window(tasks, by_release, unit);
  if (!out.proof.empty()) return out;
  if (tasks.size() > kMaxExact) return {Schedule::Answer::undecided, {}};
  const auto from = without_schedule(tasks, by_release, unit, in);
  if (!from) return {};
  out.proof =
      smaller(tasks, Places(by_release.begin() + static_cast<std::ptrdiff_t>(*from), by_release.end()), unit, in);
  return out;
}

}  // namespace ordeal::work
