// Faults of disks on real nodes: seen by reading and writing beside the target, under the disk and after it is gone.
// ORDEAL_SEED=N: other random operations.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "nemesis/engine/ledger.h"
#include "nemesis/node/node_state.h"
#include "nemesis/storage/damage.h"
#include "nemesis/storage/disk_program.h"
#include "tests/nemesis/fault_fixture.h"

namespace ordeal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::FaultTest;
using testing_support::ProgramTarget;

constexpr const char* kData = "/var/lib/target/data";
constexpr const char* kFolder = "/var/lib/ordeal/faults/test-disk";
constexpr const char* kProgram = "/var/lib/ordeal/faults/test-disk/disk";

class DiskTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    target_->data = {kData};
    const auto started = target_->start(cluster().at(0));
    ASSERT_TRUE(started) << started.error().message;
    on(0, std::string("mkdir -p ") + kData);
  }

  // Puts the disk there as the driver does.
  void lay() {
    const auto undo = disk_groundwork().undo(context("test-disk"));
    for (std::size_t i = 0; i < undo.size(); ++i)
      on(i, arm_script("test-disk", undo_script("test-disk", "disk", undo[i].script), 3600));
    const auto laid = disk_groundwork().lay(context("test-disk"), Deadline::after_s(60));
    ASSERT_TRUE(laid) << laid.error().message;
  }
  // Puts tests/nemesis/storage/disk_operations.py on the node.
  void bring_operations() {
    std::ifstream file(DISK_OPERATIONS);
    std::ostringstream text;
    text << file.rdbuf();
    on(0, "cat >/tmp/operations.py <<'ORDEAL-END'\n" + text.str() + "ORDEAL-END\n");
  }
  // A power failure of the first node's disk, without anything else that the fault does.
  std::string power_failure(const std::string& kind, std::uint64_t seed) {
    const auto said = lose_unsynced(cluster().at(0), "test-1", {kData}, kind, seed, Deadline::after_s(60));
    EXPECT_TRUE(said) << said.error().message;
    return said ? *said : "";
  }
  static std::uint64_t seed() {
    const char* const given = std::getenv("ORDEAL_SEED");
    return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  }
  void take_away() {
    const auto undo = disk_groundwork().undo(context("test-disk"));
    for (std::size_t i = 0; i < undo.size(); ++i) on(i, undo_script("test-disk", "disk", undo[i].script));
  }
  std::string data(const std::string& script) { return on(0, std::string("cd ") + kData + " && " + script); }

  std::unique_ptr<Injection> inject(const std::string& fault, std::uint64_t seed = 1) {
    set(fault + ".nodes", "n1");
    auto planned = plan(fault, seed, "test-1");
    EXPECT_TRUE(planned) << planned.error().message;
    const auto prepared = (*planned)->prepare(Deadline::after_s(60));
    EXPECT_TRUE(prepared) << prepared.error().message;
    arm(**planned, fault, "test-1");
    const auto done = (*planned)->inject(Deadline::after_s(60));
    EXPECT_TRUE(done) << done.error().message;
    return *std::move(planned);
  }
  void heal(Injection& injection, const std::string& fault) {
    undo(injection, fault, "test-1");
    const auto healed = injection.heal(Deadline::after_s(60));
    EXPECT_TRUE(healed) << healed.error().message;
  }
  static void expect(const Result<Observation>& seen, bool confirmed, const std::string& evidence) {
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen->confirmed, confirmed) << seen->evidence;
    EXPECT_THAT(seen->evidence, HasSubstr(evidence));
  }
};

