#include "nemesis/storage/corrupt_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "nemesis/node/draw.h"
#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"
#include "nemesis/node/process_injection.h"
#include "nemesis/storage/damage.h"
#include "nemesis/storage/disk_program.h"

namespace ordeal {
namespace {

constexpr const char* kKinds[] = {"bit-flip", "truncate", "zero", "copy", "stale"};

struct DataFile {
  std::string path;
  std::uint64_t size = 0;
};

// What is done to one file.
struct Damage {
  std::string path;
  std::uint64_t size = 0;    // of the file
  std::uint64_t offset = 0;  // truncate: the new size
  std::uint64_t from = 0;    // copy
  std::uint64_t length = 0;  // zero, copy
  unsigned bit = 0;          // bit-flip
};

struct Settings {
  std::string kind;
  std::string match;  // shell pattern of paths
  std::size_t files = 1;
  std::uint64_t chunk = 4096;
  double age_s = 0;  // stale
  std::uint64_t seed = 0;
};

// Prints the files of which a part can be found whose content really changes, up to `files` of them in the order given:
// the candidate's number and the place or places. Where the drawn place would change nothing (it holds zeros already,
// or the same bytes as the other) the next one that would is taken: the first from there on, then from the file's
// beginning. cmp(1) says where that is, also in gigabytes of zeros, quickly. Bit flips and cuts always change a file.
std::string find_places_script(const std::string& kind, const std::vector<Damage>& candidates, std::uint64_t chunk,
                               std::size_t files) {
  std::string out = fmt::format(
      "found=0\n"
      // The first byte, from 0, that differs from $3 behind the offsets $1 and $2.
      "differs() {{ cmp -l -i \"$1:$2\" \"$file\" \"$3\" 2>/dev/null | {{ read -r at rest && echo $((at - 1)); }}; }}\n"
      "zero() {{\n"
      "  for start in $1 0; do\n"
      "    at=$(differs $start 0 /dev/zero) && {{ echo \"$number $(((start + at) / {0} * {0})) 0\"; return 0; }}\n"
      "  done\n"
      "  return 1\n"
      "}}\n"
      // Both places move together, so that they stay as far apart as they were drawn, or else are neighbours; $3: bytes
      // of a chunk.
      "copy() {{\n"
      "  [ $1 -ne $2 ] || return 1\n"
      "  least=$(($1 < $2 ? $1 : $2))\n"
      "  for pair in \"$1 $2\" \"$(($1 - least)) $(($2 - least))\" \"$3 0\"; do\n"
      "    at=$(differs $pair \"$file\") && {{\n"
      "      echo \"$number $((${{pair% *}} + at / $3 * $3)) $((${{pair#* }} + at / $3 * $3))\"; return 0; }}\n"
      "  done\n"
      "  return 1\n"
      "}}\n"
      "place() {{ echo \"$number $1 0\"; }}\n"
      "try() {{\n"
      "  [ $found -lt {1} ] || exit 0\n"
      "  number=$1 file=$2; shift 2\n"
      "  \"$@\" && found=$((found + 1))\n"
      "}}\n",
      chunk, files);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Damage& one = candidates[i];
    out += fmt::format("try {} {} ", i, shell_quote(one.path));
    if (kind == "zero") {
      out += fmt::format("zero {}\n", one.offset);
    } else if (kind == "copy") {
      out += fmt::format("copy {} {} {}\n", one.offset, one.from, one.length);
    } else {
      out += fmt::format("place {}\n", one.offset);
    }
  }
  return out + "exit 0\n";
}

// Durable at once, so that no power failure repairs it. The directory is the target's: no link is followed.
std::string damage_script(const std::string& kind, const Damage& one) {
  const std::string head =
      fmt::format("file={}; [ -f \"$file\" ] && [ ! -h \"$file\" ] || {{ echo \"$file is gone\" >&2; exit 1; }}\n",
                  shell_quote(one.path));
  if (kind == "truncate")
    return head + fmt::format(
                      "dd if=/dev/null of=\"$file\" bs=1 oflag=nofollow seek={} count=0 conv=fsync 2>/dev/null || "
                      "exit 1\n",
                      one.offset);
  if (kind == "zero") {
    return head +
           fmt::format(
               "dd if=/dev/zero of=\"$file\" bs=65536 oflag=seek_bytes,nofollow iflag=count_bytes seek={} count={} "
               "conv=notrunc,fsync 2>/dev/null || exit 1\n",
               one.offset, one.length);
  }
  if (kind == "copy") {
    return head + fmt::format(
                      "dd if=\"$file\" bs=65536 iflag=skip_bytes,count_bytes,nofollow skip={} count={} 2>/dev/null | "
                      "dd of=\"$file\" "
                      "bs=65536 oflag=seek_bytes,nofollow seek={} conv=notrunc,fsync 2>/dev/null || exit 1\n",
                      one.from, one.length, one.offset);
  }
  return head + fmt::format(
                    "byte=$(od -An -tu1 -j{0} -N1 \"$file\")\n[ -n \"$byte\" ] || {{ echo \"$file has become shorter\" "
                    ">&2; exit 1; }}\n"
                    "printf \"\\\\$(printf %o $((byte ^ {1})))\" | dd of=\"$file\" bs=1 oflag=nofollow seek={0} "
                    "conv=notrunc,fsync "
                    "2>/dev/null || exit 1\n",
                    one.offset, 1U << one.bit);
}

class CorruptFiles final : public ProcessInjection {
 public:
  CorruptFiles(const FaultContext& context, Selection selection, Settings settings)
      : ProcessInjection(context, std::move(selection)),
        id_(context.id),
        settings_(std::move(settings)),
        damages_(context.cluster.size()),
        before_(context.cluster.size()),
        after_(context.cluster.size()) {}

