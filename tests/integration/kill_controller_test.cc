// kill -9 of a controller in the middle of a run: the history can be read, and nothing reached the store that is not
// in it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "harness/runner/run.h"
#include "tests/harness/store/lines.h"
#include "tests/harness/store/scratch.h"

namespace ordeal {
namespace {

// Memory that survives the child: the values that its store was asked to write, and those it had answered.
struct Witness {
  static constexpr std::size_t kRoom = 1u << 20;
  std::atomic<std::uint32_t> asked_count;
  std::atomic<std::uint32_t> answered_count;
  std::int64_t asked[kRoom];
  std::int64_t answered[kRoom];
};

class WitnessedTarget final : public Target {
 public:
  explicit WitnessedTarget(Witness& witness) : witness_(witness) {}
  std::string_view name() const override { return "witnessed"; }
  Result<std::unique_ptr<Client>> client(std::size_t) override { return std::make_unique<One>(witness_); }

 private:
  class One final : public Client {
   public:
    explicit One(Witness& witness) : witness_(witness) {}
    Result<void> open(Deadline) override { return {}; }
    Completion invoke(const Operation& operation, Deadline) override {
      const auto asked = witness_.asked_count.fetch_add(1);
      ORDEAL_CHECK(asked < Witness::kRoom, "the run was not killed in time");
      witness_.asked[asked] = operation.value.integer();
      // Completed in the journal is only what was answered before.
      witness_.answered[witness_.answered_count.fetch_add(1)] = operation.value.integer();
      return Completion::ok();
    }

   private:
    Witness& witness_;
  };
  Witness& witness_;
};

[[noreturn]] void controller(Witness& witness, const std::string& history) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto journal = Journal::create(history);
  if (!journal) ::_exit(9);
  RunLog log;
  Workload workload;
  auto value = std::make_shared<std::int64_t>(0);
  workload.generator = gen::generate(Rng(1), [value](const GeneratorContext&, Rng&) {
    return Operation{"write", std::nullopt, Value((*value)++)};
  });
  RunSetup setup;
  setup.target = std::make_shared<WitnessedTarget>(witness);
  setup.workload = &workload;
  setup.journal = journal->get();
  setup.log = &log;
  setup.rate = 0;
  setup.time_limit_s = 60;
  (void)run_workload(setup);
  ::_exit(8);
}

TEST(KillController, NothingThatWasWrittenIsLostAndNothingWasSentUnwritten) {
  void* const memory = ::mmap(nullptr, sizeof(Witness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  Rng rng(20);
  for (int round = 0; round < 8; ++round) {
    auto* const witness = new (memory) Witness();
    const Scratch scratch;
    const std::string history = scratch.file("history.jsonl");
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) controller(*witness, history);
    // From the first operation on a random while, up to tens of thousands of operations.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (witness->asked_count.load() == 0 && std::chrono::steady_clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(rng.between(0, 150'000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the controller ended by itself, with " << status;

    const auto lines = read_lines(history);
    EXPECT_FALSE(lines.broken) << "a line other than the last is torn";
    std::set<std::int64_t> invoked, completed;
    std::map<std::int64_t, std::int64_t> open;  // by process: its value
    std::int64_t index = 0, time = 0;
    for (const auto& event : lines.events) {
      EXPECT_EQ(event.find("index")->integer(), index++);
      EXPECT_GE(event.find("time")->integer(), time);
      time = event.find("time")->integer();
      const auto process = event.find("process")->integer();
      const auto value = event.find("value")->integer();
      if (event.find("type")->string() == "invoke") {
        EXPECT_TRUE(open.emplace(process, value).second);
        EXPECT_TRUE(invoked.insert(value).second);
      } else {
        EXPECT_EQ(open[process], value);
        open.erase(process);
        completed.insert(value);
      }
    }
    const auto asked = std::min<std::size_t>(witness->asked_count.load(), Witness::kRoom);
    // The last slots may have been taken and not filled when the kill came; 0 in them is a value that was invoked.
    for (std::size_t i = 0; i < asked; ++i) EXPECT_TRUE(invoked.contains(witness->asked[i])) << witness->asked[i];
    const std::set<std::int64_t> answered(witness->answered, witness->answered + witness->answered_count.load());
    for (const auto value : completed) EXPECT_TRUE(answered.contains(value)) << value;
    // At most one operation a worker is open.
    EXPECT_LE(open.size(), 10u);
    EXPECT_GT(asked, 0u);
  }
  ::munmap(memory, sizeof(Witness));
}

}  // namespace
}  // namespace ordeal
