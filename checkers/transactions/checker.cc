#include "checkers/transactions/checker.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "base/limits.h"
#include "base/names.h"
#include "checkers/transactions/axioms.h"
#include "checkers/transactions/cycles.h"
#include "checkers/transactions/evidence.h"
#include "checkers/transactions/levels.h"
#include "checkers/transactions/order_core.h"
#include "checkers/transactions/source_search.h"
#include "checkers/transactions/update_order.h"

namespace ordeal {
namespace {

using namespace txn;
using Clock = std::chrono::steady_clock;

// What a choice takes, in the inference and in the searches.
constexpr std::size_t kBytesPerChoice = 120;
constexpr std::size_t kMaxChoices = 50'000'000;
// The columns of a transaction and of a micro-operation.
constexpr std::size_t kBytesPerOperation = 120;
constexpr std::size_t kMaxChoicesOfAPart = 100'000;

// By Given.
constexpr unsigned kExtra[] = {0, kProcess, kProcess | kRealtime};
constexpr const char* kSuffix[] = {"", "-process", "-realtime"};

class Check {
 public:
  Check(const History& history, const CheckOptions& options)
      : history_(history),
        options_(options),
        start_(Clock::now()),
        limits_(options.timeout, options.memory_bytes, options.stop) {
    result_.checker = "transactional";
    result_.model = options.model.empty() ? guess_model(history) : options.model;
    result_.consistency = options.consistency.empty() ? "strict-serializable" : options.consistency;
    result_.algorithm = "dependency-graph";
    if (const Value* looks = options.extra.find("transactional.looks"); looks != nullptr && looks->is_integer())
      looks_left_ = looks->integer();
    late_ = [this] { return (looks_left_ && --*looks_left_ < 0) || !limits_.exceeded().empty(); };
  }

  CheckResult run() {
    try {
      return judged_history();
    } catch (const OutOfLimits& problem) {
      return unknown(problem.what() + phase_);
    } catch (const std::bad_alloc&) {
      return unknown("the machine's memory was exhausted" + phase_);
    }
  }

 private:
  CheckResult judged_history() {
    const bool strongest = result_.consistency == "strongest";
    const Level* level = find_level(result_.consistency);
    if (!strongest && level == nullptr)
      return unknown(unknown_name("consistency level", result_.consistency, transactional_levels()).message);
    const bool list = result_.model == "list-append";
    if (!list && result_.model != "rw-register")
      return unknown(unknown_name("model", result_.model, {"list-append", "rw-register"}).message);
    limits_.need(history_.size() / 2 * kBytesPerOperation);
    auto txns = transactions_of(history_, list ? MicroKind::append : MicroKind::write, limits_, options_.nil_reads);
    if (!txns) return unknown(txns.error().message);
    result_.operations = txns->size();
    result_.keys = txns->keys.size();
    if (txns->micro.size() >= EdgeCause::kMaxMicroOps)
      return unknown("more than " + std::to_string(EdgeCause::kMaxMicroOps) + " micro-operations");
    if (std::find(txns->outcome.begin(), txns->outcome.end(), Outcome::ok) == txns->outcome.end()) {
      return unknown("no transaction succeeded, so nothing was observed");
    }
    std::string unseen = txns->unrecorded;
    if (txns->reads == 0 && unseen.empty())
      unseen = "nothing of value was observed: no transaction that succeeded read anything";
    if (auto orders = wanted_orders(); !orders) return unknown(orders.error().message);
    phase_ = " while dependencies were inferred";
    max_choices_ = std::min(limits_.room() / 2 / kBytesPerChoice, kMaxChoices);
    const bool order = strongest || level->proof.order.has_value();
    in_ = std::make_unique<Inference>(infer(std::move(*txns), max_choices_, OrderKind::serial, order));
    if (in_->incomplete.empty()) in_->incomplete = unseen;
    if (!unseen.empty()) in_->sources_open = false;
    phase_ = " while cycles were searched for";
    cycles_ = find_cycles(in_->graph, limits_);
    if (cycles_.complete && !cycles_.acyclic && !in_->open.empty()) choose_open(*in_);
    for (const Finding& finding : in_->findings) {
      found_.push_back(finding);
      complete(found_.back(), *in_, history_);
    }
    for (const Cycle& cycle : cycles_.cycles) found_.push_back(explain(cycle, *in_, history_));
    phase_ = cycles_.complete ? " while an order of the writes was searched for" : phase_;
    if (strongest) return judge_all();
    return judge(*level);
  }

