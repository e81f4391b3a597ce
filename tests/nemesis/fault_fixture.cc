#include "tests/nemesis/fault_fixture.h"

#include <unistd.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "nemesis/node/node_state.h"
#include "nemesis/node/parallel.h"

namespace ordeal::testing_support {

std::string found_by(const std::string& argument) {
  return "for p in $(grep -lzsxF -e" + argument +
         " /proc/[0-9]*/cmdline | cut -d/ -f3); do\n"
         "  line=; read -r line 2>/dev/null </proc/$p/stat\n"
         "  set -- ${line##*) }\n"
         "  [ \"${4:-}\" = $p ] && echo $p\n"
         "done; exit 0";
}

Result<std::unique_ptr<Client>> ProgramTarget::client(std::size_t) {
  return fail(ErrorCode::unsupported, "the program has no clients");
}

Result<std::vector<int>> ProgramTarget::pids(Node& node) {
  auto out = run_ok(node, root_script(program_.find, Deadline::after_s(60)));
  if (!out) return fail(out.error());
  std::vector<int> found;
  std::istringstream words(*out);
  for (int pid = 0; words >> pid;) found.push_back(pid);
  return found;
}

Result<void> ProgramTarget::start(Node& node) {
  const auto running = pids(node);
  if (!running) return fail(running.error());
  if (!running->empty()) return {};
  auto done = run_ok(node, root_script(start_and_wait(), Deadline::after_s(60)));
  if (!done) return fail(done.error());
  return {};
}

// Who starts it while it is being started would start another.
std::string ProgramTarget::start_and_wait() const {
  return program_.start + "\nstarted=$?\n[ $started = 0 ] || exit $started\nfor i in $(seq 40); do [ -n \"$(" +
         program_.find + ")\" ] && break; sleep 0.05; done\nexit 0";
}

Result<void> ProgramTarget::signal(Node& node, const std::string& name) {
  const auto running = pids(node);
  if (!running) return fail(running.error());
  // One may end because of another.
  std::string script;
  for (const int pid : *running)
    script += "kill -" + name + " " + std::to_string(pid) + " 2>/dev/null || [ ! -d /proc/" + std::to_string(pid) +
              " ] || exit 1\n";
  auto done = run_ok(node, root_script(script, Deadline::after_s(60)));
  if (!done) return fail(done.error());
  return {};
}

Result<void> ProgramTarget::kill(Node& node) { return signal(node, "KILL"); }
Result<void> ProgramTarget::pause(Node& node) { return signal(node, "STOP"); }
Result<void> ProgramTarget::resume(Node& node) { return signal(node, "CONT"); }

std::string ProgramTarget::start_script(const Node&) {
  return offer_start_script ? "[ -n \"$(" + program_.find + ")\" ] && exit 0\n" + start_and_wait() : "";
}

Result<void> ProgramTarget::start_all() {
  for (const auto& node : cluster_.nodes) {
    if (auto done = start(*node); !done) return done;
  }
  return {};
}

void Events::record(const std::string& f, const Value& value) {
  const std::lock_guard lock(mutex_);
  values_.emplace_back(f, value);
}

std::int64_t Events::now_ns() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began_).count();
}

std::vector<std::string> Events::steps(int id) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [fault, value] : values_) {
    const Value* number = value.find("id");  // what is said of the whole schedule has none
    if (number != nullptr && number->integer() == id) out.push_back(value.find("step")->string());
  }
  return out;
}

int Events::count(const std::string& step, const std::string& fault) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(values_.begin(), values_.end(), [&](const auto& one) {
    return one.first == fault && one.second.find("step")->string() == step;
  }));
}

