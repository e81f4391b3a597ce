#include "tests/targets/postgres/local_postgres.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/free_port.h"
#include "targets/postgres/postgres_target.h"

namespace ordeal::testing {

bool LocalPostgres::installed() { return access((std::string(kPostgresBin) + "/postgres").c_str(), X_OK) == 0; }

LocalPostgres::LocalPostgres(std::size_t nodes) : port_(free_port()), options_(postgres_target().options) {
  std::string pattern = (std::filesystem::temp_directory_path() / "ordeal-postgres-XXXXXX").string();
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  directory_ = pattern;
  EXPECT_EQ(chmod(directory_.c_str(), 0755), 0);  // the server's user has to get in
  set("postgres.dir", directory_);
  set("postgres.initdb-flags", "--no-sync --wal-segsize=1");
  set("postgres.flags", "-c fsync=off");
  set("postgres.port", std::to_string(port_));
  clean_up_ = std::make_unique<AtEnd>(
      "for c in $(grep -lsx postgres /proc/[0-9]*/comm); do p=${c#/proc/}; p=${p%/comm}; "
      "case $(readlink /proc/$p/cwd) in " +
      directory_ + "/*) kill -KILL $p;; esac; done; rm -rf " + directory_);
  for (std::size_t i = 1; i <= nodes; ++i) {
    cluster_.nodes.push_back(std::make_unique<ShellNode>("n" + std::to_string(i), "127.0.0." + std::to_string(i)));
  }
}

LocalPostgres::~LocalPostgres() = default;

void LocalPostgres::set(const char* key, const std::string& value) {
  const auto done = options_.set(key, value, "test");
  EXPECT_TRUE(done) << done.error().message;
}

Target& LocalPostgres::target() {
  if (target_ == nullptr) {
    auto made = postgres_target().make(cluster_, options_);
    EXPECT_TRUE(made) << made.error().message;
    target_ = std::move(*made);
  }
  return *target_;
}

void LocalPostgres::start(const std::string& data_type) {
  target().client_setup()->use(data_type);
  for (const auto& node : cluster_.nodes) {
    const auto started = target().start(*node);
    ASSERT_TRUE(started) << started.error().message;
  }
  const auto ready = target().await_ready(Deadline::after_s(60));
  ASSERT_TRUE(ready) << ready.error().message;
  const auto prepared = target().client_setup()->prepare(Deadline::after_s(30));
  ASSERT_TRUE(prepared) << prepared.error().message;
}

std::unique_ptr<Client> LocalPostgres::client(std::size_t node) {
  auto made = target().client(node);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

}  // namespace ordeal::testing
