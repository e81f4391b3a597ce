// The checker "token-bucket": a limiter that grants a rate and, after a pause, a burst (token bucket, leaky bucket as a
// meter, GCRA).
//
// Operations: `request`, ok when granted, fail when denied (its error, if it has one, of the kind "limited"; a failure
// of another kind is none of the limiter's); keys, if any, have limits of their own. A bucket is full, with
// token-bucket.burst tokens (B), when the run begins; token-bucket.rate (r) grow a second, never above B; a grant takes
// one, a denial none. Stated for windows: whatever time W one looks at, it holds at most B + r W grants. A bucket that
// is filled by q tokens at a time gives B + q at once: claim that burst. A limiter by several nodes that each give a
// share promises the sum. The rate is by the recorder's clock, to within token-bucket.tolerance.
//
//   too-many-grants   no choice of instants, each between the invocation of a grant and its answer, respects the limit
//   needless-denial   whichever instants one chooses, the bucket had a token all the while that the denied request ran;
//                     or all the while that one of several ran
//   tokens-lost       needless denials, and from the first of them on nobody was granted anything
//
// Both are decided exactly: the first as unit_schedule.h says. For the second the bucket had least, at an instant t of
// the denial, when all grants that may have come before t came as late as they could: B + r (t - s) less the number of
// those begun until t and not over before s, for the worst s up to t. So each denial is looked at alone, and grants
// that excuse it need not respect the limit themselves. Where none is needless by itself, all are looked at together,
// with the limit (bucket_denials.h): those of a time before and after which the bucket was full, when they are few;
// where a number of steps does not suffice, the verdict is unknown. Where they are many, or once very many steps were
// taken, it stays with the first, and the details say so: "denials-judged" is "together" or "one by one". A request of
// unknown outcome may take a token until token-bucket.settle after it ended (the workload waits so long before its last
// requests). Cost: O(n log n); where windows alone do not decide, O(n²).
#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "checkers/workload/bucket_denials.h"
#include "checkers/workload/judgement.h"
#include "checkers/workload/max_tree.h"
#include "checkers/workload/unit_schedule.h"
#include "checkers/workload/workload_checkers.h"

namespace ordeal::work {
namespace {

// Times are counted in these parts of a nanosecond, so that the time of a token is a whole number of them.
constexpr std::int64_t kParts = 256;

struct Grant {
  OperationEvents op;
  std::int64_t begin = 0, end = 0;  // it took place between them
};

struct Requests {
  std::vector<Grant> grants;     // certain ones
  std::vector<Grant> may_count;  // those of unknown outcome as well
  std::vector<Grant> denials;
};

class Bucket {
 public:
  static constexpr std::size_t kMaxSteps = 10'000'000;  // for the denials of one time; for all of them
  static constexpr std::size_t kMaxStepsInAll = 200'000'000;

  Bucket(Judgement& in, ValueId key) : in_(in), key_(key), burst_(in.option("token-bucket.burst")) {
    const double token = 1e9 * kParts / in.option_real("token-bucket.rate");
    const double tolerance = in.option_real("token-bucket.tolerance");
    shortest_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(token / (1 + tolerance))));
    longest_ = static_cast<std::int64_t>(std::ceil(token * (1 + tolerance)));
  }

  // Whether all was decided: the denials together, not only one by one. `steps`: those that are left for it.
  bool judge(const Requests& requests, bool denials, std::size_t& steps) {
    if (denials) judge_denials(requests);
    judge_grants(requests.grants);
    return !denials || in_.accused() || together(requests, steps);
  }

 private:
  // Tells the violations from the last one backwards.
  void judge_grants(std::vector<Grant> grants) {
    for (int told = 0; told < kMaxTold; ++told) {
      std::vector<Task> tasks;
      for (const Grant& one : grants) tasks.push_back({one.begin, one.end + (burst_ - 1) * shortest_});
      const Schedule found = schedule(tasks, shortest_, in_);
      if (found.answer == Schedule::Answer::possible) return;
      if (found.answer == Schedule::Answer::undecided) {
        return in_.inconclusive("of so many grants it cannot be decided whether instants exist that respect the limit");
      }
      const std::int64_t first = tell_grants(grants, found.proof);
      std::erase_if(grants, [&](const Grant& one) { return one.end >= first; });
    }
  }