void FaultTest::SetUp() {
  if (auto possible = nodes::check_local_nodes(); !possible) GTEST_SKIP() << possible.error().message;
  auto opened = nodes::open_nodes("local:5");
  ASSERT_TRUE(opened) << opened.error().message;
  set_ = *std::move(opened);
  target_ = std::make_unique<ProgramTarget>(cluster());
  for (const FaultFactory& fault : faults()) options_.declare(fault.options);
  folder_ = std::filesystem::temp_directory_path() / ("ordeal-faults-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder_);
}

void FaultTest::TearDown() {
  // Whatever happened: what is in a group moves up, and the group goes.
  if (!group_home_.empty()) {
    on(0, "for i in 1 2 3 4 5; do for d in $(find " + group_home_ +
              " -depth -type d 2>/dev/null); do "
              "[ ! -e $d/cgroup.freeze ] || echo 0 >$d/cgroup.freeze; "
              "for p in $(cat $d/cgroup.procs); do echo $p >/run/groups/cgroup.procs; done; rmdir $d; done; "
              "[ -d " +
              group_home_ + " ] || break; sleep 0.1; done 2>/dev/null; umount /run/groups; exit 0");
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::string FaultTest::on(std::size_t node, const std::string& script) {
  auto out = run_ok(cluster().at(node), root_script(script, Deadline::after_s(60)));
  EXPECT_TRUE(out) << out.error().message;
  return out ? *out : "";
}

void FaultTest::set(const std::string& key, const std::string& value) {
  const auto done = options_.set(key, value, "test");
  ASSERT_TRUE(done) << done.error().message;
}

Result<std::unique_ptr<Injection>> FaultTest::plan(const std::string& fault, std::uint64_t seed,
                                                   const std::string& id) {
  std::mt19937_64 random(seed);
  const auto factory = find_fault(fault);
  if (!factory) return fail(factory.error());
  return (*factory)->plan(context(id), random);
}

void FaultTest::arm(const Injection& injection, const std::string& fault, const std::string& id) {
  for (const Undo& one : injection.undo()) {
    const auto node = node_index(cluster(), one.node);
    ASSERT_TRUE(node);
    on(*node, arm_script(id, undo_script(id, fault, one.script), 3600));
  }
}

void FaultTest::fall_silent(const std::string& id, int seconds) {
  const std::string state = fault_folder(id);
  for (std::size_t node = 0; node < cluster().size(); ++node) {
    const std::string undo = on(node, "cat " + state + "/undo.sh 2>/dev/null; :");
    if (undo.empty()) continue;
    on(node, "kill $(cat " + state + "/watchdog); rm -f " + state + "/watchdog");
    on(node, arm_script(id, undo, seconds));
  }
}

void FaultTest::undo(const Injection& injection, const std::string& fault, const std::string& id) {
  for (const Undo& one : injection.undo()) {
    const auto node = node_index(cluster(), one.node);
    ASSERT_TRUE(node);
    on(*node, undo_script(id, fault, one.script));
  }
}

bool FaultTest::answers(std::size_t from, const std::string& to) {
  return on(from, "timeout 0.5 bash -c 'exec 3<>/dev/tcp/" + to + "/22' 2>/dev/null; echo $?") == "0\n";
}

std::vector<std::vector<bool>> FaultTest::links() {
  std::vector<std::size_t> all = {0, 1, 2, 3, 4};
  std::string script;
  for (const std::size_t to : all) {
    script += "(timeout 0.5 bash -c 'exec 3<>/dev/tcp/" + address(to) + "/22' 2>/dev/null && echo " +
              std::to_string(to) + ") &\n";
  }
  script += "wait\n";
  std::vector<std::vector<bool>> out(5, std::vector<bool>(5, false));
  const auto seen = run_scripts(cluster(), all, std::vector<std::string>(5, script), Deadline::after_s(60));
  for (std::size_t from = 0; from < 5; ++from) {
    EXPECT_TRUE(seen[from]) << seen[from].error().message;
    std::istringstream answered(seen[from] ? *seen[from] : "");
    for (std::size_t to = 0; answered >> to;) out[from][to] = true;
  }
  return out;
}

std::string FaultTest::rules(std::size_t node) {
  return on(node,
            "for t in iptables ip6tables; do $t-save -t filter | grep -v '^[#:]' ; done; "
            "for t in iptables ip6tables; do $t-save -t filter | grep -o '^:[^ ]* [^ ]*'; done");
}

std::string FaultTest::left_behind() {
  std::vector<std::size_t> all = {0, 1, 2, 3, 4};
  const std::string look =
      "iptables-save | grep ORDEAL; ip6tables-save | grep ORDEAL; find /var/lib/ordeal 2>/dev/null;"
      "grep -lsE 'watchdog[.]sh|faults/[^/]*/(agent|disk)' /proc/[0-9]*/cmdline;"  // does not match its own command
                                                                                   // line
      "grep -lsE 'r-xp 00000000 00:00 0 *$' /proc/[0-9]*/maps;"                    // a page of code from no file
      "grep -o ' fuse.ordeal-disk .*' /proc/self/mountinfo;"
      "grep -ls '^State:.T' /proc/[0-9]*/status;"
      "grep -ls /ordeal-test- /proc/[0-9]*/cgroup | grep -v self;"
      // Soft limits below the hard ones: nobody else here lowers them.
      "awk '/^Max (open files|address space)/ && $4 != $5 { print FILENAME \": \" $0 }' /proc/[0-9]*/limits "
      "2>/dev/null; exit 0";
  std::string out;
  const auto seen = run_scripts(cluster(), all, std::vector<std::string>(5, look), Deadline::after_s(60));
  for (std::size_t i = 0; i < 5; ++i) {
    if (!seen[i]) out += seen[i].error().message;
    if (seen[i] && !seen[i]->empty()) out += cluster().at(i).name() + ": " + *seen[i];
  }
  return out;
}

std::string FaultTest::remains() {
  std::string out = left_behind();
  for (int i = 0; i < 20 && !out.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    out = left_behind();
  }
  return out;
}

std::string FaultTest::make_group(const std::string& kind) {
  if (on(0, "mkdir -p /run/groups && mount -t " + kind +
                " none /run/groups 2>/dev/null && [ -w /run/groups/cgroup.procs ] || echo none") != "") {
    return "";
  }
  group_home_ = "/run/groups/test-of-ordeal-" + std::to_string(::getpid());
  on(0, "mkdir " + group_home_ + " && mkdir " + group_home_ + "/service");
  return group_home_ + "/service";
}

std::string FaultTest::groups() { return on(0, "find " + group_home_ + " -type d | sort"); }

std::vector<const FaultFactory*> FaultTest::faults_named(const std::vector<std::string>& names) {
  std::vector<const FaultFactory*> out;
  for (const auto& name : names) out.push_back(*find_fault(name));
  return out;
}

}  // namespace ordeal::testing_support
