// `ordeal check`: judges histories that somebody recorded.

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>

#include "base/deadline.h"
#include "base/descriptor.h"
#include "base/names.h"
#include "base/text.h"
#include "base/version.h"
#include "checkers/catalogue.h"
#include "checkers/circumstances.h"
#include "checkers/guess.h"
#include "checkers/history/reader.h"
#include "checkers/model_catalogue.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/print_anomalies.h"
#include "cli/print_run.h"
#include "harness/control/node.h"
#include "reports/report.h"
#include "session/resolve_plan.h"
#include "workloads/catalogue.h"
#include "workloads/levels.h"

namespace ordeal::cli {
namespace {

struct Judgement {
  std::string file;
  ExitCode code = kUsage;
  Value document = Value::map();
};

Result<CheckOptions> check_options(const CheckCommand& command) {
  CheckOptions options;
  options.model = command.model;
  options.consistency = command.consistency;
  options.algorithm = command.algorithm;
  if (command.nil_reads == "unknown") {
    options.nil_reads = NilReads::unknown;
  } else if (command.nil_reads != "observe") {
    return fail(unknown_name("--nil-reads", command.nil_reads, {"observe", "unknown"}));
  }
  if (command.initial) {
    if (*command.initial == "unknown") {
      options.initial_unknown = true;
    } else {
      auto value = Value::from_json(*command.initial);
      if (!value) {
        return fail(ErrorCode::usage,
                    fmt::format("--initial: a JSON value or the word unknown was expected, found \"{}\": {}",
                                *command.initial, value.error().message));
      }
      options.initial = *std::move(value);
    }
  }
  const auto timeout_s = parse_duration(command.timeout);
  if (!timeout_s) return fail(timeout_s.error().during("--timeout"));
  if (!(*timeout_s >= 0) || *timeout_s > 1e9) {
    return fail(ErrorCode::usage, "--timeout: seconds from 0 (none) to 1000000000 were expected");
  }
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*timeout_s * 1000));
  if (!command.memory.empty()) {
    auto size = parse_size(command.memory);
    if (!size) return fail(size.error().during("--memory"));
    options.memory_bytes = *size;
  }
  options.threads = command.threads;
  options.certificate = command.certificate;
  if (!command.version_orders.empty()) options.extra.set("transactional.version-orders", command.version_orders);
  return options;
}

// Errors: usage, for an option that one of the checkers would have to ignore.
Result<std::vector<ConfiguredChecker>> all_honoured(const CheckCommand& command, const History& history,
                                                    std::vector<ConfiguredChecker> checkers) {
  for (const ConfiguredChecker& one : checkers) {
    CheckOptions options = one.options;
    if (options.model.empty()) options.model = one.checker->name();
    if (auto honoured = honours(history, options, command.independent); !honoured) return fail(honoured.error());
  }
  return checkers;
}

Result<std::vector<ConfiguredChecker>> chosen_checkers(const CheckCommand& command, const History& history) {
  auto options = check_options(command);
  if (!options) return fail(options.error());
  if (!command.workload.empty()) {
    const auto workload = find_workload(command.workload);
    if (!workload) return fail(workload.error());
    Options settings((*workload)->options);
    for (const auto& text : command.settings) {
      auto pair = key_value(text);
      if (!pair) return fail(pair.error());
      if (auto set = settings.set(pair->first, pair->second, "--set"); !set) return fail(set.error().during("--set"));
    }
    if (!command.consistency.empty()) {
      auto level = set_level(**workload, command.consistency, "--consistency", settings);
      if (!level) return fail(level.error());
    }
    auto checkers = (*workload)->checkers(settings);
    for (auto& one : checkers) {
      const CheckOptions own = one.options;
      one.options = *options;
      if (one.options.model.empty()) one.options.model = own.model;
      one.options.consistency = own.consistency;
      if (!one.options.initial && !one.options.initial_unknown) one.options.initial = own.initial;
      one.options.settings = own.settings;
    }
    return all_honoured(command, history, std::move(checkers));
  }
  if (!command.settings.empty()) {
    return fail(ErrorCode::usage, "--set: options belong to a workload; say --workload too");
  }
  if (options->model.empty()) {
    auto model = guessed_model(history);
    if (!model) return fail(model.error());
    options->model = *model;
    say(fmt::format("taking it for a history of the model {} (--model says otherwise)", *model));
  }
  auto checker = checker_for(options->model, options->consistency);
  if (!checker) return fail(checker.error());
  return all_honoured(command, history, {{*checker, *options}});
}

