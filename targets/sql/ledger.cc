// A ledger: accounts as streams of events, and a read model.
//
// An append reads what the stream adds up to and inserts the event with the next version, which is the primary key
// together with the account (optimistic locking), and its message into the outbox, in one transaction; when another
// append came first it is tried again from the beginning. A relay publishes what lies in the outbox at least once, a
// projector applies messages to the read model by their versions; both run before whoever reads the model, or replays
// the messages. LedgerBreak says how each of these is made wrong.

#include "targets/sql/ledger.h"

#include <algorithm>
#include <optional>

#include "harness/interfaces/bad_operation.h"

namespace ordeal {
namespace {

constexpr int kAttempts = 10;                                 // of what certainly did not happen
constexpr auto kImpatience = std::chrono::milliseconds(200);  // of retry-ambiguous

std::int64_t number(const SqlText& text) {
  const Value value = sql_value(text);
  return value.is_integer() ? value.integer() : 0;
}
std::string text(std::int64_t n) { return std::to_string(n); }

// Tries again as long as nothing happened and something may come of it.
template <class Try>
Completion until_done(Try&& attempt, Deadline deadline) {
  Completion done;
  for (int i = 0; i < kAttempts; ++i) {
    done = attempt();
    if (done.type != EventType::fail || done.found_nobody() || deadline.passed()) break;
    if (done.error->kind == "insufficient" || done.error->kind == "no-table") break;
  }
  return done;
}

// ---- appends

struct LedgerEvent {
  std::string account, id;
  std::int64_t amount = 0;  // of a withdrawal below 0
};

class Append {
 public:
  Append(SqlWork& work, LedgerEvent event, Deadline deadline)
      : work_(work), event_(std::move(event)), deadline_(deadline) {}

  Completion once() {
    std::optional<std::int64_t> version;
    if (is(LedgerBreak::version_first)) {
      const Completion taken = take_version(version);
      if (taken.type != EventType::ok) return Completion::failed(taken.error->kind, taken.error->message);
    }
    std::optional<Completion> answer;
    Completion done = work_.session.change(
        [&](SqlTransaction& in) {
          answer.reset();
          Completion appended = append(in, version);
          if (!in.broken()) answer = appended;
          return appended;
        },
        is(LedgerBreak::retry_ambiguous) ? deadline_.within(kImpatience) : deadline_);
    if (is(LedgerBreak::ack_before_commit) && answer && answer->type == EventType::ok) return *answer;
    if (is(LedgerBreak::dual_write) && done.type == EventType::ok) {
      (void)work_.session.change(
          [&](SqlTransaction& in) {
            in.query({message(done.value->integer())});
            return Completion::ok();
          },
          deadline_);
    }
    return done;
  }

  Completion all() {
    Completion done = until_done([this] { return once(); }, deadline_);
    while (is(LedgerBreak::retry_ambiguous) && done.type == EventType::info && !deadline_.passed())
      done = until_done([this] { return once(); }, deadline_);
    return done;
  }

 private:
  [[nodiscard]] bool is(LedgerBreak kind) const { return work_.shape.ledger_break == kind; }

