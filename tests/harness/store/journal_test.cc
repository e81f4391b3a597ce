#include "harness/store/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "checkers/history/parts.h"
#include "checkers/history/reader.h"
#include "tests/harness/store/lines.h"
#include "tests/harness/store/scratch.h"
#include "tests/support/synced.h"

namespace ordeal {
namespace {

std::unique_ptr<Journal> make(const std::string& path) {
  auto journal = Journal::create(path);
  ORDEAL_CHECK(journal.has_value(), "no journal");
  return std::move(*journal);
}

// The next write(2) of this thread is interrupted by a signal, before anything is written.
thread_local bool interrupt_next_write = false;

Operation write_op(std::int64_t value) { return {"write", Value("k1"), Value(value)}; }

TEST(Journal, WritesTheFormatOfTheDesign) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  const Operation cas{"cas", Value("k7"), Value(Value::List{1, 2})};
  ASSERT_TRUE(journal->invoke(3, cas));
  ASSERT_TRUE(journal->complete(3, cas, Completion::failed("conflict", "held \"3\"\n"), journal->now_ns()));
  const Operation read{"read", Value("k7"), Value()};
  ASSERT_TRUE(journal->invoke(3, read));
  ASSERT_TRUE(journal->complete(3, read, Completion::ok(Value(5)), journal->now_ns()));
  ASSERT_TRUE(journal->record("nemesis", "partition", *Value::from_json(R"({"id":1,"step":"inject"})")));
  const auto lines = read_lines(scratch.file("h"));
  ASSERT_EQ(lines.events.size(), 5u);
  EXPECT_FALSE(lines.broken);
  EXPECT_EQ(lines.torn, "");
  std::vector<std::string> without_time;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < lines.events.size(); ++i) {
    EXPECT_EQ(lines.events[i].find("index")->integer(), static_cast<std::int64_t>(i));
    const auto time = lines.events[i].find("time")->integer();
    EXPECT_GE(time, last);
    last = time;
    Value rest = Value::map();
    for (const auto& [k, v] : lines.events[i].entries()) {
      if (k.string() != "index" && k.string() != "time") rest.set(k, v);
    }
    without_time.push_back(rest.to_json());
  }
  EXPECT_EQ(without_time[0], R"({"process":3,"type":"invoke","f":"cas","key":"k7","value":[1,2]})");
  EXPECT_EQ(without_time[1], R"({"process":3,"type":"fail","f":"cas","key":"k7","value":[1,2],)"
                             R"("error":{"kind":"conflict","message":"held \"3\"\n"}})");
  EXPECT_EQ(without_time[2], R"({"process":3,"type":"invoke","f":"read","key":"k7","value":null})");
  EXPECT_EQ(without_time[3], R"({"process":3,"type":"ok","f":"read","key":"k7","value":5})");
  EXPECT_EQ(without_time[4], R"({"process":"nemesis","type":"info","f":"partition","value":{"id":1,"step":"inject"}})");
}

TEST(Journal, AnInterruptedWriteIsMadeAgain) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  interrupt_next_write = true;
  ASSERT_TRUE(journal->invoke(0, write_op(1)));
  EXPECT_FALSE(interrupt_next_write);
  EXPECT_EQ(read_lines(scratch.file("h")).events.size(), 1u);
}

TEST(Journal, ARecordHasTheTimeAtWhichItIsWritten) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  ASSERT_TRUE(journal->invoke(0, write_op(1)));
  const std::int64_t before = journal->now_ns();
  ASSERT_TRUE(journal->record("nemesis", "kill", Value()));
  const auto lines = read_lines(scratch.file("h"));
  ASSERT_EQ(lines.events.size(), 2u);
  EXPECT_GE(lines.events[1].find("time")->integer(), before);
}

TEST(Journal, IsInTheFileWhenTheCallReturns) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(journal->invoke(i, write_op(i)));
    ASSERT_EQ(read_lines(scratch.file("h")).events.size(), static_cast<std::size_t>(i + 1));
  }
}