void print_result(const CheckResult& result, const History& history) {
  std::string head = fmt::format("{}  {} {} {}", banner(result.verdict, STDOUT_FILENO), result.checker, result.model,
                                 result.consistency);
  head += fmt::format(": {} operations", result.operations);
  if (result.keys > 1) head += fmt::format(", {} keys", result.keys);
  head += fmt::format(", {:.3f} s", result.seconds);
  if (!result.algorithm.empty()) head += fmt::format(" ({})", result.algorithm);
  print(head + "\n");
  if (!result.reason.empty()) print("  " + visible_in_line(result.reason) + "\n");
  print(told_levels(result.details, "  "));
  print(told_anomalies({&result, 1}, STDOUT_FILENO));
  for (const auto& [key, order] : result.certificate) {
    if (!key.is_nil()) print("  key " + key.to_json() + ":\n");
    for (const EventIndex e : order) {
      print(fmt::format("    {}  {}\n", history.index(e), visible_in_line(history.describe({e, history.partner(e)}))));
    }
  }
}

Result<void> write_report(const CheckCommand& command, const std::string& file, const History& history,
                          std::vector<CheckResult> results, Verdict verdict, const std::string& reason) {
  ReportInput input;
  input.history = &history;
  input.results = std::move(results);
  input.verdict = verdict;
  input.reason = reason;
  input.title = file;
  input.command = "ordeal check " + shell_word(file);
  if (!command.model.empty()) input.command += " --model " + shell_word(command.model);
  if (!command.workload.empty()) input.command += " --workload " + shell_word(command.workload);
  if (!command.consistency.empty()) input.command += " --consistency " + shell_word(command.consistency);
  input.environment = Value::map();
  input.environment.set("ordeal", kVersion);
  return write_html_report(input, command.report, "");
}

// That no verdict was reached for lack of time or memory.
Judgement inconclusive(const CheckCommand& command, const std::string& file, const std::string& reason,
                       double seconds) {
  CheckResult result;
  result.checker = command.workload.empty() ? "check" : command.workload;
  result.model = command.model;
  result.consistency = command.consistency;
  result.reason = reason;
  result.seconds = seconds;
  const History nothing;
  if (!command.json) print_result(result, nothing);
  return {file, exit_code(Verdict::unknown), to_value(result, nothing)};
}

Result<Judgement> judge(const CheckCommand& command, const std::string& file) {
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  // Time and memory count from here: reading the file is part of the check.
  const auto given = check_options(command);
  if (!given) return fail(given.error());
  const Limits limits(given->timeout, given->memory_bytes);
  ReadOptions read;
  read.limits = limits;
  auto format = find_history_format(command.format);
  if (!format) return fail(format.error());
  read.format = *format;
  read.independent = command.independent;
  read.threads = command.threads;
  const auto transactional = [](std::string_view model) { return model == "list-append" || model == "rw-register"; };
  // An initial list is compared by its number with what was read.
  const bool initial_list = given->initial && given->initial->is_list();
  read.transactions =
      command.workload.empty() && (command.model.empty() || transactional(command.model)) && !initial_list;
  auto found = read_history_file(file, read);
  if (found && found->transactions_apart && command.model.empty()) {
    const auto model = guessed_model(found->history);
    if (!model || !transactional(*model)) {
      read.transactions = false;
      found = read_history_file(file, read);
    }
  }
  if (!found && found.error().code == ErrorCode::cancelled)
    return inconclusive(command, file, found.error().message, seconds());
  // Whatever the reason, it is input that cannot be read.
  if (!found) return fail(ErrorCode::input, found.error().message);
  for (const auto& note : found->notes) say(visible_in_line(fmt::format("{}: {}", file, note)));
  const History& history = found->history;
  if (const std::string why = limits.exceeded(); !why.empty())
    return inconclusive(command, file, why + " while " + file + " was being read", seconds());
  auto checkers = chosen_checkers(command, history);
  if (!checkers) return fail(checkers.error().during(file));

  Judgement out;
  out.file = file;
  Verdict verdict = Verdict::valid;
  std::string reason;
  std::vector<CheckResult> results;
  for (auto& one : *checkers) {
    if (one.options.timeout.count() > 0) one.options.timeout = limits.time_left();
    if (one.options.memory_bytes > 0) one.options.memory_bytes = std::max<std::size_t>(1, limits.room());
    CheckResult result = one.checker->check(history, one.options);
    add_circumstances(history, result);
    if (result.verdict == Verdict::unknown && reason.empty()) reason = result.reason;
    verdict = merged(verdict, result.verdict);
    if (!command.json) print_result(result, history);
    results.push_back(std::move(result));
  }
  out.code = exit_code(verdict);
  out.document = to_value(results.front(), history);
  out.document.set("verdict", name(verdict));
  if (results.size() > 1) {
    Value all = Value::list();
    Value anomalies = Value::list();
    for (const auto& result : results) {
      Value one = to_value(result, history);
      for (const auto& anomaly : one.find("anomalies")->items()) anomalies.items().push_back(anomaly);
      all.items().push_back(std::move(one));
    }
    out.document.set("anomalies", std::move(anomalies));
    out.document.set("checkers", std::move(all));
    if (!reason.empty()) out.document.set("reason", reason);
  }
  out.document.set("seconds", seconds());
  if (!command.report.empty()) {
    if (auto done = write_report(command, file, history, std::move(results), verdict, reason); !done) {
      return fail(done.error().during("--report"));
    }
    say(fmt::format("report: {}", command.report));
  }
  return out;
}