TEST_F(DiskTest, PowerLossTakesWhatWasNotSyncedAndOnlyThat) {
  set("power-loss.kind", "lost");
  data("echo before >old");
  lay();
  EXPECT_EQ(data("cat old; ls -A"), "before\nold\n");
  data("echo first >log && sync log && echo second >>log");
  data("echo x >made; mv old renamed; mkdir sub; rm -f nothing");
  EXPECT_EQ(data("cat log; ls -A"), "first\nsecond\nlog\nmade\nrenamed\nsub\n");
  const auto loss = inject("power-loss");
  expect(loss->confirm(Deadline::after_s(30)), true,
         "9 bytes of 2 unsynced writes to 2 files and 3 changes of names were lost");
  EXPECT_EQ(data("cat log old; ls -A"), "first\nbefore\nlog\nold\n");
  heal(*loss, "power-loss");
  expect(loss->confirm_healed(Deadline::after_s(30)), true, "runs again");
  take_away();
  EXPECT_EQ(data("cat log old; ls -A"), "first\nbefore\nlog\nold\n");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, NamesAreDurableByAnyFsyncOrOnlyByThatOfTheirDirectory) {
  set("power-loss.kind", "lost");
  set("power-loss.names", "strict");
  lay();
  data(
      "mkdir sub && sync . && echo a >sub/a && sync sub/a && echo b >sub/b && sync sub/b sub && echo c >sub/c && sync "
      "sub/c");
  const auto loss = inject("power-loss");
  EXPECT_EQ(data("ls sub; cat sub/a sub/b"), "a\nb\na\nb\n") << "c's own fsync does not sync its directory";
  heal(*loss, "power-loss");
  take_away();
  set("power-loss.names", "journal");
  lay();
  data("echo c >sub/c && mv sub/a sub/d && rm sub/b && sync sub/c");
  (void)inject("power-loss");
  EXPECT_EQ(data("ls sub; cat sub/c sub/d"), "c\nd\nc\na\n");
  take_away();
  EXPECT_EQ(data("ls -A"), "sub\n");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, APowerLossThatFindsEverythingSyncedTakesNothing) {
  lay();
  data("echo a >a && sync a");
  const auto loss = inject("power-loss");
  expect(loss->confirm(Deadline::after_s(30)), true, "of the target nothing was unsynced: 0 bytes were lost");
  EXPECT_EQ(data("cat a"), "a\n");
  take_away();
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, EachKindOfTroubleIsSeenFromOutsideAndGoes) {
  lay();
  data("head -c 100000 /dev/urandom >file && sync file");
  const std::string sum = data("cksum file");
  set("disk.probability", "0.5");
  set("disk.delay", "0.3");
  struct Kind {
    const char* name;
    const char* evidence;
  };
  for (const Kind& kind :
       {Kind{"read-error", "(EIO)"}, Kind{"write-error", "(EIO)"}, Kind{"sync-error", "(EIO)"},
        Kind{"sync-lost", "(EIO)"}, Kind{"no-space", "(ENOSPC)"}, Kind{"slow-sync", "syncs of a file"},
        Kind{"slow", "syncs of a file"}, Kind{"corrupt-read", "corrupt-read"}}) {
    SCOPED_TRACE(kind.name);
    set("disk.kind", kind.name);
    const auto trouble = inject("disk");
    expect(trouble->confirm(Deadline::after_s(30)), true, kind.evidence);
    expect(testing_support::shortly(0.2, [&](Deadline limit) { return trouble->confirm_healed(limit); }), false,
           "still has the fault");
    heal(*trouble, "disk");
    expect(trouble->confirm_healed(Deadline::after_s(30)), true, "");
    EXPECT_EQ(data("cksum file"), sum);
  }
  take_away();
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, ASyncThatFailsOnceLosesWhatItShouldHaveSynced) {
  lay();
  data("printf old >file && sync file");
  set("disk.kind", "sync-lost");
  const auto trouble = inject("disk");
  EXPECT_THAT(data("printf new >file; sync file 2>&1; echo $?; sync file; echo $?; cat file"),
              HasSubstr("Input/output error\n1\n0\nold"));
  heal(*trouble, "disk");
  take_away();
  EXPECT_EQ(data("cat file"), "old");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, AFullDiskIsFullAndThenIsNot) {
  lay();
  data("head -c 300000 /dev/zero >file");
  set("disk-full.spare", "100000");
  const auto full = inject("disk-full");
  expect(full->confirm(Deadline::after_s(30)), true, "met no space left");
  EXPECT_EQ(data("head -c 50000 /dev/zero >small && echo fits; head -c 90000 /dev/zero 2>/dev/null >large || echo "
                 "full; rm -f large; "
                 "head -c 300000 /dev/zero >file && echo again"),
            "fits\nfull\nagain\n");
  // It is the writing call that is told, and only one that needs more than there is.
  EXPECT_EQ(data(R"(python3 - <<'END'
import errno, os
def tried(call, *words):
    try: return call(*words)
    except OSError as error: return errno.errorcode[error.errno]
f = os.open('file', os.O_RDWR); a = os.open('file', os.O_WRONLY | os.O_APPEND)
print(tried(os.write, f, b'x' * 50000), tried(os.pwrite, f, b'x' * 200000, 290000), tried(os.pwritev, f, [b'x' * 100000] * 3, 100000), tried(os.write, a, b'x' * 500000))
print(os.lseek(f, 0, os.SEEK_END), len(os.pread(f, 90000, 290000)), tried(os.write, a, b'x' * 30000), tried(os.fsync, a), os.fstat(f).st_size)
END
)"),
            "50000 ENOSPC ENOSPC ENOSPC\n300000 10000 30000 None 330000\n");
  expect(testing_support::shortly(0.2, [&](Deadline limit) { return full->confirm_healed(limit); }), false,
         "met no space left");
  heal(*full, "disk-full");
  expect(full->confirm_healed(Deadline::after_s(30)), true, "was possible");
  take_away();
  EXPECT_EQ(remains(), "");
}