  CheckResult unknown(std::string why) {
    result_.verdict = Verdict::unknown;
    result_.reason = std::move(why);
    return finished();
  }
  CheckResult finished() {
    result_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return std::move(result_);
  }
  // The option "transactional.version-orders": what is taken to order the versions of a register, by names and commas.
  Result<void> wanted_orders() {
    const Value* wanted = options_.extra.find("transactional.version-orders");
    if (wanted == nullptr) return {};
    auto orders = version_orders(wanted->is_string() ? wanted->string() : wanted->to_json());
    if (!orders) return fail(orders.error());
    if (list() && (orders->linearizable || orders->sequential)) {
      return fail(ErrorCode::usage, "version orders are for rw-register; lists show theirs");
    }
    version_orders_ = *orders;
    return {};
  }
  ValueId initial() const {
    if (!options_.initial) return kNil;
    return history_.values().find(*options_.initial);
  }
  unsigned threads() const {
    return options_.threads > 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
  }
  bool list() const { return result_.model == "list-append"; }

  bool ruled_out(const Level& level) const {
    return std::any_of(found_.begin(), found_.end(), [&](const Finding& one) { return forbids(level, one.type); });
  }

  // Whether the absence of findings proves the level. Asks the searches that the level needs, which may find more.
  bool proven(const Level& level) {
    if (!cycles_.complete) return false;
    const Proof& proof = level.proof;
    if (!in_->incomplete.empty()) {
      const bool decides = proof.order == OrderKind::serial || proof.order == OrderKind::snapshot;
      return in_->sources_open && decides && possible(*proof.order, static_cast<int>(proof.order_given));
    }
    // The last axiom contains the others: they matter where it does not hold, to name what is broken.
    const bool last =
        proof.axioms.empty() || axiom(proof.axioms.back().axiom, static_cast<int>(proof.axioms.back().given));
    for (const Proof::Holds& one : proof.axioms) {
      if (!last && !axiom(one.axiom, static_cast<int>(one.given))) return false;
    }
    if (!proof.order) return true;
    const int given = static_cast<int>(proof.order_given);
    if (*proof.order == OrderKind::updates && !updates(given)) return false;
    return possible(*proof.order, given);
  }

  // Whether some order of the writes nobody knows the order of leaves no cycle that is forbidden.
  bool possible(OrderKind kind, int order) {
    // Appends that nobody saw can always be put where a topological order of the rest has them.
    const bool sources = in_->sources_open;
    if (list() && (kind == OrderKind::serial || cycles_.acyclic)) return true;
    if (!sources && inference_for(kind).choices.empty() && inference_for(kind).forced.empty() &&
        !inference_for(kind).open_pairs_dropped)
      return true;
    const auto key = std::pair(kind, order);
    if (const auto known = orders_.find(key); known != orders_.end()) return known->second;
    result_.algorithm = sources ? "dependency-graph+source-search" : "dependency-graph+order-search";
    const FindOrder find = [&](const Inference& in) {
      return sources ? find_sources(in, kind, kExtra[order], late_) : find_order(in, kind, kExtra[order], late_);
    };
    const Inference& in = inference_for(kind);
    OrderAnswer answer = find(in);
    const bool yes = answer.possible == Possible::yes;
    if (answer.possible == Possible::no) add_dilemma(in, std::move(answer), find, kind, order);
    orders_[key] = yes;
    return yes;
  }
  // That there is no order, with the smallest part that has none.
  void add_dilemma(const Inference& in, OrderAnswer answer, const FindOrder& find, OrderKind kind, int order) {
    const OrderCore core = order_core(
        in, std::move(answer), find, [&](Transactions part) { return infer_part(std::move(part), kind); }, late_);
    Dilemma dilemma{no_order(kind) + (kind == OrderKind::prefix && order == 1 ? "" : kSuffix[order]),
                    core.txns,
                    core.answer.key,
                    kNone,
                    kNone,
                    core.answer.if_first,
                    core.answer.if_second};
    dilemma.sources = in.sources_open;
    if (core.answer.one_choice) {
      dilemma.first = core.answer.culprits[0];
      dilemma.second = core.answer.culprits[1];
    }
    found_.push_back(explain(dilemma, *in_, history_));
  }
  static std::string no_order(OrderKind kind) {
    switch (kind) {
      case OrderKind::serial:
        return "no-serial-order";
      case OrderKind::snapshot:
        return "no-snapshot-order";
      case OrderKind::prefix:
        return "no-prefix-order";
      case OrderKind::information:
        return "no-update-order";
      case OrderKind::single:
        return "no-view-order";
      case OrderKind::updates:
        return "no-update-serial-order";
    }
    return "";
  }