// What became of one file: its exit code, and its document in JSON.
struct Told {
  ExitCode code = kUsage;
  std::string json;
};

Told tell(const CheckCommand& command, const std::string& file) {
  if (!command.json && command.files.size() > 1) print(visible_in_line(file) + ": ");
  auto judged = judge(command, file);
  Value document = Value::map();
  if (command.files.size() > 1) document.set("file", file);
  Told out;
  if (!judged) {
    if (!command.json && command.files.size() > 1) print("\n");
    complain(judged.error());
    out.code = exit_code(judged.error());
    document.set("verdict", "unknown");
    document.set("error", judged.error().message);
    document.set("reason", judged.error().message);
  } else {
    out.code = judged->code;
    for (const auto& [key, value] : judged->document.entries()) document.set(key, value);
  }
  out.code = static_cast<ExitCode>(delivered(out.code));
  out.json = document.to_json();
  return out;
}

// Adds what comes until there is as much as `wanted` says, or until the other end is closed, or the deadline; none:
// however long it takes. False: the deadline passed.
bool read_until(int fd, const std::optional<Deadline>& deadline, std::string& out,
                const std::function<bool(const std::string&)>& wanted) {
  char buffer[1 << 16];
  while (!wanted(out)) {
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, deadline ? deadline->poll_ms() : -1);
    if (ready == 0 && deadline->passed()) return false;
    if (ready <= 0) continue;
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// What a check may take beyond --timeout, which its searches keep: for counterexamples, reports, and a busy machine.
std::chrono::milliseconds margin(std::chrono::milliseconds timeout) { return std::chrono::seconds(10) + timeout / 2; }

Told undecided(const CheckCommand& command, const std::string& file, const std::string& reason) {
  if (!command.json) print("unknown  " + visible_in_line(reason) + "\n");
  Value document = Value::map();
  if (command.files.size() > 1) document.set("file", file);
  document.set("verdict", "unknown");
  document.set("reason", reason);
  return {exit_code(Verdict::unknown), document.to_json()};
}

// What a process that judges files may have taken at most for the next one to be judged by it as well: what is
// allocated stays with it in part, and would count against the next file's limit.
constexpr long kLargestWorker_kb = 128 * 1024;

// Judges files in a process of its own, one after the other, so that a file on which a checker crashes or never ends,
// or for which the kernel kills it, neither hangs the command nor takes another file's verdict with it. Such a file is
// `unknown`, and the next ones get another process.
class CheckedApart {
 public:
  explicit CheckedApart(const CheckCommand& command) : command_(command) {
    const auto options = check_options(command);  // when they are wrong the child says so
    if (options) timeout_ = options->timeout;
  }
  ~CheckedApart() {
    from_.reset();  // it must not wait for somebody to listen
    if (child_ > 0) (void)::kill(child_, SIGKILL);
    (void)end();
  }
  CheckedApart(const CheckedApart&) = delete;
  CheckedApart& operator=(const CheckedApart&) = delete;

  // The files in their order, each once.
  Told tell(std::size_t file) {
    bool fresh = child_ < 0;
    if (fresh && !begin(file)) return cli::tell(command_, command_.files[file]);
    std::optional<Deadline> deadline;
    if (timeout_.count() > 0) deadline = Deadline::after(timeout_ + margin(timeout_));
    bool in_time = listen(deadline);
    int status = 0;
    if (in_time && !whole(answers_)) {
      status = end();
      if (!fresh && status == 0) {  // it had grown large
        if (!begin(file)) return cli::tell(command_, command_.files[file]);
        in_time = listen(deadline);
        if (in_time && !whole(answers_)) status = end();
      }
    }
    if (in_time && whole(answers_)) return take();
    const std::string& name = command_.files[file];
    if (!in_time) {
      (void)::kill(child_, SIGKILL);
      (void)end();
      return undecided(command_, name,
                       fmt::format("the check of {} had not ended {:g} s after its time limit and was stopped; please "
                                   "report this",
                                   name, std::chrono::duration<double>(margin(timeout_)).count()));
    }
    const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                                : fmt::format("ended with exit code {}", WEXITSTATUS(status));
    return undecided(command_, name,
                     fmt::format("the check of {} {} before it came to a verdict; please report this", name, how));
  }

 private:
  // An answer: the exit code, how long its document is, and that, with a new line behind each of the numbers.
  static bool whole(const std::string& all) {
    const std::size_t code = all.find('\n');
    const std::size_t length = code == std::string::npos ? code : all.find('\n', code + 1);
    return length != std::string::npos && all.size() - length > std::stoull(all.substr(code + 1));
  }
  Told take() {
    const std::size_t code = answers_.find('\n');
    const std::size_t length = answers_.find('\n', code + 1);
    const std::size_t bytes = std::stoull(answers_.substr(code + 1));
    Told out{static_cast<ExitCode>(std::stoi(answers_)), answers_.substr(length + 1, bytes)};
    answers_.erase(0, length + 1 + bytes);
    return out;
  }

  // False: the deadline passed before there was an answer, or an end.
  bool listen(const std::optional<Deadline>& deadline) {
    return read_until(from_.get(), deadline, answers_, [](const std::string& all) { return whole(all); });
  }

  bool begin(std::size_t file) {
    int ends[2];
    std::fflush(nullptr);
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    from_.reset(ends[0]);
    Descriptor to(ends[1]);
    child_ = ::fork();
    if (child_ != 0) return child_ > 0;
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (; file < command_.files.size(); ++file) {
      const Told told = cli::tell(command_, command_.files[file]);
      write_all(to.get(), fmt::format("{}\n{}\n{}", static_cast<int>(told.code), told.json.size(), told.json));
      rusage used{};
      if (::getrusage(RUSAGE_SELF, &used) != 0 || used.ru_maxrss > kLargestWorker_kb) break;
    }
    std::fflush(nullptr);
    ::_exit(0);
  }
  // Waits for the end of the child, when there is one: its status.
  int end() {
    int status = 0;
    while (child_ > 0 && ::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
    answers_.clear();
    return status;
  }

  const CheckCommand& command_;
  std::chrono::milliseconds timeout_{0};
  pid_t child_ = -1;
  Descriptor from_;
  std::string answers_;
};

}  // namespace

int check(const CheckCommand& command) {
  if (!command.report.empty() && command.files.size() > 1) {
    return refuse({ErrorCode::usage, "--report writes one file, so give one history"}, command.json);
  }
  const bool several = command.files.size() > 1;
  std::vector<ExitCode> codes;
  std::string documents;
  CheckedApart apart(command);
  for (std::size_t file = 0; file < command.files.size(); ++file) {
    const Told told = apart.tell(file);
    codes.push_back(told.code);
    documents += (documents.empty() ? "" : ",") + told.json;
  }
  if (command.json) print((several ? "[" + documents + "]" : documents) + "\n");
  return worst(codes);
}

}  // namespace ordeal::cli