// The directory is the target's, who may put anything there; the faults write as root.
TEST_F(DiskTest, RegressALinkInTheDataDirectoryIsNotWrittenThrough) {
  const std::string victim = std::string(kData) + "-victim";
  on(0, "echo mine >" + victim);
  lay();
  data("ln -s " + victim + " .ordeal-probe");
  set("disk.nodes", "n1");
  set("disk-full.nodes", "n1");
  set("disk.kind", "slow-sync");
  set("disk.delay", "0.2");
  for (const std::string fault : {"disk", "disk-full"}) {
    const auto trouble = inject(fault);
    expect(trouble->confirm(Deadline::after_s(30)), true, "");
    heal(*trouble, fault);
    expect(trouble->confirm_healed(Deadline::after_s(30)), true, "");
  }
  take_away();
  EXPECT_EQ(data("readlink .ordeal-probe; ls -A"), victim + "\n.ordeal-probe\n");
  EXPECT_EQ(data("cat " + victim + "; rm " + victim + " .ordeal-probe"), "mine\n");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, ABalloonTakesAllSpaceOfTheDatasOwnFileSystem) {
  set("disk-full.mechanism", "balloon");
  set("disk-full.nodes", "n1");
  // On the file system of / it is refused: that is not the target's alone.
  auto refused = plan("disk-full", 1, "test-1");
  ASSERT_TRUE(refused);
  ASSERT_TRUE((*refused)->prepare(Deadline::after_s(60)));
  const auto done = (*refused)->inject(Deadline::after_s(60));
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("on the file system of /"));
  on(0, std::string("mount -t tmpfs -o size=32m tmpfs ") + kData);
  const auto full = inject("disk-full");
  expect(full->confirm(Deadline::after_s(30)), true, "0 bytes are left");
  EXPECT_EQ(data("echo x 2>/dev/null >file || echo full"), "full\n");
  heal(*full, "disk-full");
  expect(full->confirm_healed(Deadline::after_s(30)), true, "was possible");
  EXPECT_EQ(data("rm -f file; ls -A"), "");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, FilesAreDamagedAsTheLedgerSays) {
  data("head -c 20000 /dev/urandom >file; cp file /tmp/copy");
  for (const char* kind : {"bit-flip", "truncate", "zero", "copy"}) {
    SCOPED_TRACE(kind);
    set("corrupt-files.kind", kind);
    data("cp /tmp/copy file");
    const auto damage = inject("corrupt-files");
    expect(damage->confirm(Deadline::after_s(30)), true,
           "1 of its files have changed, one of them /var/lib/target/data/file");
    const Value description = damage->describe();
    const Value& change = description.find("changes")->items().front();
    EXPECT_EQ(change.find("file")->string(), "/var/lib/target/data/file");
    const std::string differing = data("cmp -l /tmp/copy file 2>/dev/null | wc -l; stat -c %s file");
    const auto number = [&](const char* key) { return change.find(key)->integer(); };
    if (kind == std::string("bit-flip")) {
      EXPECT_EQ(differing, "1\n20000\n");
      EXPECT_EQ(data("cmp -l /tmp/copy file | awk '{ print $1 - 1 }'; exit 0"),
                std::to_string(number("offset")) + "\n");
    } else if (kind == std::string("truncate")) {
      EXPECT_EQ(differing, "0\n" + std::to_string(number("size")) + "\n");
      EXPECT_GE(number("size"), 20000 - 4097);
    } else {
      const std::string chunk = "tail -c +" + std::to_string(number("offset") + 1) + " file | head -c " +
                                std::to_string(number("length")) + " | cksum";
      const std::string source = kind == std::string("zero")
                                     ? "head -c " + std::to_string(number("length")) + " /dev/zero | cksum"
                                     : "tail -c +" + std::to_string(number("from") + 1) + " /tmp/copy | head -c " +
                                           std::to_string(number("length")) + " | cksum";
      EXPECT_EQ(data(chunk), data(source));
      EXPECT_EQ(data("stat -c %s file"), "20000\n");
      EXPECT_LE(number("offset") + number("length"), 20000);
    }
    heal(*damage, "corrupt-files");
    expect(damage->confirm_healed(Deadline::after_s(30)), true, "runs again");
  }
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, OnlyWhatChangesAFileIsDoneToIt) {
  // Zeros but for one byte behind the middle; zeros only; the same bytes over and over but for one; less than a chunk.
  data(
      "head -c 400000 /dev/zero >sparse; printf x | dd of=sparse bs=1 seek=300001 conv=notrunc 2>/dev/null; head -c "
      "5000 /dev/zero >empty");
  const auto changed = [&](const char* kind, const char* match) {
    SCOPED_TRACE(std::string(kind) + " " + match);
    set("corrupt-files.kind", kind);
    set("corrupt-files.match", match);
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      data("rm -rf /tmp/before; cp -a . /tmp/before");
      const auto damage = inject("corrupt-files", seed);
      expect(damage->confirm(Deadline::after_s(30)), true, "1 of its files have changed");
      heal(*damage, "corrupt-files");
      data("rm -rf ./*; cp -a /tmp/before/. .");
    }
  };
  changed("zero", "*");
  changed("copy", "*/sparse");
  data(
      "rm *; for i in $(seq 4000); do echo abcdefg; done >same; cp same other; printf x | dd of=other bs=1 seek=20000 "
      "conv=notrunc 2>/dev/null");
  changed("copy", "*");
  data("rm *; echo short >few");
  changed("copy", "*");
  changed("zero", "*");
  // The last chunk is shorter, and stays so.
  data("rm *; head -c 4999 /dev/zero >tail; printf x >>tail");
  set("corrupt-files.kind", "zero");
  const auto damage = inject("corrupt-files");
  expect(damage->confirm(Deadline::after_s(30)), true, "1 of its files have changed");
  EXPECT_EQ(damage->describe().find("changes")->items().front().find("length")->integer(), 904);
  EXPECT_EQ(data("stat -c %s tail"), "5000\n");
  heal(*damage, "corrupt-files");
  // Where there is none, that is said before anything is touched.
  data("rm *; head -c 9000 /dev/zero >empty");
  for (const char* kind : {"zero", "copy"}) {
    set("corrupt-files.kind", kind);
    set("corrupt-files.nodes", "n1");
    const auto none = plan("corrupt-files", 1, "test-1");
    ASSERT_TRUE(none);
    const auto refused = (*none)->prepare(Deadline::after_s(60));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("would change none of 1 files"));
  }
  set("corrupt-files.kind", "stale");
  set("corrupt-files.age", "0.1s");
  auto stale = plan("corrupt-files", 1, "test-1");
  ASSERT_TRUE(stale && (*stale)->prepare(Deadline::after_s(60)));
  arm(**stale, "corrupt-files", "test-1");
  const auto same = (*stale)->inject(Deadline::after_s(5.5));
  ASSERT_FALSE(same);
  EXPECT_THAT(same.error().message, HasSubstr("written nothing"));
  heal(**stale, "corrupt-files");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, AnOldStateIsPutBack) {
  lay();
  set("corrupt-files.kind", "stale");
  set("corrupt-files.age", "0.5");
  data("echo old >file && mkdir sub && echo x >sub/x");
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    data("echo new >file && echo y >sub/y");
  });
  const auto damage = inject("corrupt-files");
  later.join();
  expect(damage->confirm(Deadline::after_s(30)), true, "of its files have changed");
  EXPECT_EQ(data("cat file; find . -type f | sort"), "old\n./file\n./sub/x\n");
  heal(*damage, "corrupt-files");
  take_away();
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, DamageStaysOnTheMinorityOfTheRunsSeed) {
  std::set<std::vector<std::size_t>> minorities;
  for (std::uint64_t run = 0; run < 100; ++run) {
    FaultContext of_run = context();
    of_run.seed = run;
    const auto allowed = damageable_nodes(of_run);
    EXPECT_THAT(allowed, ::testing::SizeIs(2));
    minorities.insert(allowed);
    std::set<std::size_t> hit;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      std::mt19937_64 random(seed);
      const auto drawn = select_damaged("minority", of_run, random);
      ASSERT_TRUE(drawn);
      EXPECT_THAT(drawn->nodes, Not(::testing::IsEmpty()));
      hit.insert(drawn->nodes.begin(), drawn->nodes.end());
    }
    EXPECT_THAT(hit, ::testing::ElementsAreArray(allowed)) << "whatever else was drawn";
  }
  EXPECT_EQ(minorities.size(), 10U) << "each pair of five nodes";
}