  // Prefix consistency allows lost updates, so registers have other choices under it.
  const Inference& inference_for(OrderKind kind) {
    if (list() || (kind != OrderKind::prefix && !in_->order_unasked)) return *in_;
    if (kind != OrderKind::prefix) {
      if (!in_ordered_) in_ordered_ = std::make_unique<Inference>(infer(in_->txns, max_choices_));
      return *in_ordered_;
    }
    if (!in_prefix_) in_prefix_ = std::make_unique<Inference>(infer(in_->txns, max_choices_, kind));
    return *in_prefix_;
  }

  Inference infer(Transactions txns, std::size_t max_choices, OrderKind kind = OrderKind::serial,
                  bool order = true) const {
    if (list()) return infer_list_append(history_, std::move(txns), threads(), limits_);
    return infer_rw_register(history_, std::move(txns),
                             {initial(), max_choices, version_orders_, kind == OrderKind::prefix, order}, limits_);
  }
  // The same for a part of the transactions, with the choices that its cycles need.
  Inference infer_part(Transactions part, OrderKind kind) const {
    Inference out = infer(std::move(part), kMaxChoicesOfAPart, kind);
    if (!out.open.empty()) choose_open(out);
    return out;
  }

  bool axiom(Axiom axiom, int order) {
    const auto key = std::pair(axiom, order);
    if (const auto known = axioms_.find(key); known != axioms_.end()) return known->second;
    result_.algorithm = "dependency-graph+axioms";
    AxiomAnswer answer = check_axiom(*in_, history_, axiom, kExtra[order], late_);
    axioms_[key] = answer.decided && !answer.violation;
    if (answer.violation) found_.push_back(std::move(*answer.violation));
    return axioms_[key];
  }

  bool updates(int order) {
    if (const auto known = updates_.find(order); known != updates_.end()) return known->second;
    const UpdateAnswer answer = check_updates(*in_, kExtra[order], kSuffix[order], late_);
    if (answer.cycle) found_.push_back(explain(*answer.cycle, *in_, history_));
    return updates_[order] = answer.decided && !answer.cycle;
  }

  // What is proven as far as time and memory reach.
  bool proves(const Level& level) {
    try {
      return proven(level);
    } catch (const OutOfLimits& problem) {
      if (stopped_.empty()) stopped_ = problem.what() + phase_;
      return false;
    }
  }