  Value describe() const override {
    Value out = ProcessInjection::describe();
    out.set("kind", settings_.kind);
    if (settings_.kind == "stale") out.set("age_s", settings_.age_s);
    Value changes = Value::list();
    for (const std::size_t node : selection_.nodes) {
      for (const Damage& one : damages_[node]) changes.items().push_back(change_value(node, one));
    }
    out.set("changes", std::move(changes));
    return out;
  }

  // The damage stays. What must not stay is the copy of an old state, nor that the target is down; but it may refuse to
  // start.
  std::vector<Undo> undo() const override {
    std::vector<Undo> out;
    for (const std::size_t node : selection_.nodes) {
      std::string script =
          settings_.kind == "stale" ? fmt::format("rm -rf {0}; [ ! -e {0} ] || exit 1", copy_of_data()) : "";
      script = undo_and_revive(node, script.empty() ? ":" : script, true);
      if (script != ":") out.push_back({name(node), std::move(script)});
    }
    return out;
  }
  bool takes_stopped() const override { return true; }

  Result<void> prepare(Deadline deadline) override {
    if (auto done = ProcessInjection::prepare(deadline); !done) return done;
    if (settings_.kind == "stale") return {};
    return on_all([&](std::size_t node) { return choose(node, deadline); });
  }

  Result<void> inject(Deadline deadline) override {
    return on_all([&](std::size_t node) -> Result<void> {
      if (settings_.kind == "stale") {
        if (auto done = keep_state(node, deadline); !done) return done;
      }
      if (auto killed = target_.processes()->kill(cluster_.at(node)); !killed) return killed;
      auto before = checksums(node, deadline);
      if (!before) return fail(before.error());
      // The files as the target has left them; they may be others than a moment ago.
      if (settings_.kind != "stale") {
        if (auto chosen = choose(node, deadline); !chosen) return chosen;
      }
      std::string script;
      for (const Damage& one : damages_[node]) script += damage_script(settings_.kind, one);
      if (settings_.kind == "stale") script = put_back_script(node);
      if (auto done = run_ok(cluster_.at(node), root_script(script, deadline)); !done) return fail(done.error());
      auto after = checksums(node, deadline);
      if (!after) return fail(after.error());
      before_[node] = *std::move(before);
      after_[node] = *std::move(after);
      return {};
    });
  }

