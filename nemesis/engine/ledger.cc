#include "nemesis/engine/ledger.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <thread>
#include <tuple>

#include "base/descriptor.h"
#include "base/files.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal {
namespace {

Error io_error(const std::string& path, const char* doing) {
  return Error{ErrorCode::io, path + ": " + doing + ": " + std::strerror(errno)};
}

// A new file is only there after a power loss when its folder was synced, too.
void sync_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems refuse to sync folders; the entry itself is synced strictly.
  if (opened) (void)::fsync(opened.get());
}

std::string text(const Value& map, const char* key) {
  const Value* found = map.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

LedgerEntry entry_of(const Value& line) {
  LedgerEntry out;
  out.id = text(line, "id");
  out.fault = text(line, "fault");
  if (const Value* description = line.find("description")) out.description = *description;
  const Value* undo = line.find("undo");
  if (undo == nullptr || !undo->is_list()) return out;
  for (const Value& one : undo->items()) out.undo.push_back(Undo{text(one, "node"), text(one, "script")});
  return out;
}

constexpr const char* kDiffers =
    "the node's own undo script of this fault is another one than the ledger's, and neither was run: look at both "
    "(/var/lib/ordeal/faults on the node); `ordeal heal --nodes …` runs the node's, --trust-ledger the ledger's";

// What an undo script, or undo_if_same_script, said at last.
void conclude(HealStep& step, const std::string& said) {
  step.done = said.find("differs") == std::string::npos;
  if (!step.done) {
    step.message = kDiffers;
  } else if (said.find("undone") != std::string::npos) {
    step.message = "undone";
  } else if (said.find("absent") != std::string::npos) {
    step.message = "nothing was in force: the node has no undo script of it (--trust-ledger runs the ledger's)";
  } else {
    step.message = "nothing was in force";
  }
}

// Runs one script until it succeeds or time is up: a node may just be coming back.
HealStep undo_on(Node& node, const std::string& id, const std::string& script, Trust trust, Deadline deadline) {
  HealStep step{id, node.name(), false, ""};
  if (trust == Trust::node && !is_fault_id(id)) {
    step.message = "this is no id of a fault; the ledger is damaged, or not one of Ordeal's";
    return step;
  }
  const std::string run = trust == Trust::node ? undo_if_same_script(id, script) : script;
  while (true) {
    auto done = run_ok(node, root_script(run, deadline.within(std::chrono::seconds(10))));
    if (done) {
      conclude(step, *done);
      return step;
    }
    step.message = done.error().message;
    if (std::chrono::steady_clock::now() + std::chrono::seconds(1) >= deadline) return step;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

Result<void> Ledger::open(const std::string& path, std::string_view run, std::string_view nodes,
                          const Cluster& cluster) {
  ORDEAL_CHECK(!file_, "a ledger is opened once");
  path_ = path;
  file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file_) return fail(io_error(path, "opening the ledger"));
  sync_folder_of(path);
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) return fail(io_error(path, "reading the ledger's size"));
  char last = '\n';
  if (info.st_size > 0 && ::pread(file_.get(), &last, 1, info.st_size - 1) != 1) {
    return fail(io_error(path, "reading the ledger's end"));
  }
  // What follows a torn line must begin on a line of its own.
  if (last != '\n' && ::write(file_.get(), "\n", 1) != 1) return fail(io_error(path, "mending the ledger's end"));
  if (run.empty()) return {};
  // Two share the ledger of a run that ends early: its nemesis, and what freezes the target (make_freezer()).
  const auto before = read_ledger(path);
  if (before && !before->run.empty()) return {};
  Value addresses = Value::map();
  for (const auto& node : cluster.nodes) addresses.set(node->name(), node->address());
  Value header = Value::map();
  header.set("entry", "run");
  header.set("version", 1);
  header.set("run", run);
  header.set("nodes", nodes);
  header.set("addresses", std::move(addresses));
  return append(header);
}

Result<void> Ledger::opened(std::string_view id, std::string_view fault, const Value& description,
                            const std::vector<Undo>& undo) {
  Value scripts = Value::list();
  for (const Undo& one : undo) {
    Value script = Value::map();
    script.set("node", one.node);
    script.set("script", one.script);
    scripts.items().push_back(std::move(script));
  }
  Value entry = Value::map();
  entry.set("entry", "open");
  entry.set("id", id);
  entry.set("fault", fault);
  entry.set("description", description);
  entry.set("undo", std::move(scripts));
  return append(entry);
}

Result<void> Ledger::closed(std::string_view id, std::string_view by) {
  Value entry = Value::map();
  entry.set("entry", "close");
  entry.set("id", id);
  entry.set("by", by);
  return append(entry);
}

Result<void> Ledger::append(const Value& entry) {
  const std::string line = entry.to_json() + "\n";
  const std::lock_guard lock(mutex_);
  ORDEAL_CHECK(file_, "the ledger is not open");
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(file_.get(), line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(io_error(path_, "writing the ledger"));
    done += static_cast<std::size_t>(n);
  }
  if (::fdatasync(file_.get()) != 0) return fail(io_error(path_, "syncing the ledger"));
  return {};
}

Result<LedgerContents> read_ledger(const std::string& path) {
  auto contents = read_text_file(path);
  if (!contents && contents.error().code == ErrorCode::not_found)
    return fail(ErrorCode::not_found, contents.error().message + "; no fault was ever announced there");
  if (!contents) return fail(contents.error().during("the ledger"));
  std::istringstream in(*std::move(contents));
  LedgerContents out;
  std::string line;
  bool headed = false;
  static constexpr std::string_view kBeginning = "{\"entry\":\"run\"";
  bool begun = false;
  std::size_t lines = 0;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    ++lines;
    const auto value = Value::from_json(line);
    if (!value || !value->is_map()) {
      ++out.torn;
      // What a controller leaves that is killed while it writes the first line.
      begun = in.eof() && line.starts_with(kBeginning.substr(0, line.size()));
      continue;
    }
    const std::string entry = text(*value, "entry");
    const std::string id = text(*value, "id");
    if (entry == "run") {
      headed = true;
      out.run = text(*value, "run");
      out.nodes = text(*value, "nodes");
    } else if (entry == "open") {
      out.open.push_back(entry_of(*value));
      ++out.entries;
    } else if (entry == "close") {
      std::erase_if(out.open, [&](const LedgerEntry& one) { return one.id == id; });
    }
  }
  if (!headed && lines > (begun ? 1U : 0U)) {
    return fail(ErrorCode::input, path + ": no line of kind \"run\"; this is not a ledger of Ordeal's");
  }
  return out;
}