TEST(Journal, IsOnDiskWhenItWasSynced) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  testing_support::Synced::clear();
  ASSERT_TRUE(journal->invoke(0, write_op(1)));
  ASSERT_TRUE(journal->sync());
  EXPECT_EQ(testing_support::Synced::times(scratch.file("h")), 1u);
}

TEST(Journal, RefusesAFileThatIsThere) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  const auto again = Journal::create(scratch.file("h"));
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("File exists"), std::string::npos);
}

// A completion stamped before the last written event is moved up to it, so that times never run backwards and the
// interval only grows.
TEST(Journal, ALateStampIsMovedUpNeverDown) {
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  ASSERT_TRUE(journal->invoke(0, write_op(0)));
  const std::int64_t stamp = journal->now_ns();
  ASSERT_TRUE(journal->invoke(1, write_op(1)));
  ASSERT_TRUE(journal->complete(0, write_op(0), Completion::ok(), stamp));
  const auto lines = read_lines(scratch.file("h"));
  ASSERT_EQ(lines.events.size(), 3u);
  const auto time = [&](std::size_t i) { return lines.events[i].find("time")->integer(); };
  EXPECT_LE(time(0), stamp);
  EXPECT_GE(time(1), stamp);
  EXPECT_EQ(time(2), time(1));
}

// Many threads: nothing lost, nothing mixed, times in order, intervals that contain the true ones, and each thread's
// events in its own order.
TEST(Journal, ManyThreadsAtOnce) {
  constexpr int kThreads = 8;
  constexpr int kOps = 500;
  const Scratch scratch;
  auto journal = make(scratch.file("h"));
  struct Truth {
    std::int64_t sent = 0, answered = 0;
  };
  std::vector<std::vector<Truth>> truth(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kOps; ++i) {
          const auto op = write_op(i);
          ORDEAL_CHECK(journal->invoke(t, op).has_value(), "invoke");
          const std::int64_t sent = journal->now_ns();
          const std::int64_t answered = journal->now_ns();
          ORDEAL_CHECK(journal->complete(t, op, Completion::ok(), answered).has_value(), "complete");
          truth[static_cast<std::size_t>(t)].push_back({sent, answered});
        }
      });
    }
  }
  const auto lines = read_lines(scratch.file("h"));
  ASSERT_EQ(lines.events.size(), 2u * kThreads * kOps);
  EXPECT_FALSE(lines.broken);
  EXPECT_EQ(journal->events(), lines.events.size());
  std::map<std::int64_t, std::size_t> seen;  // by process: its events so far
  std::int64_t last = 0;
  for (std::size_t i = 0; i < lines.events.size(); ++i) {
    const Value& event = lines.events[i];
    EXPECT_EQ(event.find("index")->integer(), static_cast<std::int64_t>(i));
    const auto time = event.find("time")->integer();
    ASSERT_GE(time, last);
    last = time;
    const auto process = event.find("process")->integer();
    const std::size_t n = seen[process]++;
    ASSERT_EQ(event.find("type")->string(), n % 2 == 0 ? "invoke" : "ok");
    ASSERT_EQ(event.find("value")->integer(), static_cast<std::int64_t>(n / 2));
    const Truth& t = truth[static_cast<std::size_t>(process)][n / 2];
    if (n % 2 == 0) {
      ASSERT_LE(time, t.sent);
    } else {
      ASSERT_GE(time, t.answered);
    }
  }
}

