#include "checkers/consistency/strongest.h"

#include <algorithm>
#include <map>

#include "checkers/consistency/sequential.h"
#include "checkers/consistency/weak.h"
#include "checkers/linearizability/checker.h"
#include "checkers/linearizability/models/model.h"

namespace ordeal {
namespace {

// From strong to weak; none implies one before it. The README argues each arrow.
struct Arrow {
  std::string_view strong;
  std::vector<std::string_view> weaker;
};
const std::vector<Arrow>& arrows() {
  static const std::vector<Arrow> all = {
      {"linearizable", {"sequential", "k-atomic-2", "regular"}},
      {"sequential", {"causal-ccv", "causal-cm"}},
      {"causal-ccv", {"causal-cc", "monotonic-writes", "writes-follow-reads", "read-your-writes"}},
      {"causal-cm", {"causal-cc", "pram"}},
      {"monotonic-writes", {"monotonic-reads"}},
      {"writes-follow-reads", {"monotonic-reads"}},
      {"regular", {"safe"}},
  };
  return all;
}

// For the verdict, when nothing else is said.
constexpr std::chrono::milliseconds kDefaultTime{20'000};
// For all levels below it together: seconds. Who wants one of them decided for certain asks for it alone.
std::chrono::milliseconds survey_time(const History& history) {
  return std::chrono::milliseconds(3000 + history.size() / 20);
}
// What each gets in a first round: what is easy spares others their search.
constexpr std::chrono::milliseconds kFirstRound{100};

class Lattice {
 public:
  Lattice(const History& history, const CheckOptions& options, bool cas)
      : history_(history),
        options_(options),
        deadline_(std::chrono::steady_clock::now() + (options.timeout.count() > 0 ? options.timeout : kDefaultTime)) {
    levels_ = {"linearizable", "sequential"};
    for (const WeakLevel& level : weak_levels()) {
      if (!cas || level.cas) levels_.push_back(level.name);
      if (!cas && level.name == "pram") levels_.push_back("k-atomic-2");
    }
  }

  CheckResult run() {
    // What is linearizable keeps everything but `eventual`, and most are. Then the cheap levels, so that the other
    // searches are asked only when nothing below them has failed.
    ask("linearizable", left() / 4);
    deadline_ = std::min(deadline_, std::chrono::steady_clock::now() + survey_time(history_));
    for (const bool first : {true, false}) {
      for (const std::string& level : levels_) {
        if (level != "linearizable" && level != "sequential" && level != "k-atomic-2") ask_below(level, first);
      }
      for (const char* level : {"sequential", "k-atomic-2"}) {
        if (std::find(levels_.begin(), levels_.end(), level) != levels_.end()) ask_below(level, first);
      }
    }
    return report();
  }

 private:
  struct Standing {
    Verdict verdict = Verdict::unknown;
    std::string because_of;  // the level that was asked in its place
  };

  [[nodiscard]] std::chrono::milliseconds left() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  }

  // Each search gets a part of what is left of the time, so that one that is out of luck does not hide what the others
  // know.
  void ask_below(const std::string& level, bool first_round) {
    if (settled(level)) return;
    const auto part = left() / 4;
    if (first_round) return ask(level, std::min(part, kFirstRound));
    // What came to an end in the first round and is unknown would come to the same again.
    const bool out_of_time = asked_.at(level).seconds * 1000 >= static_cast<double>(kFirstRound.count());
    if (out_of_time && part > kFirstRound) ask(level, part);
  }

  void ask(const std::string& level, std::chrono::milliseconds time) {
    CheckOptions options = options_;
    options.consistency = level;
    options.algorithm = "auto";
    options.timeout = std::max(time, std::chrono::milliseconds(1));
    const auto checker = level == "linearizable" ? linearizable_checker()
                         : level == "sequential" ? sequential_checker()
                                                 : weak_checker(level);
    CheckResult& result = asked_[level] = checker->check(history_, options);
    standing_[level] = {result.verdict, level};
    if (result.verdict == Verdict::valid) spread_down(level, level);
    if (result.verdict == Verdict::invalid) spread_up(level, level);
  }

  [[nodiscard]] bool settled(const std::string& level) const {
    const auto found = standing_.find(level);
    return found != standing_.end() && found->second.verdict != Verdict::unknown;
  }
  void settle(std::string_view level, Verdict verdict, const std::string& because_of) {
    const std::string name(level);
    if (!settled(name)) standing_[name] = {verdict, because_of};
  }
  void spread_down(std::string_view level, const std::string& because_of) {
    for (const Arrow& arrow : arrows()) {
      if (arrow.strong != level) continue;
      for (const std::string_view weaker : arrow.weaker) {
        settle(weaker, Verdict::valid, because_of);
        spread_down(weaker, because_of);
      }
    }
  }
  void spread_up(std::string_view level, const std::string& because_of) {
    for (const Arrow& arrow : arrows()) {
      if (std::find(arrow.weaker.begin(), arrow.weaker.end(), level) == arrow.weaker.end()) continue;
      settle(arrow.strong, Verdict::invalid, because_of);
      spread_up(arrow.strong, because_of);
    }
  }

  CheckResult report() {
    CheckResult out;
    Value::List holds, ruled_out, undecided;
    std::string strongest, open;
    for (const std::string& level : levels_) {
      const Standing& standing = standing_.at(level);
      if (standing.verdict == Verdict::valid) {
        if (strongest.empty()) strongest = level;
        holds.emplace_back(level);
      } else if (standing.verdict == Verdict::invalid) {
        ruled_out.push_back(ruling(level, standing.because_of));
      } else {
        if (strongest.empty() && open.empty()) open = level + ": " + asked_.at(level).reason;
        undecided.push_back(Value::map({{"level", level}, {"reason", asked_.at(level).reason}}));
      }
    }
    for (const auto& [level, result] : asked_) {
      out.operations = std::max(out.operations, result.operations);
      out.keys = std::max(out.keys, result.keys);
      if (const Value* stale = result.details.find("largest-staleness")) out.details.set("largest-staleness", *stale);
    }
    const Standing& top = standing_.at(levels_.front());
    out.verdict = top.verdict;
    if (out.verdict == Verdict::unknown) out.reason = open;
    if (out.verdict == Verdict::invalid) out.anomalies = asked_.at(top.because_of).anomalies;
    out.details.set("strongest", strongest.empty() ? Value() : Value(strongest));
    if (!strongest.empty()) out.details.set("witness", witness(strongest));
    out.details.set("holds", std::move(holds));
    out.details.set("ruled_out", std::move(ruled_out));
    out.details.set("undecided", std::move(undecided));
    return out;
  }

  Value ruling(const std::string& level, const std::string& because_of) const {
    Value out = Value::map({{"level", level}, {"because_of", because_of}});
    const CheckResult& result = asked_.at(because_of);
    if (result.anomalies.empty()) return out;
    const Anomaly& anomaly = result.anomalies.front();
    Value::List operations, sentences;
    for (const EventIndex e : anomaly.operations) operations.emplace_back(history_.index(e));
    for (const std::string& sentence : anomaly.sentences) sentences.emplace_back(sentence);
    out.set("anomaly", anomaly.type);
    out.set("operations", std::move(operations));
    out.set("explanation", anomaly.explanation);
    out.set("sentences", std::move(sentences));
    return out;
  }

  // What shows that the level holds: an order of the operations where the level is one order, else who decided.
  Value witness(const std::string& level) const {
    const CheckResult& result = asked_.at(standing_.at(level).because_of);
    Value out = Value::map({{"decided-by", result.checker}, {"algorithm", result.algorithm}});
    if (result.certificate.empty()) return out;
    Value::List orders;
    for (const auto& [key, order] : result.certificate) {
      Value::List operations;
      for (const EventIndex e : order) operations.emplace_back(history_.index(e));
      orders.push_back(Value::map({{"key", key}, {"operations", std::move(operations)}}));
    }
    out.set("orders", std::move(orders));
    return out;
  }

  const History& history_;
  const CheckOptions& options_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<std::string> levels_;
  std::map<std::string, Standing> standing_;
  std::map<std::string, CheckResult> asked_;
};

class StrongestChecker final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "strongest"; }

  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    const auto start = std::chrono::steady_clock::now();
    CheckResult result;
    const auto model = lin::make_model(history, options);
    if (!model) {
      result.reason = model.error().message;
    } else if (!lin::is_one_register(**model)) {
      result.reason = "the strongest level is looked for among those of registers with one key an operation, not of " +
                      options.model;
    } else {
      result = Lattice(history, options, history.find_function("cas").has_value()).run();
    }
    result.checker = result.consistency = "strongest";
    result.model = options.model;
    result.algorithm = "lattice";
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }
};

}  // namespace

std::shared_ptr<const Checker> strongest_checker() { return std::make_shared<StrongestChecker>(); }

}  // namespace ordeal