  enum class Status { holds, ruled_out, undecided };
  Status status(const Level& level) {
    if (ruled_out(level)) return Status::ruled_out;
    const bool holds = proves(level);
    if (ruled_out(level)) return Status::ruled_out;
    if (!holds) return Status::undecided;
    if (level.proof.covers == Covers::weaker) return Status::holds;
    // A level holds when all that is asked of weaker ones was decided, too.
    for (const Level& weak : levels()) {
      if (weak.name == level.name || !implies(level, weak)) continue;
      if (!proves(weak)) return ruled_out(level) ? Status::ruled_out : Status::undecided;
    }
    return ruled_out(level) ? Status::ruled_out : Status::holds;
  }
  // The status with what stronger levels show.
  Status judged(const Level& level) {
    if (std::any_of(holding_.begin(), holding_.end(), [&](const Level* strong) { return implies(*strong, level); }))
      return Status::holds;
    const Status own = status(level);
    if (own == Status::holds) holding_.push_back(&level);
    if (own != Status::undecided) return own;
    for (const Level& strong : levels()) {
      if (strong.name == level.name || !implies(strong, level) || status(strong) != Status::holds) continue;
      holding_.push_back(&strong);
      return Status::holds;
    }
    return ruled_out(level) ? Status::ruled_out : Status::undecided;
  }

  CheckResult judge(const Level& level) {
    const Status answer = judged(level);
    result_.verdict = answer == Status::holds       ? Verdict::valid
                      : answer == Status::ruled_out ? Verdict::invalid
                                                    : Verdict::unknown;
    if (answer == Status::undecided) result_.reason = why_undecided();
    Value others = Value::list();
    std::set<std::string> named;
    for (const Finding& finding : found_) {
      if (forbids(level, finding.type)) {
        // A cycle that prefix consistency forbids is mostly one of Adya's, too, and told already.
        // A missed own write is an internal contradiction, too, where the level forbids those.
        const bool other_name = finding.type.starts_with("G-prefix") || finding.type == kMissedOwnWrite;
        if (!other_name || !told(finding)) report(finding);
      } else if (named.insert(finding.type).second) {
        others.items().emplace_back(finding.type);
      }
    }
    if (!others.items().empty()) result_.details.set("anomalies-of-stronger-levels", std::move(others));
    return counted();
  }

  CheckResult judge_all() {
    std::map<std::string, Status> answers;
    for (auto level = levels().rbegin(); level != levels().rend(); ++level) answers[level->name] = judged(*level);
    // What was found on the way may rule out more.
    Value out = Value::list(), holds = Value::list(), strongest = Value::list(), undecided = Value::list();
    for (const Level& level : levels()) {
      Status& answer = answers[level.name];
      if (ruled_out(level)) answer = Status::ruled_out;
      if (answer == Status::holds) holds.items().emplace_back(level.name);
      if (answer == Status::undecided) undecided.items().emplace_back(level.name);
      if (answer != Status::ruled_out) continue;
      Value one = Value::map();
      one.set("level", level.name);
      for (const Finding& finding : found_) {
        if (forbids(level, finding.type)) {
          one.set("anomaly", finding.type);
          break;
        }
      }
      out.items().push_back(std::move(one));
    }
    for (const Level& level : levels()) {
      if (answers[level.name] != Status::holds) continue;
      const bool topped = std::any_of(levels().begin(), levels().end(), [&](const Level& strong) {
        return strong.name != level.name && implies(strong, level) && answers[strong.name] == Status::holds;
      });
      if (!topped) strongest.items().emplace_back(level.name);
    }
    const bool all = out.items().empty() && undecided.items().empty();
    result_.verdict = !out.items().empty() ? Verdict::invalid : all ? Verdict::valid : Verdict::unknown;
    if (result_.verdict == Verdict::unknown) result_.reason = why_undecided();
    result_.details.set("strongest", std::move(strongest));
    result_.details.set("holds", std::move(holds));
    result_.details.set("ruled-out", std::move(out));
    if (!undecided.items().empty()) result_.details.set("undecided", std::move(undecided));
    for (const Finding& finding : found_) report(finding);
    return counted();
  }