// A long history in parts: nothing is lost or moved, and what is compressed is smaller.
TEST(Journal, GoesOnInParts) {
  const Scratch scratch;
  const std::string path = scratch.file("history.jsonl");
  constexpr int kThreads = 4;
  constexpr int kOps = 500;
  {
    auto journal = Journal::create(path, {.part_bytes = 20'000});
    ASSERT_TRUE(journal);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kOps; ++i) {
          if (!(*journal)->invoke(t, write_op(i))) std::abort();
          if (!(*journal)->complete(t, write_op(i), Completion::ok(), (*journal)->now_ns())) std::abort();
        }
      });
    }
    for (auto& thread : threads) thread.join();
    (*journal)->packer().wait();
    ASSERT_TRUE((*journal)->sync());
  }
  const auto parts = parts_of(path);
  ASSERT_TRUE(parts);
  ASSERT_GT(parts->size(), 10u);
  EXPECT_EQ(parts->back(), path);
  std::uintmax_t packed = 0;
  for (const auto& part : *parts) {
    EXPECT_EQ(part.ends_with(".jsonl.gz"), part != path) << part;
    EXPECT_FALSE(std::filesystem::exists(part + ".partial"));
    packed += std::filesystem::file_size(part);
  }
  EXPECT_LT(packed, kThreads * kOps * 2 * 95u / 4);
  const auto history = read_history_file(path);
  ASSERT_TRUE(history) << history.error().message;
  ASSERT_EQ(history->history.size(), kThreads * kOps * 2u);
  for (EventIndex e = 0; e < history->history.size(); ++e) ASSERT_EQ(history->history.index(e), e);
  EXPECT_TRUE(history->notes.empty());
}

// A file of another name has no parts: nobody would find them.
TEST(Journal, AFileOfAnotherNameStaysOne) {
  const Scratch scratch;
  auto journal = Journal::create(scratch.file("h"), {.part_bytes = 100});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE((*journal)->invoke(i, write_op(i)));
  EXPECT_EQ(read_lines(scratch.file("h")).events.size(), 20u);
}

// Killed at any moment, also while a part is begun, compressed or removed: what a call had written is there.
TEST(Journal, PartsLoseNothingWhenTheWriterIsKilled) {
  for (int round = 0; round < 30; ++round) {
    const Scratch scratch;
    const std::string path = scratch.file("history.jsonl");
    int told[2];
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto journal = Journal::create(path, {.part_bytes = 3000});
      for (int i = 0; journal && i < 1'000'000; ++i) {
        if (!(*journal)->invoke(i, write_op(i))) break;
        if (::syscall(SYS_write, told[1], &i, sizeof i) != sizeof i) break;
      }
      ::_exit(1);
    }
    ::close(told[1]);
    int last = -1;
    const int enough = 200 + round * 61;
    while (last < enough) ASSERT_EQ(::read(told[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (int more = 0; ::read(told[0], &more, sizeof more) == static_cast<ssize_t>(sizeof more);) last = more;
    ::close(told[0]);
    ReadOptions options;
    options.tolerate_torn_end = true;
    const auto read = read_history_file(path, options);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_GT(read->history.size(), static_cast<std::size_t>(last));
    EXPECT_LE(read->history.size(), static_cast<std::size_t>(last) + 2);
    for (EventIndex e = 0; e < read->history.size(); ++e) ASSERT_EQ(read->history.index(e), e);
  }
}

// A disk that is full, played by a limit on the size of files in a child process.
TEST(Journal, AFullDiskIsAClearErrorAndLeavesWholeLines) {
  const Scratch scratch;
  const std::string path = scratch.file("h");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto journal = Journal::create(path);
    if (!journal) ::_exit(10);
    for (int i = 0; i < 100; ++i) {
      const auto done = (*journal)->invoke(i, write_op(i));
      if (done) continue;
      if (done.error().code != ErrorCode::io) ::_exit(11);
      if (done.error().message.find("File too large") == std::string::npos) ::_exit(12);
      if (done.error().message.find(path) == std::string::npos) ::_exit(13);
      if ((*journal)->invoke(i, write_op(i))) ::_exit(14);  // it sticks
      if (!(*journal)->failure()) ::_exit(15);
      ::_exit((*journal)->events() == static_cast<std::uint64_t>(i) ? 0 : 16);
    }
    ::_exit(17);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const auto lines = read_lines(path);
  EXPECT_GT(lines.events.size(), 5u);
  EXPECT_EQ(lines.torn, "");
  EXPECT_FALSE(lines.broken);
}

}  // namespace
}  // namespace ordeal

// In place of the C library's.
extern "C" ssize_t write(int file, const void* bytes, size_t count) {
  if (ordeal::interrupt_next_write) {
    ordeal::interrupt_next_write = false;
    errno = EINTR;
    return -1;
  }
  return ::syscall(SYS_write, file, bytes, count);
}