  Result<Observation> confirm(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      std::vector<std::string> changed;
      std::set_symmetric_difference(before_[node].begin(), before_[node].end(), after_[node].begin(),
                                    after_[node].end(), std::back_inserter(changed));
      if (changed.empty()) return Observation{false, "the checksums of all files are as before"};
      std::vector<std::string> paths;
      for (const std::string& line : changed) paths.push_back(line.substr(line.find(' ', line.find(' ') + 1) + 1));
      std::sort(paths.begin(), paths.end());
      paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
      std::string evidence =
          fmt::format("the checksums of {} of its files have changed, one of them {}", paths.size(), paths.front());
      if (!damages_[node].empty()) evidence += "; " + told(damages_[node].front());
      return Observation{true, evidence};
    });
  }

  Result<void> heal(Deadline) override { return start_again_unless_it_refuses(); }

  Result<Observation> confirm_healed(Deadline deadline) override {
    return observe_all(deadline, [&](std::size_t node) -> Result<Observation> {
      auto seen = look_running(node, deadline);
      if (!seen) return seen;
      // To refuse is its right, and nothing of ours is in force then either.
      if (!seen->confirmed) return Observation{true, "the target was started on the damaged files and has ended again"};
      seen->evidence += " on the damaged files";
      return seen;
    });
  }

 private:
  std::vector<std::string> directories(std::size_t node) const { return data_directories(target_, cluster_.at(node)); }
  std::string quoted_directories(std::size_t node) const {
    std::string out;
    for (const auto& one : directories(node)) out += ' ' + shell_quote(one);
    return out;
  }
  std::string copy_of_data() const { return fmt::format("{}/old-{}", kNodeStateRoot, id_); }

  // "/data/db: zeros from 4096 to 8192"
  std::string told(const Damage& one) const {
    const std::string& kind = settings_.kind;
    if (kind == "truncate") return fmt::format("{}: cut off at {} of {} bytes", one.path, one.offset, one.size);
    if (kind == "bit-flip") return fmt::format("{}: bit {} of the byte at {} flipped", one.path, one.bit, one.offset);
    const std::string part = fmt::format("from {} to {}", one.offset, one.offset + one.length);
    if (kind == "zero") return fmt::format("{}: zeros {}", one.path, part);
    return fmt::format("{}: what is at {} {}", one.path, one.from, part);
  }

  Value change_value(std::size_t node, const Damage& one) const {
    Value out = Value::map();
    out.set("node", name(node));
    out.set("file", one.path);
    out.set(settings_.kind == "truncate" ? "size" : "offset", static_cast<std::int64_t>(one.offset));
    if (settings_.kind == "bit-flip") out.set("bit", static_cast<std::int64_t>(one.bit));
    if (settings_.kind == "copy") out.set("from", static_cast<std::int64_t>(one.from));
    if (one.length > 0) out.set("length", static_cast<std::int64_t>(one.length));
    return out;
  }

  Result<std::vector<DataFile>> data_files(std::size_t node, Deadline deadline) const {
    auto said =
        run_ok(cluster_.at(node),
               root_script(fmt::format("find{} -type f -size +0c -path {} -printf '%s %p\\n' | LC_ALL=C sort -k2",
                                       quoted_directories(node), shell_quote(settings_.match)),
                           deadline));
    if (!said) return fail(said.error());
    std::vector<DataFile> out;
    std::istringstream lines(*said);
    for (DataFile one; lines >> one.size && lines.get() && std::getline(lines, one.path);) out.push_back(one);
    return out;
  }

  // Draws the order of the files and a place in each, and finds the first so many that really change.
  Result<void> choose(std::size_t node, Deadline deadline) {
    auto files = data_files(node, deadline);
    if (!files) return fail(files.error());
    if (files->empty())
      return fail(ErrorCode::target, fmt::format("no file of the target's data matches {}", settings_.match));
    const auto candidates = draw(node, *files);
    auto found =
        run_ok(cluster_.at(node),
               root_script(find_places_script(settings_.kind, candidates, settings_.chunk, settings_.files), deadline));
    if (!found) return fail(found.error());
    damages_[node].clear();
    std::istringstream lines(*found);
    std::size_t number = 0;
    for (Damage one; lines >> number >> one.offset >> one.from && number < candidates.size();) {
      Damage place = candidates[number];
      place.offset = one.offset;
      place.from = one.from;
      if (settings_.kind == "zero") place.length = std::min(settings_.chunk, place.size - place.offset);
      if (settings_.kind == "copy")
        place.length = std::min(place.length, place.size - std::max(place.offset, place.from));
      damages_[node].push_back(std::move(place));
    }
    if (!damages_[node].empty()) return {};
    return fail(ErrorCode::target,
                fmt::format("{} would change none of {} files, which {}", settings_.kind, candidates.size(),
                            settings_.kind == "zero" ? "hold zeros only" : "are the same bytes over and over"));
  }

  // Of so many files at most is looked for one that changes, so that the script stays short.
  static constexpr std::size_t kMaxCandidates = 100;

  std::vector<Damage> draw(std::size_t node, const std::vector<DataFile>& files) const {
    std::mt19937_64 random(settings_.seed + node);
    std::vector<Damage> out;
    for (const std::size_t at : draw_order(random, files.size())) {
      const DataFile& file = files[at];
      Damage one;
      one.path = file.path;
      one.size = file.size;
      one.bit = static_cast<unsigned>(draw_below(random, 8));
      one.offset = draw_below(random, file.size);
      one.from = draw_below(random, file.size);
      if (settings_.kind == "truncate")
        one.offset = file.size - 1 - draw_below(random, std::min(file.size, settings_.chunk));
      // Whole chunks, as a disk mixes them up; a file has two of them at least.
      one.length = settings_.kind == "copy" ? std::min(settings_.chunk, file.size / 2) : settings_.chunk;
      if (settings_.kind == "copy") {
        if (one.length == 0) continue;
        one.offset -= one.offset % one.length;
        one.from -= one.from % one.length;
        if (one.from == one.offset) one.from = one.offset > 0 ? one.offset - one.length : one.length;
      }
      out.push_back(std::move(one));
      if (out.size() >= std::max(kMaxCandidates, settings_.files)) break;
    }
    return out;
  }

  // A copy of the data as a crash at this moment would leave it, and then time for it to become old.
  Result<void> keep_state(std::size_t node, Deadline deadline) const {
    Target::Processes& processes = *target_.processes();
    if (auto paused = processes.pause(cluster_.at(node)); !paused) return paused;
    std::string script = fmt::format("umask 077; rm -rf {0}; mkdir -p {0} || exit 1\n", copy_of_data());
    const auto all = directories(node);
    for (std::size_t i = 0; i < all.size(); ++i)
      script += fmt::format("cp -a {} {}/{} || exit 1\n", shell_quote(all[i]), copy_of_data(), i);
    auto copied = run_ok(cluster_.at(node), root_script(script, deadline));
    auto resumed = processes.resume(cluster_.at(node));
    if (!copied) return fail(copied.error());
    if (!resumed) return resumed;
    std::this_thread::sleep_for(std::chrono::duration<double>(settings_.age_s));
    return await_change(node, deadline);
  }

  // Until the target has written something since, for as long as there is time for that.
  Result<void> await_change(std::size_t node, Deadline deadline) const {
    static constexpr auto kRest = std::chrono::seconds(5);  // for what follows
    std::string script;
    const auto all = directories(node);
    for (std::size_t i = 0; i < all.size(); ++i)
      script += fmt::format("diff -rq {} {}/{} >/dev/null 2>&1 || exit 0\n", shell_quote(all[i]), copy_of_data(), i);
    while (std::chrono::steady_clock::now() + kRest < deadline) {
      const auto said = cluster_.at(node).run(root_script(script + "exit 9\n", deadline));
      if (!said) return fail(said.error());
      if (said->exit_code == 0) return {};
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
    return fail(ErrorCode::target, "the target has written nothing for so long that the old state is the present one");
  }

  // The directories themselves stay: something may be mounted there.
  std::string put_back_script(std::size_t node) const {
    std::string out;
    const auto all = directories(node);
    for (std::size_t i = 0; i < all.size(); ++i) {
      out += fmt::format(
          "find {0} -mindepth 1 -delete && cp -a {1}/{2}/. {0}/ || exit 1\nfind {0} -type f -exec sync {{}} +\n",
          shell_quote(all[i]), copy_of_data(), i);
    }
    return out + "rm -rf " + copy_of_data() + "\n";
  }

  // Sorted lines "CHECKSUM SIZE PATH".
  Result<std::vector<std::string>> checksums(std::size_t node, Deadline deadline) const {
    auto said =
        run_ok(cluster_.at(node),
               root_script(fmt::format("find{} -type f -exec cksum {{}} +", quoted_directories(node)), deadline));
    if (!said) return fail(said.error());
    std::vector<std::string> out;
    std::istringstream lines(*said);
    for (std::string line; std::getline(lines, line);) out.push_back(line);
    std::sort(out.begin(), out.end());
    return out;
  }

  const std::string id_;
  const Settings settings_;
  std::vector<std::vector<Damage>> damages_;      // by node
  std::vector<std::vector<std::string>> before_;  // checksums, by node
  std::vector<std::vector<std::string>> after_;
};