  // The same transactions were reported with an anomaly of another name.
  bool told(const Finding& finding) const {
    return std::find(reported_.begin(), reported_.end(), operations_of(finding)) != reported_.end();
  }
  std::vector<EventIndex> operations_of(const Finding& finding) const {
    std::vector<EventIndex> out;
    for (const TxnIndex t : finding.txns) out.push_back(in_->txns.invocation[t]);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  std::string why_undecided() const {
    if (!stopped_.empty()) return stopped_;
    if (!cycles_.stopped.empty()) return cycles_.stopped + phase_;
    if (const std::string why = limits_.exceeded(); !why.empty()) return why + phase_;
    if (looks_left_ && *looks_left_ < 0) return "the limit of looks was reached" + phase_;
    if (!in_->incomplete.empty()) return in_->incomplete;
    return "nothing contradicts the level, but the order of some writes was not observed and no order of them is known "
           "to satisfy it";
  }

  CheckResult counted() {
    result_.details.set("edges", static_cast<std::int64_t>(in_->graph.edge_count()));
    result_.details.set("choices", static_cast<std::int64_t>(in_->choices.size()));
    result_.details.set("unobserved", static_cast<std::int64_t>(in_->unobserved));
    return finished();
  }

  void report(const Finding& finding) {
    Anomaly anomaly;
    anomaly.type = finding.type;
    if (finding.key != kNone) anomaly.key = history_.values().to_value(in_->txns.keys[finding.key]);
    reported_.push_back(operations_of(finding));
    anomaly.operations = reported_.back();
    anomaly.explanation = finding.explanation;
    anomaly.sentences = finding.sentences;
    anomaly.sentences.insert(anomaly.sentences.end(), finding.ways.begin(), finding.ways.end());
    if (!evidence_) evidence_ = std::make_unique<Evidence>(*in_, history_);
    for (Evidence::Witness& witness : evidence_->of(finding)) {
      anomaly.operations.push_back(in_->txns.invocation[witness.txn]);
      anomaly.sentences.push_back(std::move(witness.sentence));
    }
    std::sort(anomaly.operations.begin(), anomaly.operations.end());
    anomaly.graph = finding.graph;
    result_.anomalies.push_back(std::move(anomaly));
    result_.anomalies_found += 1 + finding.more;
  }

  const History& history_;
  const CheckOptions& options_;
  Clock::time_point start_;
  Limits limits_;
  std::function<bool()> late_;
  std::optional<std::int64_t> looks_left_;  // how often it may still say no
  std::string phase_ = " while transactions were read from the history";
  CheckResult result_;
  std::size_t max_choices_ = 0;
  std::unique_ptr<Inference> in_;
  std::unique_ptr<Inference> in_prefix_;
  std::unique_ptr<Inference> in_ordered_;  // made when an order is asked for that was not to be expected
  std::string stopped_;                    // why something was not decided
  CycleSearch cycles_;
  std::vector<Finding> found_;
  std::unique_ptr<Evidence> evidence_;             // made for the first finding that is reported
  std::vector<std::vector<EventIndex>> reported_;  // the operations of each, without the evidence's
  std::map<std::pair<OrderKind, int>, bool> orders_;
  std::map<int, bool> updates_;
  std::vector<const Level*> holding_;
  VersionOrders version_orders_;
  std::map<std::pair<Axiom, int>, bool> axioms_;
};

class Transactional final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "transactional"; }
  [[nodiscard]] CheckResult check(const History& history, const CheckOptions& options) const override {
    try {
      return Check(history, options).run();
    } catch (const std::bad_alloc&) {
      CheckResult out;
      out.checker = "transactional";
      out.model = options.model;
      out.consistency = options.consistency;
      out.reason = "the machine's memory was exhausted";
      return out;
    }
  }
};

}  // namespace

std::shared_ptr<const Checker> transactional_checker() { return std::make_shared<Transactional>(); }

std::vector<std::string> transactional_levels() {
  std::vector<std::string> out, aliases;
  for (auto level = levels().rbegin(); level != levels().rend(); ++level) {
    out.push_back(level->name);
    aliases.insert(aliases.end(), level->aliases.begin(), level->aliases.end());
  }
  out.insert(out.end(), aliases.begin(), aliases.end());
  out.emplace_back("strongest");
  return out;
}

std::vector<AnomalyEntry> transactional_anomalies() { return {anomaly_names().begin(), anomaly_names().end()}; }

}  // namespace ordeal
