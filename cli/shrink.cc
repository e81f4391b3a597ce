// `ordeal shrink`: a stored run made smaller, while it still shows its anomaly.

#include "session/campaign/shrink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/signals.h"
#include "harness/runner/stuck.h"
#include "harness/store/run_directory.h"
#include "session/campaign/campaign_text.h"
#include "session/campaign/shrink_subject.h"
#include "session/run_session.h"

namespace ordeal::cli {
namespace {

namespace fs = std::filesystem;

// Of repetitions nobody wants to read every remark.
class Silent final : public RunObserver {
 public:
  void remark(std::string_view) override {}
  void stage(std::string_view) override {}
  void progress(const Progress&) override {}
};

Value size_value(const RunSize& size) {
  return Value::map({{"faults", size.faults},
                     {"operations", size.operations},
                     {"seconds", size.seconds},
                     {"clients", size.clients},
                     {"nodes", size.nodes}});
}

Value rate_value(const Rate& rate) {
  return Value::map({{"seen", static_cast<std::int64_t>(rate.seen)},
                     {"of", static_cast<std::int64_t>(rate.of)},
                     {"low", rate.low},
                     {"high", rate.high}});
}

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The directory of one shrinking: STORE/shrunk/<name>/<UTC time>/ with campaign.toml, shrink.json and, in runs/, the
// repetitions that confirmed the end and those that failed.
class Shrinking {
 public:
  Shrinking(const ShrinkCommand& command, ShrinkSubject subject) : command_(command), subject_(std::move(subject)) {}

  Result<int> run(const ShrinkLimits& limits) {
    const std::string root = (command_.store.empty() ? subject_.store : command_.store) + "/shrunk/" + subject_.name;
    directory_ = fs::absolute(root + "/" + utc_stamp(std::chrono::system_clock::now())).lexically_normal().string();
    if (auto made = make_directories(directory_); !made) return fail(made.error());
    limits_ = limits;
    const SignalStop signals(
        {"stopping: the smallest that is known so far stays (again: without waiting for the checkers)",
         "not waiting for the checkers (again: leave at once)"});
    stops_ = {signals.token(0), signals.token(1)};
    ShrinkHost host;
    host.play = [this](const Plan& plan, bool keep) { return play(plan, keep); };
    host.now_s = now_s;
    host.say = [](const std::string& line) { say("── " + line); };
    host.save = [this](const Shrunk& best) { return save(best); };
    host.stop = stops_.run;
    say(fmt::format("shrinking {} while it shows {}", subject_.run, subject_.anomaly));
    const auto shrunk = ordeal::shrink(subject_.request, limits, host);
    if (!shrunk) return fail(shrunk.error());
    if (auto written = save(*shrunk); !written) return fail(written.error());
    drop_empty();
    tell(*shrunk);
    if (shrunk->failed) return kRunFailed;
    return shrunk->confirmed ? kValid : shrunk->stopped.empty() && !shrunk->smaller ? kValid : kUnknown;
  }

 private:
  Trial play(Plan plan, bool keep) const {
    plan.store = directory_ + "/runs";
    plan.name = keep ? "confirmation" : "trial";
    Silent silent;
    const auto judged = run_and_judge(plan, silent, stops_);
    Trial out;
    if (!judged) {
      const bool usage = judged.error().code == ErrorCode::usage;
      out.outcome = stops_.run.stop_requested() ? Trial::Outcome::interrupted
                    : usage                     ? Trial::Outcome::refused
                                                : Trial::Outcome::failed;
      out.why = judged.error().message;
      return out;
    }
    const RunRecord record = RunRecord::from_results(judged->results);
    out.faults = record.injected;
    out.operations = static_cast<std::int64_t>(judged->facts.all.total());
    if (shows(record, subject_.anomaly)) {
      out.outcome = Trial::Outcome::shown;
    } else if (stops_.run.stop_requested()) {
      out.outcome = Trial::Outcome::interrupted;
    } else if (judged->failure) {
      out.outcome = judged->failure->code == ErrorCode::usage ? Trial::Outcome::refused : Trial::Outcome::failed;
      out.why = judged->failure->message;
      return out;  // its directory stays: somebody has to look
    }
    std::error_code error;
    if (!keep) fs::remove_all(judged->directory, error);
    return out;
  }

  // What trials left that were taken away again: a folder without a run in it, and links to it.
  void drop_empty() const {
    std::error_code error;
    const fs::path trials = directory_ + "/runs/trial";
    if (fs::remove(trials / "latest", error); !fs::remove(trials, error)) return;
    if (fs::remove(directory_ + "/runs/latest", error); fs::exists(directory_ + "/runs/confirmation/latest", error)) {
      (void)replace_link(directory_ + "/runs/latest", "confirmation/latest");
    }
    fs::remove(directory_ + "/runs", error);  // when it is empty
  }

