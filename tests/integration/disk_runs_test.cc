// Power failures as a user runs them: what a system that does not sync loses is found by a workload and is in the
// report.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/value.h"
#include "tests/support/program.h"

namespace ordeal::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class DiskRun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "local nodes need root";
    if (access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "there is no /dev/fuse";
  }
  Value run(const std::string& program, int exit_code, std::vector<std::string> more) {
    if (access(program.c_str(), X_OK) != 0) {
      skipped_ = true;
      return {};
    }
    std::vector<std::string> words = {ORDEAL_PROGRAM,
                                      "run",
                                      "--json",
                                      "--seed",
                                      "1",
                                      "--nemesis",
                                      "power-loss",
                                      "--nemesis-interval",
                                      "2",
                                      "--nemesis-duration",
                                      "0.5",
                                      "--set",
                                      "power-loss.kind=lost"};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult result = run_program(words, seconds(60), {}, directory_.path());
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    auto document = Value::from_json(result.out);
    EXPECT_TRUE(document) << result.out;
    return document ? *std::move(document) : Value::map({{"verdict", "none: it printed no document"}});
  }
  std::string report() {
    std::ifstream in(directory_.path() + "/store/latest/report.html", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  TemporaryDirectory directory_;
  bool skipped_ = false;
};

TEST_F(DiskRun, RedisWithoutSyncingLosesWhatItAcknowledged) {
  const Value found = run(
      "/usr/bin/redis-server", 1,
      {"--target", "redis", "--nodes", "local:1", "--workload", "set", "--time-limit", "4", "--set", "redis.fsync=no"});
  if (skipped_) GTEST_SKIP() << "no redis-server here";
  EXPECT_EQ(found.find("verdict")->string(), "invalid");
  EXPECT_THAT(found.to_json(), HasSubstr("was acknowledged and is lost"));
  EXPECT_THAT(report(), HasSubstr("unsynced writes to"));
}

TEST_F(DiskRun, RedisThatSyncsLosesNothing) {
  const Value found = run("/usr/bin/redis-server", 0,
                          {"--target", "redis", "--nodes", "local:1", "--workload", "set", "--time-limit", "4"});
  if (skipped_) GTEST_SKIP() << "no redis-server here";
  EXPECT_EQ(found.find("verdict")->string(), "valid");
}

// One server, by commands and an adapter of a page (targets/process/example_postgres.py).
std::vector<std::string> postgres(const std::string& fsync) {
  const std::string start = R"sh(pgrep -x postgres >/dev/null && exit 0
home=/var/lib/ordeal-pg
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as() { (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); }
chown postgres $home
if [ ! -e $home/data/PG_VERSION ]; then
  as $bin/initdb -A trust -D $home/data >/dev/null || exit 1
  echo 'host all all all trust' >>$home/data/pg_hba.conf
  sync $home/data/pg_hba.conf
fi
rm -f $home/data/postmaster.pid
cd /
setsid setpriv --reuid=postgres --regid=postgres --clear-groups $bin/postgres -D $home/data -k /tmp -c 'listen_addresses=*' \
  -c jit=off -c fsync=)sh" + fsync +
                            " </dev/null >>/var/log/ordeal-pg.log 2>&1 &";
  std::vector<std::string> words = {"--target", "process", "--nodes", "local:1", "--workload", "set", "--time-limit",
                                    "6",
                                    // Each operation is a process of its own, which takes its time on a busy machine.
                                    "--concurrency", "4", "--rate", "50", "--op-timeout", "20"};
  for (const std::string& setting :
       {std::string("database=commands"), "command=python3 " + std::string(ORDEAL_EXAMPLE_POSTGRES), "start=" + start,
        std::string("install=mkdir -p /var/lib/ordeal-pg"), std::string("stop=pkill -INT -x postgres; exit 0"),
        std::string("wipe=rm -rf /var/lib/ordeal-pg/data"),
        std::string("ready=psql -h /tmp -U postgres -Atc 'SELECT 1'"), std::string("pids=pgrep -x postgres; exit 0"),
        std::string("data=/var/lib/ordeal-pg"), std::string("logs=/var/log/ordeal-pg.log")}) {
    words.insert(words.end(), {"--set", "process." + setting});
  }
  return words;
}

TEST_F(DiskRun, PostgresWithoutSyncingLosesWhatItAcknowledged) {
  const Value found = run("/usr/bin/psql", 1, postgres("off"));
  if (skipped_) GTEST_SKIP() << "no PostgreSQL here";
  EXPECT_EQ(found.find("verdict")->string(), "invalid");
  EXPECT_THAT(found.to_json(), HasSubstr("was acknowledged and is lost"));
  EXPECT_THAT(report(), HasSubstr("unsynced writes to"));
}

TEST_F(DiskRun, PostgresThatSyncsLosesNothing) {
  const Value found = run("/usr/bin/psql", 0, postgres("on"));
  if (skipped_) GTEST_SKIP() << "no PostgreSQL here";
  EXPECT_EQ(found.find("verdict")->string(), "valid");
}

TEST_F(DiskRun, EtcdLosesNothingWhenAllItsNodesLosePower) {
  const Value found = run("/usr/bin/etcd", 0,
                          {"--target", "etcd", "--nodes", "local:3", "--workload", "register", "--time-limit", "5",
                           "--set", "power-loss.nodes=all"});
  if (skipped_) GTEST_SKIP() << "no etcd here";
  EXPECT_EQ(found.find("verdict")->string(), "valid");
}

}  // namespace
}  // namespace ordeal::testing