bool HealReport::healed() const {
  return std::all_of(steps.begin(), steps.end(), [](const HealStep& step) { return step.done; });
}

Result<HealReport> heal_ledger(const std::string& path, Cluster& cluster, Trust trust, Deadline deadline) {
  auto contents = read_ledger(path);
  if (!contents) return fail(contents.error());
  HealReport report;
  std::vector<std::size_t> nodes;
  for (const LedgerEntry& entry : contents->open) {
    for (const Undo& undo : entry.undo) {
      const auto node = node_index(cluster, undo.node);
      if (!node) {
        report.steps.push_back({entry.id, undo.node, false, node.error().message});
      } else if (std::find(nodes.begin(), nodes.end(), *node) == nodes.end()) {
        nodes.push_back(*node);
      }
    }
  }
  std::mutex mutex;
  (void)on_each(nodes, [&](std::size_t node) {
    for (auto entry = contents->open.rbegin(); entry != contents->open.rend(); ++entry) {
      for (const Undo& undo : entry->undo) {
        if (undo.node != cluster.at(node).name()) continue;
        HealStep step = undo_on(cluster.at(node), entry->id, undo.script, trust, deadline);
        const std::lock_guard lock(mutex);
        report.steps.push_back(std::move(step));
      }
    }
    return Result<std::string>(std::string());
  });
  std::sort(report.steps.begin(), report.steps.end(),
            [](const HealStep& a, const HealStep& b) { return std::tie(a.id, a.node) < std::tie(b.id, b.node); });
  Ledger ledger;
  if (!contents->open.empty()) {
    if (auto opened = ledger.open(path, "", "", cluster); !opened) return fail(opened.error());
  }
  for (const LedgerEntry& entry : contents->open) {
    const bool all = std::all_of(report.steps.begin(), report.steps.end(),
                                 [&](const HealStep& step) { return step.id != entry.id || step.done; });
    if (!all) continue;
    if (auto closed = ledger.closed(entry.id, "heal"); !closed) return fail(closed.error());
  }
  return report;
}

HealReport heal_nodes(Cluster& cluster, Deadline deadline) {
  std::vector<std::size_t> nodes(cluster.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i] = i;
  const std::vector<std::string> scripts(nodes.size(), undo_everything_script());
  const auto results = run_scripts(cluster, nodes, scripts, deadline);
  HealReport report;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string& name = cluster.at(i).name();
    if (!results[i]) {
      report.steps.push_back({"", name, false, results[i].error().message});
      continue;
    }
    std::istringstream lines(*results[i]);
    std::string what;
    std::string id;
    while (lines >> what >> id) {
      const bool done = what == "undone";
      report.steps.push_back({id, name, done, done ? "undone" : "its undo script failed"});
    }
  }
  return report;
}

}  // namespace ordeal