  std::int64_t tell_grants(const std::vector<Grant>& grants, const std::vector<std::size_t>& proof) {
    std::vector<EventIndex> events;
    std::int64_t begin = grants[proof[0]].begin, end = 0;
    for (const std::size_t i : proof) {
      events.push_back(grants[i].op.invocation);
      begin = std::min(begin, grants[i].begin);
      end = std::max(end, grants[i].end);
    }
    const std::int64_t allowed = burst_ + (end - begin) / shortest_;
    std::string text = std::to_string(proof.size()) + " requests were granted within " + ms(end - begin) + ", from " +
                       in_.event(*std::min_element(events.begin(), events.end())) + " on; ";
    if (static_cast<std::int64_t>(proof.size()) > allowed) {
      text += "the burst and the rate allow " + std::to_string(allowed);
    } else {
      text += "no instants between their invocations and answers respect the burst and the rate";
    }
    in_.tell("too-many-grants", std::move(events), std::move(text), {}, key_);
    return begin;
  }

  // An instant of a denial at which the bucket can have been emptier than before.
  struct Look {
    std::int64_t at = 0;
    std::size_t denial = 0;
  };

  std::vector<Look> looks(const Requests& requests) const {
    std::vector<std::int64_t> begins;
    for (const Grant& one : requests.may_count) begins.push_back(one.begin);
    std::sort(begins.begin(), begins.end());
    std::vector<Look> out;
    for (std::size_t i = 0; i < requests.denials.size(); ++i) {
      const Grant& denial = requests.denials[i];
      out.push_back({denial.begin, i});
      auto next = std::upper_bound(begins.begin(), begins.end(), denial.begin);
      for (; next != begins.end() && *next <= denial.end; ++next) {
        in_.work();
        out.push_back({*next, i});
      }
    }
    std::sort(out.begin(), out.end(), [](const Look& a, const Look& b) { return a.at < b.at; });
    return out;
  }