TEST_F(DiskTest, TheWatchdogTakesTheDiskAwayWhenTheControllerIsSilent) {
  lay();
  data("echo unsynced >file");
  fall_silent("test-disk", 1);
  for (int i = 0; i < 100 && !left_behind().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(data("cat file; ls -A"), "unsynced\nfile\n");
  EXPECT_EQ(remains(), "");
}

// The target is ended, since it has files of the disk open, and started again beneath; whoever has none stays.
TEST_F(DiskTest, ATargetThatRunsOnTheDiskIsStartedOnTheFilesBeneathWhenTheControllerIsSilent) {
  const ProgramTarget::Program writer = {fmt::format("cd {} && setsid sh -c 'while :; do echo x; sleep 0.02; done "
                                                     ">>file' writer-86397 </dev/null >/dev/null 2>&1 &",
                                                     kData),
                                         testing_support::found_by("writer-86397")};
  target_ = std::make_unique<ProgramTarget>(cluster(), writer);
  target_->data = {kData};
  target_->offer_start_script = true;
  on(0, "setsid sleep 86396 </dev/null >/dev/null 2>&1 &");
  lay();
  ASSERT_TRUE(target_->start(cluster().at(0)));
  const auto before = target_->pids(cluster().at(0));
  ASSERT_TRUE(before);
  ASSERT_EQ(before->size(), 1U);
  fall_silent("test-disk", 1);
  for (int i = 0; i < 100 && !left_behind().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(remains(), "");
  EXPECT_THAT(data("stat -f -c %T ."), Not(HasSubstr("fuse")));
  for (int i = 0; i < 50 && target_->pids(cluster().at(0))->empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto after = target_->pids(cluster().at(0));
  ASSERT_TRUE(after);
  ASSERT_EQ(after->size(), 1U);
  EXPECT_NE(*after, *before);
  const std::string size = data("wc -c <file");
  EXPECT_EQ(data("for i in $(seq 100); do [ $(wc -c <file) -gt " + size.substr(0, size.find('\n')) +
                 " ] && break; sleep 0.05; done; sort -u file"),
            "x\n");
  EXPECT_EQ(on(0, "pgrep -fx 'sleep 86396' | wc -l; pkill -fx 'sleep 86396'"), "1\n");
  EXPECT_EQ(on(0, "pgrep -x ordeal-disk | wc -l"), "0\n");
}

TEST_F(DiskTest, ADiskThatIsKilledIsCleanedUp) {
  lay();
  data("echo a >a; rm a; echo b >b");
  on(0, "kill -KILL $(cut -d' ' -f1 /var/lib/ordeal/faults/test-disk/0/background)");
  // A process is killed some time after it is told so.
  const std::string look = std::string("ls ") + kData + " 2>&1";
  EXPECT_THAT(
      on(0, "n=0; until " + look + " | grep -q 'not connected' || [ $n -ge 200 ]; do n=$((n + 1)); sleep 0.05; done; " +
                look + "; exit 0"),
      HasSubstr("not connected"));
  take_away();
  EXPECT_EQ(data("cat b; ls -A"), "b\nb\n");
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, TheDriverLaysItOnceForAllFaultsAndTheLedgerKnows) {
  options_.declare(nemesis_options());
  DriverOptions how;
  how.ledger_path = ledger_path();
  how.node_spec = "local:5";
  const auto made =
      make_driver(how, context(), faults_named({"power-loss", "disk", "disk-full", "kill"}), missing_needs(cluster()));
  ASSERT_TRUE(made) << made.error().message;
  const auto laid = (*made)->set_up(Deadline::after_s(20));
  ASSERT_TRUE(laid) << laid.error().message;
  EXPECT_EQ(data("stat -f -c %T ."), "fuseblk\n");
  auto ledger = read_ledger(ledger_path());
  ASSERT_TRUE(ledger);
  ASSERT_EQ(ledger->open.size(), 1U);
  EXPECT_EQ(ledger->open.front().fault, "disk");
  EXPECT_EQ(ledger->open.front().undo.size(), 5U);
  const auto gone = (*made)->tear_down(Deadline::after_s(20));
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(remains(), "");
  EXPECT_THAT(read_ledger(ledger_path())->open, ::testing::IsEmpty());
  // And whoever finds it in the ledger of a controller that was killed takes it away, too.
  ASSERT_TRUE((*made)->set_up(Deadline::after_s(20)));
  const auto healed = heal_ledger(ledger_path(), cluster(), Trust::node, Deadline::after_s(20));
  ASSERT_TRUE(healed);
  EXPECT_TRUE(healed->healed());
  EXPECT_EQ(remains(), "");
}

TEST_F(DiskTest, ADiskThatCannotWriteTellsTheCallThatWrites) {
  lay();
  data("printf old >file && sync file");
  set("disk.kind", "write-error");
  set("disk.probability", "1");
  const auto trouble = inject("disk");
  EXPECT_EQ(data(R"(python3 - <<'END'
import errno, os
f = os.open('file', os.O_RDWR)
try: os.write(f, b'new')
except OSError as error: print(errno.errorcode[error.errno], os.lseek(f, 0, os.SEEK_END), os.pread(f, 10, 0), os.fsync(f))
END
)"),
            "EIO 3 b'old' None\n");
  heal(*trouble, "disk");
  EXPECT_EQ(data("printf new >file; cat file"), "new");
  take_away();
  EXPECT_EQ(remains(), "");
}

// The same operations over a plain directory and over the disk return the same.
TEST_F(DiskTest, RandomOperationsReturnWhatTheyDoElsewhere) {
  lay();
  EXPECT_THAT(on(0, std::string(kProgram) + " tell " + kFolder + " 0 status"), HasSubstr("gathering=1"));
  bring_operations();
  const std::string words = " " + std::to_string(seed()) + " 4000 2>&1";
  const std::string native =
      on(0, "rm -rf /var/tmp/native; mkdir /var/tmp/native && python3 /tmp/operations.py run /var/tmp/native" + words);
  const std::string disk =
      on(0, std::string("mkdir ") + kData + "/run && python3 /tmp/operations.py run " + kData + "/run" + words);
  EXPECT_THAT(native, HasSubstr("\n3999 "));
  std::istringstream expected(native), seen(disk);
  for (std::string one, other; std::getline(expected, one);) {
    std::getline(seen, other);
    ASSERT_EQ(other, one);
  }
  EXPECT_EQ(disk.size(), native.size());
  // And what is behind it is what it showed.
  const std::string contents = "cd run && find . -type f -exec cksum {} + | sort";
  const std::string shown = data(contents);
  take_away();
  EXPECT_EQ(data(contents), shown);
  EXPECT_EQ(remains(), "");
}

// Programs write, sync, map, rename and are killed; the model in the script says what may be left of it.
TEST_F(DiskTest, APowerLossLeavesOnlyWhatMayBeLeft) {
  lay();
  bring_operations();
  std::uint64_t round = 100 * seed();
  for (const std::string kind :
       {"lost", "torn", "reordered", "lost", "torn", "reordered", "lost", "torn", "reordered"}) {
    SCOPED_TRACE(kind + " " + std::to_string(++round));
    const std::string in_data = std::string(" ") + kData + " ";
    on(0, "python3 /tmp/operations.py crash" + in_data + std::to_string(round) + " 150 /tmp/state; [ $? -ge 128 ]");
    EXPECT_THAT(power_failure(kind, round), HasSubstr("marker=1"));
    EXPECT_EQ(on(0, "python3 /tmp/operations.py check" + in_data + "/tmp/state " + kind), "allowed\n");
  }
  take_away();
  EXPECT_EQ(remains(), "");
}

// Where the kernel brings each write by itself.
TEST_F(DiskTest, AKernelThatDoesNotGatherIsServedAsWell) {
  lay();
  bring_operations();
  const std::string through = "/var/lib/target/through";
  on(0, fmt::format("mkdir -p {2} && {0} start {1} 9 {2} journal through", kProgram, kFolder, through));
  EXPECT_THAT(on(0, fmt::format("{} tell {} 9 status", kProgram, kFolder)), HasSubstr("gathering=0"));
  const std::string words = " " + std::to_string(seed()) + " 2000 2>&1";
  on(0, "rm -rf /var/tmp/native " + through + "/run; mkdir /var/tmp/native " + through + "/run");
  EXPECT_EQ(on(0, "python3 /tmp/operations.py run " + through + "/run" + words),
            on(0, "python3 /tmp/operations.py run /var/tmp/native" + words));
  on(0, "rm -rf " + through + "/run && sync " + through);
  for (const std::string kind : {"lost", "torn", "reordered"}) {
    SCOPED_TRACE(kind);
    on(0, fmt::format("python3 /tmp/operations.py crash {} {} 150 /tmp/state; [ $? -ge 128 ]", through, seed()));
    EXPECT_THAT(on(0, fmt::format("{} lose {} 9 {} {} {}", kProgram, kFolder, through, kind, seed())),
                HasSubstr("marker=1"));
    EXPECT_EQ(on(0, fmt::format("python3 /tmp/operations.py check {} /tmp/state {}", through, kind)), "allowed\n");
  }
  on(0, fmt::format("{} tell {} 9 fill test 5000", kProgram, kFolder));
  EXPECT_EQ(on(0, "head -c 90000 /dev/zero 2>/dev/null >" + through + "/large || echo full"), "full\n");
  on(0, fmt::format("{} stop {} 9 {}", kProgram, kFolder, through));
  take_away();
  EXPECT_EQ(remains(), "");
}

// The pages that such a program wrote and the kernel still has are lost with the rest, and it cannot bring them back.
TEST_F(DiskTest, WhoHoldsAFileThroughAPowerLossHoldsNothing) {
  lay();
  bring_operations();
  data("printf durable >held && sync held");
  on(0, std::string("rm -f /tmp/ready /tmp/go; setsid python3 /tmp/operations.py hold ") + kData +
            " /tmp/ready /tmp/go </dev/null >/tmp/held 2>/tmp/held-errors & i=0; until [ -e /tmp/ready ] || [ $i -ge "
            "100 ]; do sleep 0.05; i=$((i+1)); done");
  EXPECT_THAT(data("head -c 6 held"), "mapped");
  EXPECT_THAT(power_failure("lost", 1), HasSubstr("marker=1"));
  EXPECT_EQ(data("cat held"), "durable");
  on(0, "touch /tmp/go; i=0; until [ -s /tmp/held ] || [ $i -ge 100 ]; do sleep 0.05; i=$((i+1)); done");
  EXPECT_EQ(on(0, "cat /tmp/held"), "ESTALE ESTALE ESTALE durable\n");
  EXPECT_EQ(data("cat held; stat -c %s held"), "durable7\n");
  take_away();
  EXPECT_EQ(remains(), "");
}

// Rows that psql says are committed, before and after a power failure.
TEST_F(DiskTest, PostgresLosesWhatItAcknowledgedOnlyWithoutSyncing) {
  if (on(0, "[ -x /usr/lib/postgresql/15/bin/postgres ] || echo none") == "none\n")
    GTEST_SKIP() << "no PostgreSQL 15 here";
  set("power-loss.kind", "lost");
  const std::string as = "cd /; setpriv --reuid=postgres --regid=postgres --clear-groups ";
  const std::string pg = std::string(kData) + "/pg";
  on(0, "mkdir " + pg + " && chown postgres " + pg + " && " + as + "/usr/lib/postgresql/15/bin/initdb -N -A trust -D " +
            pg + " >/dev/null");
  lay();
  const std::string psql = "psql -h /tmp -U postgres -d postgres -At";
  const std::string sql = psql + "c ";
  for (const std::string fsync : {"on", "off"}) {
    SCOPED_TRACE("fsync=" + fsync);
    const ProgramTarget::Program program = {
        "pgrep -x postgres >/dev/null || { " + as + "setsid /usr/lib/postgresql/15/bin/postgres -D " + pg +
            " -k /tmp -c jit=off -c fsync=" + fsync + " </dev/null >/tmp/pg.log 2>&1 & }; for i in $(seq 100); do " +
            sql + "'SELECT 1' >/dev/null 2>&1 && break; sleep 0.05; done",
        "pgrep -x postgres; exit 0"};
    target_ = std::make_unique<ProgramTarget>(cluster(), program);
    target_->data = {kData};
    const auto started = target_->start(cluster().at(0));
    ASSERT_TRUE(started) << started.error().message;
    on(0, sql + "'CREATE TABLE rows_" + fsync + " (n int)'; " + sql + "CHECKPOINT");
    // Each commits by itself.
    const std::string before = on(0, "for i in $(seq 20); do echo \"INSERT INTO rows_" + fsync +
                                         " VALUES ($i);\"; done | " + psql + " | sort | uniq -c");
    EXPECT_THAT(before, HasSubstr("20 INSERT 0 1"));
    const auto loss = inject("power-loss");
    ASSERT_TRUE(loss->heal(Deadline::after_s(60)));
    const std::string after = on(0, sql + "'SELECT count(*) FROM rows_" + fsync + "' 2>&1; exit 0");
    if (fsync == "on") {
      EXPECT_EQ(after, "20\n");
    } else {
      expect(loss->confirm(Deadline::after_s(20)), true, "unsynced writes");
      EXPECT_NE(after, "20\n");
    }
    on(0, "pkill -KILL -x postgres; while pgrep -x postgres >/dev/null; do sleep 0.05; done");
  }
  take_away();
  EXPECT_EQ(remains(), "");
}

// What a program sees is what it sees without the disk: the same script over a plain directory and over the disk.
TEST_F(DiskTest, BehavesAsAnyFileSystem) {
  lay();
  on(0, R"(cat >/tmp/calls.py <<'END'
import errno, fcntl, mmap, os, stat, sys
os.chdir(sys.argv[1])
def tried(call, *words):
    try: return call(*words)
    except OSError as error: return errno.errorcode[error.errno]
def show(*words): print(*words)
fd = os.open('f', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
show(tried(os.open, 'f', os.O_CREAT | os.O_EXCL), oct(os.fstat(fd).st_mode))
os.pwrite(fd, b'hello', 3); show(os.pread(fd, 100, 0), os.fstat(fd).st_size)
os.posix_fallocate(fd, 0, 10000); show(os.fstat(fd).st_size)
m = mmap.mmap(fd, 10000); m[100:105] = b'mmaps'; m.flush(); show(os.pread(fd, 5, 100))
os.pwrite(fd, b'wrote', 200); show(m[200:205]); m[0:3] = b'abc'; m.close(); show(os.pread(fd, 8, 0))
os.ftruncate(fd, 50); show(os.fstat(fd).st_size, os.pread(fd, 100, 45))
a = os.open('f', os.O_WRONLY | os.O_APPEND); os.write(a, b'end'); os.lseek(a, 0, 0); os.write(a, b'END'); show(os.pread(fd, 10, 48))
fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
child = os.fork()
if child == 0:
    b = os.open('f', os.O_WRONLY); os._exit(7 if tried(fcntl.lockf, b, fcntl.LOCK_EX | fcntl.LOCK_NB) in ('EAGAIN', 'EACCES') else 8)
show(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
os.mkdir('d'); show(tried(os.rmdir, 'f'), tried(os.unlink, 'd'), tried(os.mkdir, 'd'), tried(os.rmdir, 'nothing'))
os.link('f', 'd/g'); show(os.stat('f').st_nlink, os.stat('f').st_ino == os.stat('d/g').st_ino, tried(os.rmdir, 'd'))
os.symlink('d/g', 's'); show(os.readlink('s'), os.stat('s').st_size, stat.S_ISLNK(os.lstat('s').st_mode))
os.unlink('f'); os.pwrite(fd, b'still', 0); show(os.pread(fd, 5, 0), os.path.exists('f'), open('d/g').read(5))
open('x', 'w').write('x'); open('y', 'w').write('yy'); os.rename('x', 'y'); show(open('y').read(), sorted(os.listdir('.')))
show(tried(os.rename, 'y', 'd'), tried(os.rename, 'd', 'y'), tried(os.rename, 'd', 'd/e'), tried(os.rename, 'no', 'y'))
os.mkdir('e'); os.rename('e', 'd2'); os.rename('d', 'd3'); show(sorted(os.listdir('d3')), tried(os.rename, 'd2', 'd3'))
os.chmod('y', 0o600); os.chown('y', 1, 2); s = os.stat('y'); show(oct(s.st_mode), s.st_uid, s.st_gid)
os.utime('y', (1e9, 2e9)); s = os.stat('y'); show(s.st_atime, s.st_mtime)
show(tried(os.open, 'y/z', os.O_RDONLY), tried(os.open, 'q', os.O_RDONLY), tried(os.open, 'n' * 300, os.O_CREAT))
d = os.open('y', os.O_RDWR | os.O_DIRECT | os.O_DSYNC); b = mmap.mmap(-1, 4096); b[0:2] = b'od'; show(os.write(d, b), os.stat('y').st_size)
os.mkfifo('p'); show(stat.S_ISFIFO(os.stat('p').st_mode))
open('t', 'w').write('long text'); open('t', 'w').write('short'); show(open('t').read())
for i in range(300): open('d2/%03d' % i, 'w').close()
names = os.listdir('d2'); show(len(names), len(set(names)))
for n in names[:150]: os.unlink('d2/' + n)
show(len(os.listdir('d2')), os.fsync(os.open('d2', os.O_RDONLY)), os.access('y', os.W_OK))
END
)");
  const std::string native =
      on(0, "rm -rf /var/tmp/native; mkdir /var/tmp/native && python3 /tmp/calls.py /var/tmp/native 2>&1");
  const std::string disk =
      on(0, std::string("mkdir ") + kData + "/run && python3 /tmp/calls.py " + kData + "/run 2>&1");
  EXPECT_THAT(native, HasSubstr("150 None True"));
  EXPECT_EQ(disk, native);
  // And what is behind it is the same, too.
  const std::string tree = "find . -printf '%P %y %m %s %n %U %G\\n' | grep -v '^d3 ' | sort";
  const std::string shown = data("cd run && " + tree);
  take_away();
  EXPECT_EQ(data("cd run && " + tree), shown);
  EXPECT_EQ(remains(), "");
}

}  // namespace
}  // namespace ordeal