  Completion take_version(std::optional<std::int64_t>& version) const {
    return work_.session.change(
        [&](SqlTransaction& in) {
          const auto taken = in.query(
              "INSERT INTO ordeal_ledger_versions (k, n) VALUES ($1, 1) ON CONFLICT (k) DO UPDATE SET n = "
              "ordeal_ledger_versions.n + 1 RETURNING n",
              {event_.account});
          if (!taken.rows.empty()) version = number(taken.rows[0][0]);
          return Completion::ok();
        },
        deadline_);
  }
  [[nodiscard]] SqlStatement message(std::int64_t version) const {
    return {"INSERT INTO ordeal_ledger_outbox (k, version, amount) VALUES ($1, $2::bigint, $3::bigint)",
            {event_.account, text(version), text(event_.amount)}};
  }
  Completion append(SqlTransaction& in, std::optional<std::int64_t> version) {
    const auto head =
        in.query("SELECT coalesce(max(version), 0), coalesce(sum(amount), 0)::bigint FROM ordeal_ledger WHERE k = $1",
                 {event_.account});
    if (head.rows.empty()) return Completion::ok();
    std::int64_t money = number(head.rows[0][1]);
    if (is(LedgerBreak::stale_balance)) {
      const auto model = in.query("SELECT balance FROM ordeal_ledger_model WHERE k = $1", {event_.account});
      money = model.rows.empty() ? 0 : number(model.rows[0][0]);
    }
    if (is(LedgerBreak::stale_retry)) {
      if (!remembered_) remembered_ = money;
      money = *remembered_;
    }
    if (event_.amount < 0 && money + event_.amount < 0)
      return Completion::failed("insufficient", "the account holds " + text(money));
    const std::int64_t next = version.value_or(number(head.rows[0][0]) + 1);
    std::vector<SqlStatement> statements = {
        {"INSERT INTO ordeal_ledger (k, version, id, amount) VALUES ($1, $2::bigint, $3, $4::bigint)",
         {event_.account, text(next), event_.id, text(event_.amount)}}};
    if (!is(LedgerBreak::dual_write)) statements.push_back(message(next));
    in.query(std::move(statements));
    return Completion::ok(next);
  }