Result<std::unique_ptr<Injection>> plan(const FaultContext& context, std::mt19937_64& random) {
  const Options& options = context.options;
  Settings settings;
  const std::string drawn = kKinds[draw_below(random, std::size(kKinds))];
  const double age_s = draw_between(random, 0.5, 3);
  settings.kind = options.string("corrupt-files.kind") == "random" ? drawn : options.string("corrupt-files.kind");
  settings.match = options.string("corrupt-files.match");
  settings.files = static_cast<std::size_t>(options.integer("corrupt-files.files"));
  settings.chunk = static_cast<std::uint64_t>(options.integer("corrupt-files.chunk"));
  settings.age_s = options.seconds("corrupt-files.age") > 0 ? options.seconds("corrupt-files.age") : age_s;
  settings.seed = random() >> 2U;
  auto selection = select_damaged(options.string("corrupt-files.nodes"), context, random);
  if (!selection) return fail(selection.error());
  return std::make_unique<CorruptFiles>(context, *std::move(selection), std::move(settings));
}

}  // namespace

FaultFactory corrupt_files_fault() {
  using Type = OptionSpec::Type;
  FaultFactory out;
  out.name = "corrupt-files";
  out.crashes = true;
  out.help =
      "The target is killed, its files are damaged, and it is started on what is there. The damage stays: that is the "
      "fault, and the history says what was done to which file. Mechanism: a shell script that flips, cuts off, copies "
      "or "
      "zeroes a part of a file, or puts a file's older state back. Proof: checksums of all files before and after. "
      "Needs "
      "on the nodes: root or sudo, and GNU coreutils, diffutils and findutils. Always a part of a file whose content "
      "really changes, and an error where there is none. Always on nodes of the same minority, which the run's seed "
      "draws, "
      "unless corrupt-files.nodes says otherwise; a target that notices the damage and refuses to start is left down.";
  OptionSpec nodes = process_nodes_option("corrupt-files");
  nodes.default_value = "minority";
  nodes.help = "minority: of (n - 1) / 2 nodes, the same for the whole run; else as with kill.nodes";
  out.options = {
      nodes,
      {"corrupt-files.kind",
       Type::string,
       "random",
       "bit-flip; truncate: cut off the end, a chunk at most; zero or copy: a chunk is zeros, or another of the same "
       "file; stale: "
       "all files as they were a while before; random: draws among them",
       std::nullopt,
       std::nullopt,
       {"random", "bit-flip", "truncate", "zero", "copy", "stale"}},
      {"corrupt-files.match", Type::string, "*",
       "pattern of the paths of files that may be damaged, as for find -path"},
      {"corrupt-files.files", Type::integer, 1, "how many files on each node", 1, 10'000},
      {"corrupt-files.chunk", Type::integer, 4096, "bytes of a chunk", 1, 1 << 30},
      {"corrupt-files.age", Type::duration, 0.0, "stale: how old the files are; 0: drawn, 0.5 to 3 s", 0.0, 10.0},
  };
  out.inapplicable = [](const FaultContext& context) -> std::string {
    std::string problem = process_fault_problem(context, "corrupt-files");
    if (problem.empty() && context.options.string("corrupt-files.nodes") == "minority" &&
        damageable_nodes(context).empty()) {
      problem = "a minority of so few nodes is none; say which to damage by --set corrupt-files.nodes=…";
    }
    return problem.empty() ? disk_problem(context) : problem;
  };
  out.plan = plan;
  return out;
}

}  // namespace ordeal
