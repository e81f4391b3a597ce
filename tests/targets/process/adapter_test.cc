// Adapters that crash, babble, fall silent and flood: each is survived, named and leaves no process behind.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "targets/process/child_process.h"
#include "targets/process/environment.h"
#include "targets/process/process_client.h"
#include "targets/process/words.h"

// Every kill(2) of this program; see the end of the file.
static std::atomic<int> kills = 0;

namespace ordeal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

Deadline in(int ms) { return steady_clock::now() + milliseconds(ms); }

AdapterSetup rude(std::vector<std::string> arguments = {}) {
  AdapterSetup setup;
  setup.words = {"python3", RUDE_ADAPTER};
  setup.words.insert(setup.words.end(), arguments.begin(), arguments.end());
  setup.label = "adapter of n1";
  return setup;
}

// True when no such process is there, not even as a zombie of ours.
bool gone(std::int64_t pid) {
  for (int i = 0; i < 200; ++i) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string word;
    // A killed grandchild is reaped by init; until then it is a zombie of somebody else.
    if (!(stat >> word >> word >> word) || word == "Z") return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

class AdapterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(find_executable("python3")) << "scripts/install-packages.sh test brings it";
    client_ = std::make_unique<ProcessClient>(rude(), Value::map({{"data_type", "register"}}));
    const auto opened = client_->open(in(60'000));
    ASSERT_TRUE(opened) << opened.error().message;
    pid_ = run("pid").value->integer();
  }
  Completion run(const std::string& f, Value value = {}, int ms = 10'000) {
    return client_->invoke({f, std::nullopt, std::move(value)}, in(ms));
  }
  // The operation ends in info of that kind, and the adapter is gone.
  void expect_info(const Completion& completion, const std::string& kind, const std::string& text = "") {
    EXPECT_EQ(completion.type, EventType::info);
    ASSERT_TRUE(completion.error);
    EXPECT_EQ(completion.error->kind, kind) << completion.error->message;
    EXPECT_NE(completion.error->message.find(text), std::string::npos) << completion.error->message;
    EXPECT_LT(completion.error->message.size(), 3000u);
    EXPECT_TRUE(gone(pid_));
    EXPECT_NE(kill(static_cast<pid_t>(pid_), 0), 0) << "a zombie is left";
    EXPECT_NE(run("echo", 1).type, EventType::ok);
  }

  std::unique_ptr<ProcessClient> client_;
  std::int64_t pid_ = 0;
};

TEST_F(AdapterTest, InheritsNothingThatTheControllerHasOpen) {
  // As a file stream of the standard library, or a pipe that Boost.Process is just making in another thread.
  const int leak = open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
  ASSERT_GE(leak, 0);
  // The shell counts for itself: while it starts a pipeline it has an end of the pipe open for a moment.
  const auto process =
      ChildProcess::start({"/bin/sh", "-c", "set -- /proc/$$/fd/*; echo $#; exec grep SigBlk /proc/self/status"});
  close(leak);
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE((*process)->wait(seconds(10)));
  std::string said(4096, '\0');
  const ssize_t size = read((*process)->output(), said.data(), said.size());
  ASSERT_GT(size, 0);
  said.resize(static_cast<std::size_t>(size));
  EXPECT_TRUE(said.starts_with("4\n")) << "the three standard streams and the directory being listed were expected: "
                                       << said;
  EXPECT_NE(said.find("SigBlk:\t0000000000000000"), std::string::npos) << said;
}

TEST_F(AdapterTest, OutcomesAndValues) {
  const Value value = Value::list({1, "ä\n", Value(), Value::map({{"k", 2}})});
  EXPECT_EQ(run("echo", value).value, value);
  const Completion nothing = run("nothing", 5);
  EXPECT_EQ(nothing.type, EventType::ok);
  EXPECT_FALSE(nothing.value);
  const Completion failed = run("fail");
  EXPECT_EQ(failed.type, EventType::fail);
  EXPECT_EQ(failed.error, (EventError{"refused", "no"}));
  const Completion info = run("info");
  EXPECT_EQ(info.type, EventType::info);
  EXPECT_EQ(info.error->kind, "unknown");
  client_->close();
  EXPECT_TRUE(gone(pid_));
}

TEST_F(AdapterTest, LongRequestsAndReplies) {
  EXPECT_EQ(run("length", std::string(1'000'000, 'y')).value, Value(1'000'000));
  const Completion reply = run("long", 1'000'000);
  ASSERT_EQ(reply.type, EventType::ok);
  EXPECT_EQ(reply.value->string().size(), 1'000'000u);
}

TEST_F(AdapterTest, CrashWithStatusAndLastWords) {
  const Completion crashed = run("exit");
  expect_info(crashed, "adapter-crash", "exited with status 3");
  EXPECT_NE(crashed.error->message.find("the disk is gone"), std::string::npos);
}

TEST_F(AdapterTest, CrashBySignal) { expect_info(run("segfault"), "adapter-crash", "signal 11"); }

TEST_F(AdapterTest, ClosedOutput) { expect_info(run("close-output"), "adapter-crash", "closed"); }

TEST_F(AdapterTest, KilledBetweenOperations) {
  kill(static_cast<pid_t>(pid_), SIGKILL);
  expect_info(run("echo", 1), "adapter-crash", "signal 9");
}

TEST_F(AdapterTest, GarbageIsShownHarmless) {
  const Completion garbage = run("garbage", std::string(1000, 'z'));
  expect_info(garbage, "adapter-protocol", "\\x1b[31moops\\x00");
  EXPECT_EQ(garbage.error->message.find('\x1b'), std::string::npos);
}

TEST_F(AdapterTest, TheReplyToAnotherRequest) { expect_info(run("wrong-id"), "adapter-protocol", "999999"); }

TEST_F(AdapterTest, AnUnknownOutcome) { expect_info(run("bad-type"), "adapter-protocol", "maybe"); }

TEST_F(AdapterTest, AReplyTooMuchIsFoundWithTheNextRequest) {
  EXPECT_EQ(run("twice").type, EventType::ok);
  std::this_thread::sleep_for(milliseconds(50));
  expect_info(run("echo", 1), "adapter-protocol");
}

TEST_F(AdapterTest, SilenceEndsAtTheDeadline) {
  const auto before = steady_clock::now();
  const Completion silent = run("silence", {}, 300);
  const auto took = steady_clock::now() - before;
  EXPECT_GE(took, milliseconds(300));
  EXPECT_LT(took, milliseconds(1500));
  expect_info(silent, "adapter-timeout");
}

TEST_F(AdapterTest, HalfALineIsQuoted) {
  expect_info(run("half-line", {}, 300), "adapter-timeout", "it had written \"half a rep\"");
}

// A read that was ok without a value was taken for a read of nil, which accuses a correct system.
TEST_F(AdapterTest, RegressAReadWithoutAValueIsNoReadOfNil) {
  expect_info(run("read", "nothing"), "adapter-protocol", "the reply to read is ok without a \"value\"");
}

TEST_F(AdapterTest, AReadOfNilSaysSo) {
  const Completion nil = run("read", "nil");
  EXPECT_EQ(nil.type, EventType::ok);
  EXPECT_EQ(nil.value, Value());
}

TEST_F(AdapterTest, UnknownMembersAreToldOnce) {
  const Completion first = run("misspelt");
  EXPECT_EQ(first.type, EventType::ok);
  ASSERT_TRUE(first.error);
  EXPECT_EQ(first.error->kind, "adapter-unknown-member");
  EXPECT_NE(first.error->message.find("vlaue"), std::string::npos) << first.error->message;
  EXPECT_FALSE(run("misspelt").error);
  expect_info(run("read", "misspelt"), "adapter-protocol", "it has \"vlaue\"");
}

TEST(Replies, WhichMustHaveAValue) {
  const auto txn = [](std::vector<Value> micros) {
    Value value = Value::list();
    for (Value& micro : micros) value.items().push_back(std::move(micro));
    return Operation{"txn", std::nullopt, std::move(value)};
  };
  for (const char* f : {"read", "dequeue", "drain", "generate", "leader", "poll", "stamp", "read-chain", "apply"})
    EXPECT_TRUE(must_return_a_value({f, std::nullopt, {}})) << f;
  for (const char* f : {"write", "cas", "add", "enqueue", "acquire", "release", "campaign", "transfer", "send"})
    EXPECT_FALSE(must_return_a_value({f, std::nullopt, {}})) << f;
  EXPECT_TRUE(must_return_a_value(txn({Value::list({"append", 1, 2}), Value::list({"r", 1, Value()})})));
  EXPECT_FALSE(must_return_a_value(txn({Value::list({"append", 1, 2}), Value::list({"w", 1, 2})})));
}

TEST_F(AdapterTest, AFloodWithoutAnEndOfLine) { expect_info(run("flood-bytes"), "adapter-flood"); }

TEST_F(AdapterTest, AFloodOfLines) { expect_info(run("flood-lines"), "adapter-flood"); }

TEST_F(AdapterTest, AFloodOnStandardErrorDoesNotBlock) {
  EXPECT_EQ(run("flood-errors").type, EventType::ok);
  EXPECT_EQ(run("echo", 2).value, Value(2));
}

TEST_F(AdapterTest, ClosedStandardErrorIsNoCrash) {
  EXPECT_EQ(run("close-errors").type, EventType::ok);
  EXPECT_EQ(run("echo", 2).value, Value(2));
}

TEST_F(AdapterTest, ChildrenGoWithTheirGroup) {
  const std::int64_t child = run("child").value->integer();
  EXPECT_EQ(kill(static_cast<pid_t>(child), 0), 0);
  client_->close();
  EXPECT_TRUE(gone(child));
  EXPECT_TRUE(gone(pid_));
}

TEST_F(AdapterTest, ManyAtOnceDoNotHoldEachOthersPipes) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      ProcessClient client(rude(), Value::map());
      ASSERT_TRUE(client.open(in(20'000)));
      EXPECT_EQ(client.invoke({"echo", std::nullopt, t}, in(10'000)).value, Value(t));
      // Notices the end of its own adapter while the others still run.
      EXPECT_EQ(client.invoke({"exit", std::nullopt, {}}, in(10'000)).error->kind, "adapter-crash");
    });
  }
}

// kill -9 of the controller takes the adapter with it.
TEST(AdapterStart, DiesWithTheController) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t controller = fork();
  ASSERT_GE(controller, 0);
  if (controller == 0) {
    auto child = ChildProcess::start({"/bin/sleep", "60"});
    std::int64_t pid = 0;
    if (child) {
      std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
      children >> pid;
    }
    (void)!write(ends[1], &pid, sizeof pid);
    raise(SIGKILL);
  }
  close(ends[1]);
  std::int64_t pid = 0;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  close(ends[0]);
  waitpid(controller, nullptr, 0);
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(gone(pid));
}

// The number of a process that is reaped may belong to somebody else.
TEST(AdapterStart, IsKilledOnce) {
  auto started = ChildProcess::start({"/bin/sh", "-c", "exit 3"});
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_TRUE((*started)->wait(milliseconds(10'000)));
  const int before = kills;
  (*started)->kill();
  EXPECT_EQ(kills, before + 2) << "the group and its leader";
  EXPECT_TRUE((*started)->wait(milliseconds(0)));
  (*started)->kill();
  started->reset();
  EXPECT_EQ(kills, before + 2);
}

// What did not open is closed, whatever it was before.
TEST(AdapterStart, AfterAFailedOpenNothingIsOpen) {
  ASSERT_TRUE(find_executable("python3")) << "scripts/install-packages.sh test brings it";
  const std::string mark = ::testing::TempDir() + "ordeal-adapter-" + std::to_string(::getpid());
  AdapterSetup setup;
  setup.words = {"/bin/sh", "-c", "[ -e \"$0\" ] && exit 3; exec python3 " + std::string(RUDE_ADAPTER), mark};
  ProcessClient client(setup, Value::map({{"data_type", "register"}}));
  ASSERT_TRUE(client.open(in(60'000)));
  EXPECT_EQ(client.invoke({"echo", std::nullopt, Value(1)}, in(10'000)).type, EventType::ok);
  std::ofstream(mark) << "now it fails\n";
  EXPECT_FALSE(client.open(in(60'000)));
  const auto closed = client.invoke({"echo", std::nullopt, Value(1)}, in(10'000));
  EXPECT_EQ(closed.type, EventType::fail);
  EXPECT_EQ(closed.error->kind, "adapter-closed");
  ::unlink(mark.c_str());
}

TEST(AdapterStart, Refusals) {
  ProcessClient refused(rude({"refuse"}), Value::map());
  const auto opened = refused.open(in(60'000));
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("nothing there"), std::string::npos) << opened.error().message;
  AdapterSetup missing;
  missing.words = {"no-such-adapter-program"};
  EXPECT_EQ(Adapter::start(missing).error().code, ErrorCode::not_found);
#ifndef __SANITIZE_THREAD__  // which makes vfork() a fork(), whose child cannot tell its parent why exec failed
  AdapterSetup directory;
  directory.words = {"/etc"};
  EXPECT_FALSE(Adapter::start(directory));
#endif
}

TEST(AdapterStart, Describe) {
  const auto operations = describe_adapter(rude(), in(10'000));
  ASSERT_TRUE(operations) << operations.error().message;
  EXPECT_EQ(operations->operations, (std::vector<std::string>{"read", "write"}));
  EXPECT_EQ(operations->clients, 1U);
  setenv("RUDE_PROTOCOL", "2", 1);
  AdapterSetup asked = rude();
  asked.variables = {"RUDE_PROTOCOL"};
  const auto newer = describe_adapter(asked, in(10'000));
  unsetenv("RUDE_PROTOCOL");
  ASSERT_FALSE(newer);
  EXPECT_NE(newer.error().message.find("version 2"), std::string::npos);
}

// Tokens, passwords and the agent of the user went to every adapter.
TEST(RegressAdapterStart, SecretsStayHere) {
  const std::vector<std::string> secrets = {"SSH_AUTH_SOCK", "GITHUB_TOKEN", "PGPASSWORD", "ORDEAL_N1_PASSWORD",
                                            "AWS_SECRET_ACCESS_KEY"};
  for (const std::string& name : secrets) {
    EXPECT_FALSE(is_passed_on(name)) << name;
    setenv(name.c_str(), "a-secret", 1);
  }
  const auto given_to = [](const std::vector<std::string>& variables) {
    auto child = ChildProcess::start({"/usr/bin/env"}, variables);
    EXPECT_TRUE(child);
    std::string out;
    char buffer[4096];
    EXPECT_TRUE((*child)->wait(std::chrono::seconds(60)));
    for (ssize_t n = 0; (n = ::read((*child)->output(), buffer, sizeof buffer)) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
    return out;
  };
  const std::string usual = given_to({});
  EXPECT_EQ(usual.find("a-secret"), std::string::npos) << usual;
  EXPECT_NE(usual.find("PATH="), std::string::npos);
  EXPECT_NE(given_to({"GITHUB_TOKEN"}).find("GITHUB_TOKEN=a-secret"), std::string::npos) << "asked for by name";
  for (const std::string& name : secrets) unsetenv(name.c_str());
}

TEST(AdapterLog, IsBounded) {
  AdapterLog log;
  std::size_t bytes = 0;
  log.write("a", "before there is a sink");
  log.set_sink([&](std::string_view line) { bytes += line.size(); });
  for (int i = 0; i < 20'000; ++i) log.write("a", std::string(500, 'x'));
  EXPECT_GT(bytes, 900'000u);
  EXPECT_LT(bytes, 1'200'000u);
}

TEST(Words, AsAShellSplitsThem) {
  EXPECT_EQ(*split_words("a  'b c' \"d \\\" e\" f\\ g ''"),
            (std::vector<std::string>{"a", "b c", "d \" e", "f g", ""}));
  EXPECT_EQ(split_words("a 'b").error().code, ErrorCode::usage);
  EXPECT_EQ(split_words("  ").error().code, ErrorCode::usage);
  EXPECT_EQ(shown("a\nb\xff"), "a\\x0ab\\xff");
  EXPECT_LT(shown(std::string(10'000, 'x')).size(), 300u);
}

}  // namespace
}  // namespace ordeal

// In place of the C library's.
extern "C" int kill(pid_t process, int signal) noexcept {
  ++kills;
  return static_cast<int>(::syscall(SYS_kill, process, signal));
}