  SqlWork& work_;
  const LedgerEvent event_;
  const Deadline deadline_;
  std::optional<std::int64_t> remembered_;  // stale-retry: the balance that the first attempt saw
};

Completion append_event(SqlWork& work, const Operation& operation, Deadline deadline) {
  const Value* id = operation.value.find("id");
  const Value* amount = operation.value.find("amount");
  if (id == nullptr || amount == nullptr || !amount->is_integer() || amount->integer() <= 0)
    return bad_operation(operation, R"({"id": …, "amount": integer above 0})");
  const std::int64_t signed_amount = operation.f == "withdraw" ? -amount->integer() : amount->integer();
  return Append(work, {sql_key(operation), id->to_json(), signed_amount}, deadline).all();
}

// ---- reads of the stream

Completion read_balance(SqlWork& work, const Operation& operation, Deadline deadline) {
  const std::string account = sql_key(operation);
  return work.reader.read(
      [&](SqlTransaction& in) {
        if (work.shape.ledger_break == LedgerBreak::split_read) {
          const auto version = in.query("SELECT max(version) FROM ordeal_ledger WHERE k = $1", {account});
          const auto sum = in.query("SELECT sum(amount)::bigint FROM ordeal_ledger WHERE k = $1", {account});
          if (sum.rows.empty()) return Completion::ok();
          return Completion::ok(Value::list({number(version.rows[0][0]), number(sum.rows[0][0])}));
        }
        const auto found =
            in.query("SELECT max(version), sum(amount)::bigint FROM ordeal_ledger WHERE k = $1", {account});
        if (found.rows.empty()) return Completion::ok();
        return Completion::ok(Value::list({number(found.rows[0][0]), number(found.rows[0][1])}));
      },
      deadline);
}

Completion read_events(SqlWork& work, const Operation& operation, Deadline deadline) {
  return work.reader.read(
      [&](SqlTransaction& in) {
        Value all = Value::list();
        for (const auto& row :
             in.query("SELECT version, id, amount FROM ordeal_ledger WHERE k = $1 ORDER BY version, id",
                      {sql_key(operation)})
                 .rows)
          all.items().push_back(Value::list({sql_value(row[0]), sql_value(row[1]), sql_value(row[2])}));
        return Completion::ok(std::move(all));
      },
      deadline);
}

// ---- the relay: what lies in the outbox is published, and only then taken out, so that it may be published again

Completion relay(SqlWork& work, const std::string& account, Deadline deadline) {
  std::vector<SqlStatement> take_out;
  const Completion published = work.session.change(
      [&](SqlTransaction& in) {
        take_out.clear();
        std::vector<SqlStatement> messages;
        for (const auto& row :
             in.query("SELECT version, amount FROM ordeal_ledger_outbox WHERE k = $1 ORDER BY version", {account})
                 .rows) {
          messages.push_back(
              {"INSERT INTO ordeal_ledger_messages (k, version, amount) VALUES ($1, $2::bigint, $3::bigint)",
               {account, row[0], row[1]}});
          take_out.push_back(
              {"DELETE FROM ordeal_ledger_outbox WHERE k = $1 AND version = $2::bigint", {account, row[0]}});
        }
        if (!messages.empty()) in.query(std::move(messages));
        return Completion::ok();
      },
      deadline);
  if (published.type != EventType::ok || take_out.empty()) return published;
  (void)work.session.change(
      [&](SqlTransaction& in) {
        in.query(take_out);
        return Completion::ok();
      },
      deadline);
  return published;
}

// ---- the projector

struct ReadModel {
  std::int64_t version = 0, balance = 0;
  std::int64_t place = 0;  // no-dedup, commit-before-apply, arrival-order: the last message that was taken
};

ReadModel model_of(SqlTransaction& in, const std::string& account, bool locked) {
  const auto found = in.query(std::string("SELECT version, balance, place FROM ordeal_ledger_model WHERE k = $1") +
                                  (locked ? " FOR UPDATE" : ""),
                              {account});
  if (found.rows.empty()) return {};
  return {number(found.rows[0][0]), number(found.rows[0][1]), number(found.rows[0][2])};
}
void write_model(SqlTransaction& in, const std::string& account, const ReadModel& model, bool only_newer) {
  in.query(std::string("INSERT INTO ordeal_ledger_model (k, version, balance, place) VALUES ($1, $2::bigint, "
                       "$3::bigint, $4::bigint) ON CONFLICT (k) DO UPDATE SET version = excluded.version, balance = "
                       "excluded.balance, place = excluded.place") +
               (only_newer ? " WHERE ordeal_ledger_model.version < excluded.version" : ""),
           {account, text(model.version), text(model.balance), text(model.place)});
}
// Messages by their versions, each once.
SqlRows messages_after(SqlTransaction& in, const std::string& account, std::int64_t version) {
  return in.query(
      "SELECT DISTINCT version, amount FROM ordeal_ledger_messages WHERE k = $1 AND version > $2::bigint ORDER BY "
      "version",
      {account, text(version)});
}
// Messages in the order in which they were published, as often as they were.
SqlRows messages_from(SqlTransaction& in, const std::string& account, std::int64_t place) {
  return in.query("SELECT version, amount, n FROM ordeal_ledger_messages WHERE k = $1 AND n > $2::bigint ORDER BY n",
                  {account, text(place)});
}
// Applies what follows, and leaves out all else.
void apply(ReadModel& model, const SqlRows& messages) {
  for (const auto& row : messages.rows) {
    if (number(row[0]) != model.version + 1) continue;
    model.version = number(row[0]);
    model.balance += number(row[1]);
  }
}

Completion project_once(SqlWork& work, const std::string& account, Deadline deadline) {
  return work.session.change(
      [&](SqlTransaction& in) {
        ReadModel model = model_of(in, account, true);
        const std::int64_t before = model.version;
        if (work.shape.ledger_break == LedgerBreak::no_dedup) {
          for (const auto& row : messages_from(in, account, model.place).rows) {
            model = {std::max(model.version, number(row[0])), model.balance + number(row[1]), number(row[2])};
          }
          write_model(in, account, model, false);
          return Completion::ok();
        }
        if (work.shape.ledger_break == LedgerBreak::arrival_order) {
          const SqlRows messages = messages_from(in, account, model.place);
          if (messages.rows.empty()) return Completion::ok();
          const auto& last = messages.rows.back();
          const auto sum =
              in.query("SELECT sum(amount)::bigint FROM ordeal_ledger WHERE k = $1 AND version <= $2::bigint",
                       {account, last[0]});
          if (!sum.rows.empty())
            write_model(in, account, {number(last[0]), number(sum.rows[0][0]), number(last[2])}, false);
          return Completion::ok();
        }
        apply(model, messages_after(in, account, model.version));
        if (model.version > before) write_model(in, account, model, true);
        return Completion::ok();
      },
      deadline);
}

// commit-before-apply: a transaction to take messages and one to apply them.
Completion project_in_two(SqlWork& work, const std::string& account, Deadline deadline) {
  SqlRows messages;
  const Completion taken = work.session.change(
      [&](SqlTransaction& in) {
        ReadModel model = model_of(in, account, true);
        messages = messages_from(in, account, model.place);
        if (messages.rows.empty()) return Completion::ok();
        model.place = number(messages.rows.back()[2]);
        write_model(in, account, model, false);
        return Completion::ok();
      },
      deadline);
  if (taken.type != EventType::ok || messages.rows.empty()) return taken;
  return work.session.change(
      [&](SqlTransaction& in) {
        ReadModel model = model_of(in, account, true);
        apply(model, messages);
        write_model(in, account, model, false);
        return Completion::ok();
      },
      deadline);
}

// Brings the published messages, and the read model, up to date. Not ok: it is not certain that they are.
Completion catch_up(SqlWork& work, const std::string& account, bool project, Deadline deadline) {
  Completion done = until_done([&] { return relay(work, account, deadline); }, deadline);
  if (done.type == EventType::ok && project) {
    const bool two = work.shape.ledger_break == LedgerBreak::commit_before_apply;
    done = until_done(
        [&] { return two ? project_in_two(work, account, deadline) : project_once(work, account, deadline); },
        deadline);
  }
  if (done.type == EventType::ok) return Completion::ok();
  return Completion::failed(done.error->kind, done.error->message);
}

Completion read_model(SqlWork& work, const Operation& operation, Deadline deadline) {
  const std::string account = sql_key(operation);
  if (const Completion done = catch_up(work, account, true, deadline); done.type != EventType::ok) return done;
  return work.reader.read(
      [&](SqlTransaction& in) {
        const ReadModel model = model_of(in, account, false);
        return Completion::ok(Value::list({model.version, model.balance}));
      },
      deadline);
}

Completion replay(SqlWork& work, const Operation& operation, Deadline deadline) {
  const std::string account = sql_key(operation);
  if (const Completion done = catch_up(work, account, false, deadline); done.type != EventType::ok) return done;
  return work.reader.read(
      [&](SqlTransaction& in) {
        const bool on_top = work.shape.ledger_break == LedgerBreak::replay_on_top;
        const ReadModel left = on_top ? model_of(in, account, false) : ReadModel();
        ReadModel model{0, left.balance};
        apply(model, messages_after(in, account, 0));
        return Completion::ok(Value::list({model.version, model.balance}));
      },
      deadline);
}

std::vector<std::string> ledger_schema(const SqlDialect&, const SqlShape& shape) {
  const char* versions = shape.ledger_break == LedgerBreak::no_version_check ? ""
                         : shape.ledger_break == LedgerBreak::ack_before_commit
                             ? ", UNIQUE (k, version) DEFERRABLE INITIALLY DEFERRED"
                             : ", PRIMARY KEY (k, version)";
  const auto table = [](const std::string& name, const std::string& columns) {
    return "CREATE TABLE IF NOT EXISTS ordeal_ledger" + name + " (" + columns + ")";
  };
  const std::string event = "k text NOT NULL, version bigint NOT NULL, amount bigint NOT NULL";
  return {
      table("", event + ", id text NOT NULL" + versions),
      table("_versions", "k text PRIMARY KEY, n bigint NOT NULL"),
      table("_outbox", event),
      "CREATE INDEX IF NOT EXISTS ordeal_ledger_outbox_accounts ON ordeal_ledger_outbox (k, version)",
      table("_messages", "n bigserial PRIMARY KEY, " + event),
      "CREATE INDEX IF NOT EXISTS ordeal_ledger_messages_accounts ON ordeal_ledger_messages (k, version)",
      table("_model", "k text PRIMARY KEY, version bigint NOT NULL, balance bigint NOT NULL, place bigint NOT NULL")};
}

}  // namespace

std::span<const LedgerBreakRow> ledger_breaks() {
  static constexpr LedgerBreakRow kAll[] = {
      {LedgerBreak::none, "none", "nothing"},
      {LedgerBreak::no_version_check, "no-version-check", "two events may get one version"},
      {LedgerBreak::version_first, "version-first",
       "the version is taken before it is known whether the event happens"},
      {LedgerBreak::stale_balance, "stale-balance", "withdrawals look at the read model's balance"},
      {LedgerBreak::stale_retry, "stale-retry", "after a conflict the version is read again, and not the balance"},
      {LedgerBreak::retry_ambiguous, "retry-ambiguous", "what may have been committed is tried again"},
      {LedgerBreak::ack_before_commit, "ack-before-commit", "ok is said before COMMIT, which then fails"},
      {LedgerBreak::dual_write, "dual-write", "the message is written after the event's transaction"},
      {LedgerBreak::no_dedup, "no-dedup", "a message that comes twice is applied twice"},
      {LedgerBreak::commit_before_apply, "commit-before-apply", "messages are taken before they are applied"},
      {LedgerBreak::arrival_order, "arrival-order", "the read model shows whichever message came last"},
      {LedgerBreak::replay_on_top, "replay-on-top", "a replay begins with what the read model has"},
      {LedgerBreak::split_read, "split-read", "version and balance are read one after the other"},
  };
  return kAll;
}

LedgerBreak ledger_break_named(std::string_view name) {
  const auto all = ledger_breaks();
  const auto found = std::find_if(all.begin(), all.end(), [&](const LedgerBreakRow& row) { return row.name == name; });
  ORDEAL_CHECK(found != all.end(), "unknown break of the ledger");
  return found->kind;
}

OptionSpec ledger_break_option(const std::string& target) {
  std::string help = "how the workload ledger's implementation is made wrong";
  std::vector<std::string> names;
  for (const LedgerBreakRow& row : ledger_breaks()) {
    if (row.kind != LedgerBreak::none)
      help += std::string(names.size() == 1 ? ": " : "; ") + row.name + ", " + row.help;
    names.emplace_back(row.name);
  }
  return {target + ".ledger-break", OptionSpec::Type::string, "none", help, std::nullopt, std::nullopt, names};
}

Result<void> check_ledger_break(const Options& options, const std::string& target, std::string_view data_type) {
  const std::string key = target + ".ledger-break";
  const std::string name = options.string(key);
  const std::string isolation = options.string(target + ".isolation");
  const auto refused = [&](const std::string& why) { return fail(ErrorCode::usage, key + ": " + name + why); };
  if (name == "none") return {};
  if (data_type != "ledger")
    return refused(" changes nothing on the data type " + std::string(data_type) +
                   "; leave it out, or say --workload ledger");
  if (name == "no-version-check" && isolation == "serializable")
    return refused(" shows nothing where transactions are serializable; say --set " + target +
                   ".isolation=read-committed");
  if (name == "split-read" && (isolation == "serializable" || isolation == "repeatable-read"))
    return refused(" shows nothing where a transaction reads one snapshot; say --set " + target +
                   ".isolation=read-committed");
  if (name == "ack-before-commit" && target == "cockroachdb")
    return refused(" wants a constraint that is looked at by COMMIT, which CockroachDB does not have");
  return {};
}

std::span<const SqlDataType> sql_ledger() {
  static const std::vector<SqlDataType> all = {{"ledger",
                                                ledger_schema,
                                                {{"deposit", append_event},
                                                 {"withdraw", append_event},
                                                 {"balance", read_balance},
                                                 {"events", read_events},
                                                 {"model", read_model},
                                                 {"replay", replay}}}};
  return all;
}

}  // namespace ordeal