  std::string campaign_file() const {
    return command_.output.empty() ? directory_ + "/campaign.toml" : command_.output;
  }

  // Every time something was taken away, so that also a kill leaves the best so far.
  Result<void> save(const Shrunk& best) const {
    const std::string known = best.confirmed ? "Confirmed: shown in " + told(best.rate) + "."
                                             : "Not confirmed yet by repetitions that took no part in the choice.";
    const std::string comment = fmt::format(
        "Made smaller by `ordeal shrink` while it shows {}.\nFrom {}\nIt showed it in {}.\n{}\n"
        "In a gate, where it is known: expect = \"invalid: {}\"",
        subject_.anomaly, subject_.run, told(best.base), known, subject_.anomaly);
    if (best.smaller) {
      if (auto written = replace_file(campaign_file(), campaign_text(best.request, comment)); !written) return written;
    }
    return replace_file(directory_ + "/shrink.json", document(best).to_json() + "\n");
  }

  Value document(const Shrunk& best) const {
    Value out = Value::map();
    out.set("run", subject_.run);
    out.set("anomaly", subject_.anomaly);
    if (best.base.seen > 0) out.set("rule", told_rule(best.base, limits_));
    out.set("before", size_value(subject_.size));
    out.set("base", rate_value(best.base));
    out.set("smaller", best.smaller);
    out.set("after", size_value(best.size));
    out.set("confirmed", best.confirmed);
    out.set("rate", rate_value(best.rate));
    if (!best.stopped.empty()) out.set("stopped", best.stopped);
    Value steps = Value::list();
    for (const ShrinkStep& step : best.steps) {
      Value one = Value::map({{"what", step.what}, {"taken", step.taken}});
      one.set("shown", rate_value(step.rate));
      if (!step.why.empty()) one.set("why", step.why);
      steps.items().push_back(std::move(one));
    }
    out.set("steps", std::move(steps));
    if (best.smaller) out.set("campaign", campaign_file());
    out.set("directory", directory_);
    return out;
  }

  void tell(const Shrunk& best) const {
    if (command_.json) {
      print(document(best).to_json() + "\n");
      return;
    }
    const RunSize& a = subject_.size;
    const RunSize& b = best.size;
    std::string out = fmt::format("{:<12}{:>12}{:>12}\n", "", "before", "after");
    const auto row = [&](const char* what, const std::string& before, const std::string& after) {
      out += fmt::format("{:<12}{:>12}{:>12}\n", what, before, after);
    };
    row("faults", std::to_string(a.faults), std::to_string(b.faults));
    row("nodes", a.nodes, b.nodes);
    row("clients", std::to_string(a.clients), std::to_string(b.clients));
    row("operations", std::to_string(a.operations), std::to_string(b.operations));
    row("seconds", fmt::format("{}", a.seconds), fmt::format("{}", b.seconds));
    out += fmt::format("as it was   {} in {}\n", subject_.anomaly, told(best.base));
    if (best.confirmed) out += fmt::format("smaller     {} in {}\n", subject_.anomaly, told(best.rate));
    if (!best.smaller) out += "nothing could be taken away\n";
    if (best.smaller && !best.confirmed) out += "what is left was not confirmed by repetitions of its own\n";
    if (!best.stopped.empty()) out += "stopped     " + best.stopped + "\n";
    if (best.smaller) out += fmt::format("campaign    {} (ordeal run FILE)\n", campaign_file());
    print(out + "shrink.json " + directory_ + "/shrink.json\n");
  }

  const ShrinkCommand& command_;
  ShrinkSubject subject_;
  ShrinkLimits limits_;
  std::string directory_;
  RunStops stops_;
};

}  // namespace

int shrink(const ShrinkCommand& command) {
  ShrinkLimits limits;
  limits.times = command.times;
  const auto budget = parse_duration(command.budget);
  if (!budget) return refuse(budget.error().during("--budget"), command.json);
  limits.budget_s = *budget;
  auto subject = shrink_subject(command.run, command.anomaly);
  if (!subject) {
    Error error = subject.error();
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::usage;
    return refuse(error, command.json);
  }
  Shrinking shrinking(command, *std::move(subject));
  const auto code = shrinking.run(limits);
  leave(delivered(code ? *code : refuse(code.error(), command.json)));
}

}  // namespace ordeal::cli