  void judge_denials(const Requests& requests) {
    std::vector<Grant> by_begin = requests.may_count, by_end = requests.may_count;
    std::sort(by_begin.begin(), by_begin.end(), [](const Grant& a, const Grant& b) { return a.begin < b.begin; });
    std::sort(by_end.begin(), by_end.end(), [](const Grant& a, const Grant& b) { return a.end < b.end; });
    std::vector<std::int64_t> ends;
    for (const Grant& one : by_end) ends.push_back(one.end);
    const auto place = [&](std::int64_t end) {
      return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), end) - ends.begin());
    };
    // By an end s: the tokens that those begun and not over before s took, in time, and s.
    MaxTree tree(ends);
    std::vector<bool> excused(requests.denials.size());
    std::size_t begun = 0;
    for (const Look& look : looks(requests)) {
      in_.work();
      for (; begun < by_begin.size() && by_begin[begun].begin <= look.at; ++begun)
        tree.add(0, place(by_begin[begun].end), longest_);
      // Those not over at the instant itself can all come then.
      const std::size_t over = place(look.at);
      const std::size_t over_before_begin =
          static_cast<std::size_t>(std::lower_bound(ends.begin(), ends.end(), look.at) - ends.begin());
      std::int64_t taken = tree.max(0, over).value;
      if (const auto open = static_cast<std::int64_t>(begun) - static_cast<std::int64_t>(over_before_begin); open > 0)
        taken = std::max(taken, open * longest_ + look.at);
      if (taken != MaxTree::Found{}.value && taken - look.at >= (burst_ - 1) * longest_) excused[look.denial] = true;
    }
    std::vector<Grant> needless;
    for (std::size_t i = 0; i < excused.size(); ++i) {
      if (!excused[i]) needless.push_back(requests.denials[i]);
    }
    tell_denials(requests, needless);
  }

  // Requests of a time before and after which the bucket was full.
  struct Busy {
    std::vector<Grant> grants, denials;
    [[nodiscard]] std::size_t size() const { return grants.size() + denials.size(); }
  };
  std::vector<Busy> busy_times(const Requests& requests) const {
    std::vector<std::pair<Grant, bool>> all;  // and whether it is a denial
    for (const Grant& one : requests.may_count) all.emplace_back(one, false);
    for (const Grant& one : requests.denials) all.emplace_back(one, true);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first.begin < b.first.begin; });
    std::vector<Busy> out;
    std::int64_t full = 0;  // when the bucket is full again, at the latest
    for (const auto& [one, denied] : all) {
      if (out.empty() || one.begin > full) out.emplace_back();
      (denied ? out.back().denials : out.back().grants).push_back(one);
      full = std::max(full, one.end + burst_ * longest_);
    }
    return out;
  }

  bool together(const Requests& requests, std::size_t& steps) {
    bool decided = true;
    for (Busy& busy : busy_times(requests)) {
      in_.work(busy.size());
      if (busy.denials.empty()) continue;
      decided = decided && busy.size() <= kMaxTogether && steps > 0;
      if (busy.size() > kMaxTogether || steps == 0) continue;
      const BucketAnswer answer = explain(busy, steps);
      if (answer == BucketAnswer::impossible) {
        tell_together(std::move(busy));
      } else if (answer == BucketAnswer::undecided) {
        in_.inconclusive("whether the denials from " + in_.event(busy.denials.front().op.invocation) +
                         " on can be explained together was not decided within the limit of steps");
      }
    }
    return decided;
  }

  // Takes what it needs from `steps`.
  [[nodiscard]] BucketAnswer explain(const Busy& busy, std::size_t& steps) const {
    const std::size_t most = std::min(steps, kMaxSteps);
    std::size_t left = most;
    std::vector<BucketRequest> grants, denials;
    for (const Grant& one : busy.grants) grants.push_back({one.begin, one.end, in_.ok(one.op)});
    for (const Grant& one : busy.denials) denials.push_back({one.begin, one.end, true});
    const BucketAnswer answer = explain_denials({burst_, shortest_, longest_}, grants, denials, left, in_);
    steps -= answer == BucketAnswer::undecided ? most : most - left;
    return answer;
  }

  void tell_together(Busy busy) {
    for (std::size_t i = busy.denials.size(); i-- > 0;) {
      Busy fewer = busy;
      fewer.denials.erase(fewer.denials.begin() + static_cast<std::ptrdiff_t>(i));
      std::size_t steps = kMaxSteps;
      if (explain(fewer, steps) == BucketAnswer::impossible) busy = std::move(fewer);
    }
    std::vector<EventIndex> events;
    std::string which;
    for (const Grant& one : busy.denials) {
      events.push_back(one.op.invocation);
      which += (which.empty() ? "" : ", ") + in_.event(one.op.invocation);
    }
    for (const Grant& one : busy.grants) events.push_back(one.op.invocation);
    std::sort(events.begin(), events.end());
    in_.tell("needless-denial", std::move(events),
             "requests were denied (" + which +
                 "), although no instants of the grants, between their invocations and " +
                 "answers and within the limit, leave the bucket without a token " +
                 (busy.denials.size() == 1 ? "then" : "during each of the denials, as some do during one of them"),
             {}, key_);
  }

  void tell_denials(const Requests& requests, const std::vector<Grant>& needless) {
    if (needless.empty()) return;
    const bool for_good = needless.size() >= kForGood &&
                          std::none_of(requests.grants.begin(), requests.grants.end(),
                                       [&](const Grant& one) { return one.end >= needless.front().begin; });
    if (for_good) {
      return in_.tell("tokens-lost", {needless.front().op.invocation, needless.back().op.invocation},
                      "nothing was granted any more from " + in_.named(needless.front().op) + " on, until " +
                          in_.event(needless.back().op.completion) + ", although the bucket had a token whenever " +
                          std::to_string(needless.size()) + " of the requests were denied",
                      {}, key_);
    }
    for (const Grant& denial : needless) {
      in_.tell("needless-denial", {denial.op.invocation},
               in_.named(denial.op) + " was denied, although the bucket had a token then, whenever between their " +
                   "invocations and answers the grants before took theirs",
               {}, key_);
    }
  }

  static std::string ms(std::int64_t time) {
    std::string text = std::to_string(static_cast<double>(time) / static_cast<double>(kParts) / 1e6);
    return text.substr(0, text.find('.') + 3) + " ms";
  }

  static constexpr int kMaxTold = 10;
  static constexpr std::size_t kMaxTogether = 48;
  static constexpr std::size_t kForGood = 3;
  Judgement& in_;
  ValueId key_;
  std::int64_t burst_;
  std::int64_t shortest_ = 0, longest_ = 0;  // in which a token may grow
};

bool is_denial(const Judgement& in, OperationEvents op) {
  if (!in.failed(op)) return false;
  const EventError* error = in.history().error(op.completion);
  return error == nullptr || error->kind.empty() || error->kind == "limited";
}

void judge_token_bucket(Judgement& in) {
  if (!in.understands({"request"})) return;
  const History& h = in.history();
  const std::int64_t settle = in.option_ns("token-bucket.settle");
  std::map<ValueId, Requests> keys;
  for (const OperationEvents op : in.operations()) {
    const bool denial = is_denial(in, op);
    if (in.failed(op) && !denial) continue;
    const bool crashed = !in.ok(op) && !denial;
    const bool completed = op.completion != kNoEvent;
    if (h.time(op.invocation) < 0 || (completed && h.time(op.completion) < 0)) {
      return in.refuse("the history has no times (" + in.event(op.invocation) + "), which this checker needs");
    }
    // One without any completion was open until the history ends.
    const std::int64_t over = h.time(completed ? op.completion : static_cast<EventIndex>(h.size() - 1));
    const Grant one{op, h.time(op.invocation) * kParts,
                    (std::max(over, h.time(op.invocation)) + (crashed ? settle : 0)) * kParts};
    Requests& requests = keys[in.key(op)];
    if (denial) requests.denials.push_back(one);
    if (!denial) requests.may_count.push_back(one);
    if (in.ok(op)) requests.grants.push_back(one);
  }
  bool pressed = false, together = true;
  std::size_t steps = Bucket::kMaxStepsInAll;
  const bool denials = in.flag("token-bucket.denials");
  for (const auto& [key, requests] : keys) {
    in.counter("granted") += static_cast<std::int64_t>(requests.grants.size());
    in.counter("denied") += static_cast<std::int64_t>(requests.denials.size());
    together = Bucket(in, key).judge(requests, denials, steps) && together;
    const bool beyond = static_cast<std::int64_t>(requests.grants.size()) > in.option("token-bucket.burst");
    pressed = pressed || (beyond && (!denials || !requests.denials.empty()));
  }
  in.keys(keys.size());
  if (denials) in.detail("denials-judged", together ? "together" : "one by one");
  if (!pressed) in.inconclusive("no limit was put to the test: more grants than the burst, and a denial, are needed");
}

}  // namespace

WorkloadChecker token_bucket() {
  return {"token-bucket",
          "requests that are granted or denied: in any time W at most burst + rate · W grants",
          {"token-bucket"},
          judge_token_bucket,
          {{"too-many-grants", "more requests were granted within a window of time than the limit"},
           {"needless-denial", "a request was denied although the limit allowed it"},
           {"tokens-lost", "from some time on nothing was granted any more, although tokens must have grown"}},
          {{"token-bucket.burst", OptionSpec::Type::integer, 10, "how many tokens a full bucket holds", 1, 1e6},
           {"token-bucket.rate", OptionSpec::Type::real, 100.0, "how many tokens grow a second", 0.001, 1e6},
           {"token-bucket.tolerance", OptionSpec::Type::real, 0.001,
            "by which part of it the rate may differ, as clocks do", 0, 1},
           {"token-bucket.denials", OptionSpec::Type::boolean, true,
            "whether a request may be denied only when the bucket is empty"},
           {"token-bucket.settle", OptionSpec::Type::duration, 2.0,
            "how long after its end a request of unknown outcome may still take a token", 0, 3600}}};
}

}  // namespace ordeal::work
